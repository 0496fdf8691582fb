"""How well people are told apart: ``python -m training.recognition.evaluate --model FILE --views DIR``.

Every view of every person kept out of training is degraded as a camera would have it; every crop is compared with
every other.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rtswap.engines.telemetry import no_telemetry
from training.landmarks.views import SIDE, Views
from training.recognition.samples import PairSampler

CROPS = 8


def separation(deployed: nn.Module, views: Views, device: str) -> dict[str, float]:
    """See ``figures``."""

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():
            return np.asarray(deployed(torch.from_numpy(crops).to(device)).cpu().numpy(), np.float32)

    return figures(run, views)


def figures(run: Callable[[NDArray[np.uint8]], NDArray[np.float32]], views: Views) -> dict[str, float]:
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
    with no_telemetry():
        import onnxruntime

    session = onnxruntime.InferenceSession(str(args.model), providers=["CPUExecutionProvider"])

    def run(crops: NDArray[np.uint8]) -> Any:
        return session.run(None, {"crops": crops})[0]

    with np.load(args.views / "labels.npz") as data:
        images = np.memmap(args.views / "images.u8", np.uint8, "r", shape=(len(data["meshes"]), SIDE, SIDE, 3))
        views = Views(images, data["meshes"], data["visible"], len(images) // 6)
    for name, value in figures(run, views).items():
        print(f"{name:>14} {value:.4f}")


if __name__ == "__main__":
    main()
