"""From photos of one person to everything a swapper needs to know of them."""

from rtswap.source.photos import load_source

__all__ = ["load_source"]
