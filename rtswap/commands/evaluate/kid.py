"""Kernel inception distance (KID) between two sets of pictures, on their features.

Binkowski et al. 2018, "Demystifying MMD GANs": the squared maximum mean discrepancy under the kernel
``(x . y / d + 1)^3``, unbiased, over subsets. About 0 for two samples of one distribution, sometimes slightly below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]
"""(N, D)"""

SUBSETS, LARGEST, FEWEST = 100, 100, 20
FARTHEST = 5.0
"""Features are clipped to this many standard deviations, since the kernel is cubic."""


class Distance(NamedTuple):
    """Mean KID over subsets."""

    mean: float
    spread: float
    """Standard deviation over the subsets."""
    size: int
    """Rows in a subset."""


def kernel(one: Features, other: Features) -> Features:
    """Return the kernel matrix (N, M) of (N, D) and (M, D)."""
    return np.asarray((one @ other.T / one.shape[1] + 1) ** 3)


def paired_mmd2(real: Features, made: Features) -> float:
    """Return the squared MMD of (N, D) pictures ``made`` from ``real`` ones, row by row: Gretton et al. 2012,
    equation 5, which never compares a picture with itself or with its own result. Unbiased; 0 if nothing changed, and
    far less noisy than for unrelated sets."""
    crossed = kernel(real, made)
    between = kernel(real, real) + kernel(made, made) - crossed - crossed.T
    n = len(real)
    return float((between.sum() - np.trace(between)) / (n * (n - 1)))


def kid_of_pairs(real: Features, made: Features, *, seed: int = 0) -> Distance | None:
    """Return the KID of (N, D) pictures ``made`` from ``real`` ones, over random subsets of the pairs. None for fewer
    than ``FEWEST`` rows, which are not enough."""
    count = len(real)
    if count < FEWEST:
        return None
    size = min(LARGEST, count // 2)
    rng = np.random.default_rng(seed)
    subsets = (rng.permutation(count)[:size] for _ in range(SUBSETS))
    found = [paired_mmd2(real[subset], made[subset]) for subset in subsets]
    return Distance(float(np.mean(found)), float(np.std(found)), size)


def standardise(real: Features, *sets: Features) -> list[Features]:
    """Scale ``real`` and the other sets so that ``real`` has mean 0 and standard deviation 1; clip outliers."""
    mean, spread = real.mean(0), real.std(0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    return [np.clip((one - mean) / scale, -FARTHEST, FARTHEST) for one in (real, *sets)]
