"""What it would cost: tariffs and bills."""
