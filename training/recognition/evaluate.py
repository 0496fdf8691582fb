"""Measure how well people are distinguished: ``python -m training.recognition.evaluate --model FILE --views DIR``.

Every view of every person kept out of training is degraded as a camera would have it; every crop is compared with
every other.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from training.arrays import Bytes, Floats
from training.landmarks.views import Views, open_cache
from training.recognition.samples import PairSampler

CROPS = 8


def figures(run: Callable[[Bytes], Floats], views: Views) -> dict[str, float]:
    """``same``, ``others``: mean cosines; ``equal_error``: rate at which strangers pass as often as people are
    refused; ``refused_at_1``: share of people refused where one stranger in 100 passes, at ``threshold``."""
    sampler = PairSampler(views, 5)
    people = np.repeat(np.arange(views.people), CROPS)
    vectors = np.concatenate(
        [run(np.stack([sampler.crop(int(p)) for p in part])) for part in np.array_split(people, 30)]
    )
    cosines = vectors @ vectors.T
    same = people[:, None] == people
    pairs = np.triu(np.ones_like(same), 1)
    alike, apart = np.sort(cosines[same & pairs]), np.sort(cosines[~same & pairs])
    steps = np.linspace(-0.5, 1, 601)
    refused = np.searchsorted(alike, steps) / len(alike)
    passed = 1 - np.searchsorted(apart, steps) / len(apart)
    threshold = float(apart[int(0.99 * len(apart))])
    return {
        "same": float(alike.mean()),
        "others": float(apart.mean()),
        "equal_error": float(np.maximum(refused, passed).min()),
        "refused_at_1": float(np.searchsorted(alike, threshold) / len(alike)),
        "threshold": threshold,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.recognition.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--views", type=Path, required=True, help="views-strangers of a training")
    args = parser.parse_args()
    engine = OnnxRuntimeEngine(args.model)
    for name, value in figures(
        lambda crops: engine.run({"crops": crops})["embedding"], open_cache(args.views)
    ).items():
        print(f"{name:>14} {value:.4f}")


if __name__ == "__main__":
    main()
