"""``rtswap eval``: measure the quality of a swapper on photos and clips, and compare it with another.

Each metric is a separate function, tested against a known answer; the benchmarks use them too.
"""
