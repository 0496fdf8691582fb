"""How good an exported occlusion network is on people kept out of training: ``python -m training.masks.evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from training.masks.__main__ import views_of
from training.masks.cutouts import load_or_cut
from training.masks.pictures import contact_sheet
from training.masks.samples import Batch
from training.masks.trials import figures, held_out


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
    args = parser.parse_args()
    cv2.setNumThreads(1)
    kept_out, worn = views_of(args, validation=True)
    batch = held_out(kept_out, load_or_cut([], args.out / "hands.npz"), worn, args.count)
    visible = answers(args.model, batch)
    for name, value in figures(visible, batch).items():
        print(f"{name:12s} {value:.3f}")
    first = Batch(*(part[:72] for part in (batch.crops, batch.guides, batch.visible, batch.weights)))
    contact_sheet(first, visible, args.out / "evaluation.png")


if __name__ == "__main__":
    main()
