"""``rtswap train``: learn a swapper from the faces of people, and write it as a DFM file."""
