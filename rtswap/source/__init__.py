"""Load photos of one person and compute everything a swapper needs to know of them."""

from rtswap.source.photos import load_source

__all__ = ["load_source"]
