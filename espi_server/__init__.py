"""A Green Button Connect My Data (ESPI) server with rates, bill comparison and rate change."""

__version__ = "0.1.0"
