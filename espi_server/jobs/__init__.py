"""What is done later: rows that workers lease, try, repeat and finish. The row is the truth; there is no queue."""
