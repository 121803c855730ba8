"""What: usage points, readings and every other ESPI resource a utility hands us."""
