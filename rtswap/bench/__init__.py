"""``rtswap bench``: how fast this machine swaps. Needs no camera, no screen and no GPU.

A clip made from people who do not exist is played as a live source from memory; nothing is written. Warm-up frames
are left out; medians and tails are given, not means; the machine is described in the result.
"""

from rtswap.commands.bench.machine import machine
from rtswap.commands.bench.rig import ClipInput, Rig
from rtswap.commands.bench.run import CASES, Case, bench

__all__ = ["CASES", "Case", "ClipInput", "Rig", "bench", "machine"]
