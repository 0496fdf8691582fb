"""``rtswap models``: list, add, download, remove and verify the models of others."""
