"""The version of rtswap, in one place."""

__version__ = "0.1.0"
