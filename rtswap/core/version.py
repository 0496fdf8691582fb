"""The version of rtswap."""

__version__ = "0.1.0"
