"""``rtswap forget``: shows and deletes what rtswap keeps on this machine."""
