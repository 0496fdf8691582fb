"""Find the frames of glasses that people in the pictures really wear: ``python -m training.glasses.trace``.

A network that has learned from painted glasses looks at each of their views and at its mirror image; what both see
counts, what they disagree on nobody knows. Rows that are wrong can be left out after looking at ``traced-*.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from rtswap.drawing.sheet import draw_pictures
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.glasses import HEIGHT, WIDTH, place
from rtswap.vision.resample import warped
from training.arrays import Bytes
from training.masks.samples import open_views
from training.masks.worn import CLEAR

SURE, CLEAN = 0.6, 0.2
"""Probability above which a frame is there, and below which there is none."""
PAGE = 56
LEAST = 150
"""Pixels of frames; with fewer the view is left out."""


def load_traced(path: Path | None) -> dict[int, Bytes]:
    """Traced frames (96, 192) by view: 255, 0, or 128 where nobody knows."""
    if path is None:
        return {}
    with np.load(path) as data:
        return dict(zip(data["views"].tolist(), data["frames"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.glasses.trace", description=__doc__)
    for name in ("--faces", "--model", "--to"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--views", type=Path, required=True, help="the training's folder")
    parser.add_argument("--without", type=int, nargs="*", default=[], help="people to leave out")
    args = parser.parse_args()
    views, worn = open_views(args.faces, args.views, validation=False)
    engine = OnnxRuntimeEngine(args.model)
    found, rows, tiles = [], [], []
    for person in np.flatnonzero(worn & CLEAR):
        for number in range(int(person), len(views), views.people):
            matrix = place(views.meshes[number])
            assert matrix is not None
            strip = warped(np.ascontiguousarray(views.images[number]), matrix, (WIDTH, WIDTH))[:HEIGHT]
            both = engine.run({"strips": np.stack([strip, strip[:, ::-1]])})
            a, b = both["frames"][0], both["frames"][1][:, ::-1]
            traced = np.full((HEIGHT, WIDTH), 128, np.uint8)
            traced[(a < CLEAN) & (b < CLEAN)] = 0
            traced[(a + b) / 2 > SURE] = 255
            traced[(traced == 0) & (cv2.dilate((traced != 0).astype(np.uint8), np.ones((3, 3))) > 0)] = 128
            good = int(traced[traced > 128].sum()) > LEAST * 255 and int(person) not in args.without
            if number == person:
                shown = cv2.cvtColor(traced, cv2.COLOR_GRAY2BGR)
                colour = (90, 255, 90) if good else (90, 90, 255)
                cv2.putText(shown, f"{person}", (2, 92), 0, 0.45, colour)
                tiles.append(np.vstack([strip, shown]))
            if good:
                found.append(traced)
                rows.append(number)
    np.savez_compressed(args.to, views=np.array(rows), frames=np.array(found))
    for page in range(0, len(tiles), PAGE):
        sheet = draw_pictures(tiles[page : page + PAGE], columns=8)
        cv2.imwrite(str(args.to.with_name(f"traced-{page // PAGE}.png")), sheet)
    print(f"{len(rows)} views of {len(tiles)} people")


if __name__ == "__main__":
    main()
