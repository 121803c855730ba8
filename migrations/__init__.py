"""How the database came to its form, one revision after the other."""
