"""``rtswap bench``: how fast this machine swaps. Needs no camera, no screen and no GPU.

A clip made from people who do not exist is played as a live source from memory; nothing is written. Warm-up frames
are left out; medians and tails are given, not means; the machine is described in the result.
"""
