"""``rtswap bench``: measure how fast this machine swaps. Needs no camera, no screen and no GPU.

Plays a clip of built-in personas as a live source from memory. Excludes warm-up frames, reports medians and tails
instead of means, and describes the machine in the result.
"""
