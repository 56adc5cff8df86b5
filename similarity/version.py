"""The version of the library, a part of every fingerprint."""

__version__ = "0.2.0"
