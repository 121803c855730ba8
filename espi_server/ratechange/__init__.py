"""Changing a rate, with the customer asked first."""
