"""How much of bare foreheads a network takes for hair, by how light the skin is:
``python -m training.masks.foreheads --portraits DIR --model rtswap/assets/occlusion.onnx``.

Pictures that it has not learnt from. Some of the people wear hats or fringes, in every group.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.commands.evaluate.clips import mesh_in
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.occlusion import SIZE, OcclusionModel, place
from rtswap.training.pictures import read_picture
from rtswap.vision.geometry import transform
from training.arrays import Bytes, Floats
from training.landmarks.views import colour_at

FOREHEAD = (151, 9, 108, 337, 69, 299, 107, 336, 66, 296)
CHEEKS = (50, 280, 205, 425)
GROUPS = (0, 90, 110, 130, 150, 256)
"""Levels of the cheeks, mean of three colours, between which a group lies."""
MUCH = 0.3
"""Share of a forehead that counts as hidden from which it is told."""


def hidden_share(model: OcclusionModel, picture: Bytes, mesh: Floats) -> float:
    """Mean over ``FOREHEAD`` of how surely something hides it, 0..1. ``mesh``: (468, 3)."""
    matrix = place(mesh)
    if matrix is None:
        return 0.0
    points = transform(matrix, mesh[:, :2])
    answer = model.hidden(picture, matrix, points)
    x, y = np.clip(np.round(points[list(FOREHEAD)] * (len(answer) / SIZE)).astype(int), 0, len(answer) - 1).T
    return float(answer[y, x].mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--portraits", type=Path, required=True, help="folder of pictures of one person each")
    parser.add_argument("--model", type=Path, required=True, help="exported network")
    args = parser.parse_args()
    models, model = open_models(Config(), on_event=print), OcclusionModel(OnnxRuntimeEngine(args.model))
    found = []
    for path in sorted(args.portraits.glob("*.jpg")):
        picture = read_picture(path)
        mesh = mesh_in(picture, models)
        if mesh is not None:
            light = np.mean([colour_at(picture, mesh[row, :2]) for row in CHEEKS])
            found.append((float(light), hidden_share(model, picture, mesh), path.name))
    for low, high in pairwise(GROUPS):
        shares = [share for light, share, _ in found if low <= light < high]
        much = sum(share > MUCH for share in shares)
        mean = np.mean(shares) if shares else 0.0
        print(f"cheeks of {low} to {high}: {len(shares)} people, {mean:.3f} hidden, more than {MUCH}: {much}")
    for _, share, name in sorted(found, key=lambda row: -row[1])[:12]:
        print(f"{share:.2f} {name}")


if __name__ == "__main__":
    main()
