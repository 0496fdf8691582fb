"""``rtswap inspect``: show what the tracker and the masks detect in a clip, as pictures, plots and figures."""
