"""How good an occlusion network is on people kept out of training: ``python -m training.masks.evaluate``. The faces
are covered procedurally, the same at every look."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from rtswap.core.protocols import Engine
from rtswap.drawing.sheet import draw_pictures
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.training.onnx_files import in_chunks
from training.arguments import evaluation_parser
from training.arrays import Bytes, Flags, Floats
from training.landmarks.views import Views
from training.masks.samples import KINDS, Batch, Sampler, open_views
from training.masks.things import Cutouts, load_or_cut

COUNT = BY_KIND = 256
ROWS = {"strands": (0, 32), "fringe": (0, 32), "hat": (0, 32), "scarf": (0, 64), "spectacles": (18, 32)}
"""Where a kind is looked at; others below the eyes, where no hair of the person's own is."""


def open_trial(views: Views, hands: Cutouts, worn: Bytes, count: int = COUNT) -> Batch:
    return next(Sampler(views, hands, 12345, worn).batches(count, again=1, keep=count))


def figures(visible: Floats, batch: Batch) -> dict[str, float]:
    """``visible`` (N, 64, 64) 0..1 as answered. IoU of the hidden and of the visible part, pooled over all that
    counts; the share of hidden pixels told where nothing is hidden; the share of seen face taken away."""
    counts = batch.weights > 200
    hidden, told = batch.visible < 128, visible < 0.5
    clean = (hidden & counts).sum((1, 2)) == 0
    seen = counts & ~hidden
    return {
        "iou_hidden": _iou(hidden[counts], told[counts]),
        "iou_visible": _iou(~hidden[counts], ~told[counts]),
        "lost": float(told[seen].mean()),
        "lost_clean": float(told[clean][seen[clean]].mean()) if clean.any() else 0.0,
        "missed": float((~told[hidden & counts]).mean()),
    }


def _iou(a: Flags, b: Flags) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def answers_sheet(batch: Batch, visible: Floats) -> Bytes:
    """The first 72 crops, under each what was answered and what is true (red: hidden, green: seen, plain: does not
    count). ``visible``: (N, 64, 64) 0..1."""
    tiles = []
    for crop, answer, truth, weight in zip(batch.crops[:72], visible, batch.visible, batch.weights, strict=False):
        counts = _large(weight / 255)
        shown = [crop, _tint(crop, _large(answer), np.maximum(counts, 0.35)),
                 _tint(crop, _large(truth / 255), counts)]  # fmt: skip
        tiles.append(np.vstack(shown))
    return draw_pictures(tiles, columns=12)


def _large(values: Floats) -> Floats:
    return np.asarray(cv2.resize(np.asarray(values, np.float32), (128, 128)), np.float32)


def _tint(crop: Bytes, visible: Floats, weight: Floats) -> Bytes:
    colour = np.stack([np.zeros_like(visible), visible * weight, (1 - visible) * weight], -1)
    return (crop * 0.6 + colour * 102).astype(np.uint8)


def answers(engine: Engine, batch: Batch) -> Floats:
    """(N, 64, 64) 0..1"""
    return in_chunks(lambda **given: engine.run(given).values(), 32, crops=batch.crops, guides=batch.guides)[0]


def main() -> None:
    parser = evaluation_parser("training.masks.evaluate", __doc__, "faces")
    parser.add_argument("--views", type=Path)
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--kinds", action="store_true", help="also by what is painted: everybody with one kind")
    args = parser.parse_args()
    engine = OnnxRuntimeEngine(args.model)
    cv2.setNumThreads(1)
    kept_out, worn = open_views(args.faces, args.views or args.out, validation=True)
    hands = load_or_cut([], args.out / "hands.npz")
    batch = open_trial(kept_out, hands, worn, args.count)
    visible = answers(engine, batch)
    for name, value in figures(visible, batch).items():
        print(f"{name:12s} {value:.3f}")
    for kind in KINDS if args.kinds else ():
        sampler = Sampler(kept_out, hands, 777, worn, {kind: 1.0}, 0.0)
        some = next(sampler.batches(BY_KIND, again=1, keep=BY_KIND))
        rows = np.zeros((64, 1), np.uint8)
        rows[slice(*ROWS.get(kind, (32, 64)))] = 1
        some = some._replace(weights=some.weights * rows)
        found = figures(answers(engine, some), some)
        print(f"{kind:22s} iou_hidden {found['iou_hidden']:.3f}  missed {found['missed']:.3f}")
    cv2.imwrite(str(args.out / "evaluation.png"), answers_sheet(batch, visible))


if __name__ == "__main__":
    main()
