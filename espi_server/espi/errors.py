"""What can be wrong with ESPI input, in words a person can act on."""


class EspiError(ValueError):
    """The input is not ESPI as published; the message says where, and what is accepted."""
