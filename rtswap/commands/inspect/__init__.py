"""``rtswap inspect``: what the tracker and the masks saw in a clip, as pictures, plots and figures."""
