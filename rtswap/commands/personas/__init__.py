"""``rtswap personas``: list the built-in personas."""
