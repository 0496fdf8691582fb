"""``rtswap verify``: was it made with rtswap? Looks for the invisible mark and the manifest in any file."""
