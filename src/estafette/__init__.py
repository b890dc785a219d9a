"""Estafette: an e-mail delivery platform that people run themselves."""

__version__ = "0.1.0"
