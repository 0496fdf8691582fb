"""How many heads the second detector finds, and how often it finds one where none is:
``python -m training.heads.evaluate``. People and places kept out of training."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.drawing.sheet import draw_pictures
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.heads import MAPS, decode
from rtswap.training.onnx_files import in_chunks
from training.arguments import evaluation_parser
from training.arrays import Bytes, Floats
from training.heads.portraits import Portraits, load_or_find
from training.heads.samples import SHALL, Sampler
from training.heads.views import open_views
from training.landmarks.views import Views

COUNT = 512
BANDS = {"tiny": (5.0, 10.0), "small": (10.0, 25.0), "middle": (25.0, 80.0), "large": (80.0, 400.0)}
"""Heights in pixels of the picture."""
THRESHOLD = 0.3
KEPT_OUT = 8
"""Every how many portraits one is kept out of training."""


class Trial(NamedTuple):
    pictures: Bytes
    """(N, 192, 256, 3)"""
    heads: Floats
    """(N, 10, 4), see ``training.heads.samples``"""


def open_trial(views: Views, portraits: Portraits, count: int = COUNT) -> Trial:
    pictures, heads = next(Sampler(views, portraits, 12345).batches(count, again=1, keep=count))
    return Trial(pictures, heads)


def figures(answers: Sequence[Floats], trial: Trial, threshold: float = THRESHOLD) -> dict[str, float]:
    """Per band of heights the share of heads that shall be found and were; ``false``: boxes per picture that touch no
    head; ``empty``: share of the pictures without a head in which something was found."""
    found, wanted = dict.fromkeys(BANDS, 0), dict.fromkeys(BANDS, 0)
    wrong, empty, alarms = 0, 0, 0
    for row, heads in enumerate(trial.heads):
        boxes = decode([part[row] for part in answers], threshold)[:, :4]
        middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 3] - boxes[:, 1]
        there = heads[heads[:, 3] > 0]
        for x, y, height, kind in there:
            name = next((name for name, (low, high) in BANDS.items() if low <= height < high), None)
            if kind == SHALL and name is not None:
                wanted[name] += 1
                found[name] += bool((np.hypot(middles[:, 0] - x, middles[:, 1] - y) < 0.5 * height + 3).any())
        far = [
            np.hypot(there[:, 0] - x, there[:, 1] - y) > np.maximum(0.8 * there[:, 2], 0.5 * size) + 6
            for (x, y), size in zip(middles, sizes, strict=True)
        ]
        wrong += sum(bool(one.all()) for one in far)
        if not len(there):
            empty, alarms = empty + 1, alarms + bool(len(boxes))
    shares = {name: found[name] / max(wanted[name], 1) for name in BANDS}
    return {**shares, "false": wrong / len(trial.heads), "empty": alarms / max(empty, 1)}


def answers_sheet(trial: Trial, answers: Sequence[Floats]) -> Bytes:
    """The first 48 pictures: true heads green, those that may be found blue, found boxes red."""
    tiles = []
    for row, picture in enumerate(trial.pictures[:48]):
        tile = picture.copy()
        for x, y, height, kind in trial.heads[row]:
            if kind:
                colour = (0, 255, 0) if kind == SHALL else (255, 120, 0)
                cv2.circle(tile, (round(float(x)), round(float(y))), max(2, round(float(height) / 2)), colour, 1)
        for x1, y1, x2, y2, _ in decode([part[row] for part in answers], THRESHOLD):
            cv2.rectangle(
                tile, (round(float(x1)), round(float(y1))), (round(float(x2)), round(float(y2))), (0, 0, 255), 1
            )
        tiles.append(tile)
    return draw_pictures(tiles, columns=6)


def open_split(args: argparse.Namespace) -> tuple[tuple[Views, Portraits], tuple[Views, Portraits]]:
    """The views and portraits that are learnt from, and those that are kept out."""
    portraits = load_or_find(args.portraits, args.out / "portraits.npz")
    rows = np.arange(len(portraits)) % KEPT_OUT == 0
    taught, strangers = open_views(args.faces, args.out)
    return (taught, portraits.some(~rows)), (strangers, portraits.some(rows))


def main() -> None:
    parser = evaluation_parser("training.heads.evaluate", __doc__, "faces", "portraits")
    parser.add_argument("--count", type=int, default=1024)
    args = parser.parse_args()
    engine = OnnxRuntimeEngine(args.model)
    cv2.setNumThreads(1)
    trial = open_trial(*open_split(args)[1], args.count)

    def run(picture: Bytes) -> list[Floats]:
        answers = engine.run({"picture": picture})
        return [answers[name] for name in MAPS]

    found = in_chunks(run, 32, picture=trial.pictures)
    for threshold in (0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        named = figures(found, trial, threshold).items()
        print(f"from {threshold:.2f}  " + "  ".join(f"{name} {value:.3f}" for name, value in named))
    cv2.imwrite(str(args.out / "evaluation.png"), answers_sheet(trial, found))


if __name__ == "__main__":
    main()
