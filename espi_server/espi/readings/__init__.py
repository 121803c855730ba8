"""The readings of one meter reading: columns of integers, and what is done with them.

A year of quarter-hours is 35,000 readings, so nothing here works reading by reading where a column will do.
"""

from espi_server.espi.readings.alike import read_alike
from espi_server.espi.readings.columns import MISSING, Column, Readings, ReadingsError, Totals, joined
from espi_server.espi.readings.cuts import By, Cut, cut, intervals, starts_around
from espi_server.espi.readings.merging import Merged, merge
from espi_server.espi.readings.packing import ENCODING, DamagedReadings, pack, unpack
from espi_server.espi.readings.reading import read
from espi_server.espi.readings.rendering import Renderer, render
from espi_server.espi.readings.summing import summed, thinned

__all__ = [
    "ENCODING",
    "MISSING",
    "By",
    "Column",
    "Cut",
    "DamagedReadings",
    "Merged",
    "Readings",
    "ReadingsError",
    "Renderer",
    "Totals",
    "cut",
    "intervals",
    "joined",
    "merge",
    "pack",
    "read",
    "read_alike",
    "render",
    "starts_around",
    "summed",
    "thinned",
    "unpack",
]
