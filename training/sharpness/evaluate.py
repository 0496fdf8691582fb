"""Measure a sharpness network on people kept out of training:

python -m training.sharpness.evaluate --faces DIR --portraits DIR --out DIR --model FILE
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.drawing.sheet import draw_pictures
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from training.arguments import evaluation_parser
from training.arrays import Bytes, Floats
from training.sharpness.samples import Face, Look, load_faces, sample

FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0)
COUNT = 48
"""Samples per factor."""
Lacking = Callable[[Bytes], Floats]
"""(N, S, S, 3) -> what they lack, levels (N, S, S)."""


class Trial(NamedTuple):
    """By factor of ``FACTORS``: two versions (F, 2, N, S, S) and the truth (F, N, S, S)."""

    versions: Bytes
    truths: Bytes


def open_trial(kinds: list[list[Face]], count: int = COUNT) -> Trial:
    versions, truths = [], []
    for factor in FACTORS:
        rng = np.random.default_rng(12345)
        look = Look(factor, 0.5, 1.0, 0.0, 0, cv2.INTER_CUBIC)
        rows = [sample(kinds, rng, look) for _ in range(count)]
        versions.append(np.stack([[row[0][k] for row in rows] for k in range(2)]))
        truths.append(np.stack([row[1] for row in rows]))
    return Trial(np.stack(versions), np.stack(truths))


def restore(lacking: Lacking, trial: Trial) -> Bytes:
    """Add the missing detail to the versions."""
    flat = trial.versions.reshape(-1, *trial.versions.shape[-2:])
    made = flat + lacking(np.repeat(flat[..., None], 3, 3))
    return np.asarray(np.clip(np.round(made), 0, 255), np.uint8).reshape(trial.versions.shape)


def figures(made: Bytes, trial: Trial) -> dict[str, float]:
    """By factor: what the network gains in dB; the strength of fine detail before and after, of the truth's; how much
    two versions differ, of how much they differed."""
    found = {}
    for row, factor in enumerate(FACTORS):
        given, own, truth = trial.versions[row], made[row], np.stack([trial.truths[row]] * 2)
        found[f"gain_{factor:g}"] = _decibel(own, truth) - _decibel(given, truth)
        found[f"detail_before_{factor:g}"], found[f"detail_{factor:g}"] = (
            _strength(some) / _strength(truth) for some in (given, own)
        )
        found[f"flicker_{factor:g}"] = _apart(own) / _apart(given)
    return found


def before_and_after(made: Bytes, trial: Trial) -> Bytes:
    """Of each factor above 1 the first twelve samples: given, restored, truth."""
    tiles = []
    for row in range(1, len(FACTORS)):
        for column in range(12):
            three = trial.versions[row, 0, column], made[row, 0, column], trial.truths[row, column]
            tiles.append(np.dstack([np.vstack(three)] * 3))
    return draw_pictures(tiles, columns=12)


def _decibel(a: Bytes, b: Bytes) -> float:
    squares = np.square(a.astype(np.float32) - b).mean((-2, -1))
    return float((10 * np.log10(255**2 / np.maximum(squares, 0.1))).mean())


def _strength(luma: Bytes) -> float:
    """Mean absolute difference from the blurred picture."""
    planes = [np.asarray(one, np.float32) for one in luma.reshape(-1, *luma.shape[-2:])]
    return float(np.mean([np.abs(one - cv2.GaussianBlur(one, (5, 5), 1.0)).mean() for one in planes]))


def _apart(two: Bytes) -> float:
    return float(np.abs(two[0].astype(np.float32) - two[1]).mean())


def main() -> None:
    parser = evaluation_parser("training.sharpness.evaluate", __doc__, "faces", "portraits")
    args = parser.parse_args()
    engine = OnnxRuntimeEngine(args.model, threads=1)
    trial = open_trial(load_faces(args.faces, args.portraits, args.out / "portraits.npz", kept_out=True))
    made = restore(lambda crops: np.asarray(engine.run({"crops": crops})["detail"], np.float32), trial)
    for name, value in figures(made, trial).items():
        print(f"{name:20s} {value:.3f}")
    cv2.imwrite(str(args.out / "evaluation.png"), before_and_after(made, trial))


if __name__ == "__main__":
    main()
