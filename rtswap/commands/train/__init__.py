"""``rtswap train``: learn a swapper from the faces of people, and write the file that is played."""
