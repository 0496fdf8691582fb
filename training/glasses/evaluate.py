"""How good a glasses network is on people kept out of training: ``python -m training.glasses.evaluate``. Their
glasses are painted, the same at every look."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from rtswap.compositing.finishes.glasses import LEAST
from rtswap.drawing.sheet import draw_pictures
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.training.onnx_files import in_chunks
from training.arguments import evaluation_parser
from training.arrays import Bytes, Floats
from training.glasses.samples import Batch, Sampler, Strips
from training.landmarks.views import Views
from training.masks.samples import open_views
from training.masks.spectacles import KINDS

COUNT = 256


def open_trial(views: Views, worn: Bytes, count: int = COUNT, kind: str = "") -> Batch:
    return next(Sampler(Strips(views, worn, {}, count), 12345, kind).batches(again=1))


def figures(frames: Floats, batch: Batch) -> dict[str, float]:
    """``frames`` (N, 96, 192) 0..1 as answered. IoU of the frames, pooled; the share of them that is missed; of
    people without glasses, the share in whose strips frames are found."""
    counts = batch.weights > 200
    there, told = (batch.frames > 127) & counts, (frames > 0.5) & counts
    plain = batch.worn == 0
    return {
        "iou": float((there & told).sum() / max((there | told).sum(), 1)),
        "missed": float((there & ~told).sum() / max(there.sum(), 1)),
        "false": float((told[plain].sum((1, 2)) >= LEAST).mean()) if plain.any() else 0.0,
    }


def answers_sheet(batch: Batch, frames: Floats) -> Bytes:
    """The first 48 strips, under each what was answered and what is true; white: a frame."""
    tiles = []
    for strip, found, true in zip(batch.strips[:48], (frames * 255).astype(np.uint8), batch.frames, strict=False):
        tiles.append(np.vstack([strip, *(cv2.cvtColor(part, cv2.COLOR_GRAY2BGR) for part in (found, true))]))
    return draw_pictures(tiles, columns=8)


def main() -> None:
    parser = evaluation_parser("training.glasses.evaluate", __doc__, "faces")
    parser.add_argument("--views", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    engine = OnnxRuntimeEngine(args.model)
    kept_out, worn = open_views(args.faces, args.views or args.out, validation=True)
    for kind in ("", *KINDS):
        batch = open_trial(kept_out, worn, COUNT if kind else 4 * COUNT, kind)
        (frames,) = in_chunks(lambda **given: engine.run(given).values(), 32, strips=batch.strips)
        found = "  ".join(f"{name} {value:.3f}" for name, value in figures(frames, batch).items())
        print(f"{kind or 'all, and people without':24s} {found}")


if __name__ == "__main__":
    main()
