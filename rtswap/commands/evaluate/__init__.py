"""``rtswap eval``: how good a swapper is, on any photos and clips, beside another one.

The measures are functions of their own, each checked against a known answer; benchmarks use them as well.
"""
