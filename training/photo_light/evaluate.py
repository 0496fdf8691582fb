"""Measure a network for the light in photos on people kept out of training:

python -m training.photo_light.evaluate --faces DIR --portraits DIR --out DIR --model FILE
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from rtswap.drawing.sheet import draw_pictures
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.photo_light import OFFSET
from rtswap.training.onnx_files import in_chunks
from training.arguments import evaluation_parser
from training.arrays import Bytes, Floats
from training.photo_light.samples import Lit, load_charts, open_lamps

COUNT = 192
SHOWN = 32


class Trial(NamedTuple):
    textures: Bytes
    """(N, 128, 128, 3), half of them in hard light."""
    truth: Floats
    """(N, 128, 128, 3) logs."""
    seen: Bytes
    """(N, 128, 128)"""


def open_trial(source: Lit) -> Trial:
    textures, truth, seen = next(Lit(source.charts, source.lamps, COUNT).batches(12345))
    return Trial(textures, truth.astype(np.float32), seen)


def figures(light: Floats, trial: Trial) -> dict[str, float]:
    """Of ``light`` (N, 128, 128, 3): how far logs and their edges are off, as shares of those of the light itself;
    and by how much faces are changed that no lamp shines on."""
    seen = (trial.seen > 0)[..., None]
    found, truth = (_centred(one, seen) for one in (light, trial.truth))
    lit = np.abs(truth).mean((1, 2, 3)) > 0.02
    edges = [np.abs(np.diff(one[lit], axis=2) * seen[lit][:, :, 1:]).mean() for one in (found - truth, truth)]
    return {
        "left": float(np.abs(found - truth)[lit].mean() / np.abs(truth)[lit].mean()),
        "edges_left": float(edges[0] / edges[1]),
        "needless": float(np.abs(found)[~lit].sum() / max(3 * seen[~lit].sum(), 1)),
    }


def before_and_after(light: Floats, trial: Trial) -> Bytes:
    """The first samples: as filmed, in even light as answered, in truth."""
    seen = (trial.seen > 0)[..., None]
    tiles = []
    for row in range(SHOWN):
        texture = trial.textures[row].astype(np.float32) + OFFSET
        logs = [_centred(one[row : row + 1], seen[row : row + 1])[0] for one in (light, trial.truth)]
        tiles.append(np.vstack([trial.textures[row], *(_shown(texture * np.exp(-one)) for one in logs)]))
    return draw_pictures(tiles, columns=8)


def _centred(logs: Floats, seen: np.ndarray) -> Floats:
    mean = (logs * seen).sum((1, 2), keepdims=True) / np.maximum(seen.sum((1, 2), keepdims=True), 1)
    return np.asarray((logs - mean) * seen, np.float32)


def _shown(picture: Floats) -> Bytes:
    return np.clip(np.round(picture - OFFSET), 0, 255).astype(np.uint8)


def main() -> None:
    args = evaluation_parser("training.photo_light.evaluate", __doc__, "faces", "portraits").parse_args()
    _, others, meshes = load_charts(args.faces, args.portraits, args.out / "charts.npz")
    trial = open_trial(Lit(others, open_lamps(meshes, np.random.default_rng(1)), COUNT))
    engine = OnnxRuntimeEngine(args.model, threads=1)
    (light,) = in_chunks(lambda **given: engine.run(given).values(), 32, textures=trial.textures)
    for name, value in figures(light, trial).items():
        print(f"{name:12s} {value:.3f}")
    cv2.imwrite(str(args.out / "evaluation.png"), before_and_after(light, trial))


if __name__ == "__main__":
    main()
