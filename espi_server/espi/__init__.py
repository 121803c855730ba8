"""The standard: ESPI as published, declared once. Imports nothing from the other rooms."""
