"""``rtswap personas``: the people who come with rtswap, as words and as a picture."""
