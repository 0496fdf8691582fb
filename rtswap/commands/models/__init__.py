"""``rtswap models``: list, add, download, remove and verify third-party models."""
