"""``rtswap inspect``: show what the tracker and the masks see in a clip, as pictures, plots and figures."""
