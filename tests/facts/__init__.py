"""What the published schemas are made of, as data of our own."""
