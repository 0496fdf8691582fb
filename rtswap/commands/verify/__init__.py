"""``rtswap verify``: look for rtswap's invisible mark and manifest in a file, to tell whether rtswap made it."""
