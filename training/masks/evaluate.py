"""How good an exported occlusion network is on people kept out of training: ``python -m training.masks.evaluate``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from rtswap.engines.telemetry import no_telemetry
from training.masks.__main__ import views_of
from training.masks.cutouts import load_or_cut
from training.masks.pictures import contact_sheet
from training.masks.samples import KINDS, Batch, Sampler
from training.masks.trials import figures, held_out

with no_telemetry():
    import onnxruntime

BY_KIND = 256
ROWS = {"strands": (0, 32), "fringe": (0, 32), "spectacles": (18, 32)}
"""Where a kind is looked at; others below the eyes, where no hair of the person's own is."""


def answers(model: Path, batch: Batch) -> np.ndarray:
    """(N, 64, 64) 0..1, by ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    parts = [
        session.run(None, {"crops": batch.crops[i : i + 32], "guides": batch.guides[i : i + 32]})[0]
        for i in range(0, len(batch.crops), 32)
    ]
    return np.concatenate(parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.masks.evaluate", description=__doc__)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="where the training left its caches")
    parser.add_argument("--views", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--kinds", action="store_true", help="also by what is painted: everybody with one kind")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    kept_out, worn = views_of(args, validation=True)
    hands = load_or_cut([], args.out / "hands.npz")
    batch = held_out(kept_out, hands, worn, args.count)
    visible = answers(args.model, batch)
    for name, value in figures(visible, batch).items():
        print(f"{name:12s} {value:.3f}")
    for kind in KINDS if args.kinds else ():
        sampler = Sampler(kept_out, hands, 777, worn, {kind: 1.0}, 0.0)
        some = next(sampler.batches(BY_KIND, again=1, keep=BY_KIND))
        rows = np.zeros((64, 1), np.uint8)
        rows[slice(*ROWS.get(kind, (32, 64)))] = 1
        some = replace(some, weights=some.weights * rows)
        found = figures(answers(args.model, some), some)
        print(f"{kind:22s} iou_hidden {found['iou_hidden']:.3f}  missed {found['missed']:.3f}")
    first = Batch(*(part[:72] for part in (batch.crops, batch.guides, batch.visible, batch.weights)))
    contact_sheet(first, visible, args.out / "evaluation.png")


if __name__ == "__main__":
    main()
