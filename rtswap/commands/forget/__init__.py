"""``rtswap forget``: list and delete what rtswap stores about the user on this machine."""
