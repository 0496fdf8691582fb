"""Makes ``rtswap/assets/mean_features.png``: how the mean face's skin differs from its own light.

    python -m training.mean_texture --faces ../shared/faces

Frontal shared faces are unrolled; of each, the logarithm relative to its low frequencies is taken, so that tone and
light count nothing; then the mean over all of them and their mirror images, as 128 x 128 factors, 128 = 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from rtswap.swappers.mesh.strength import FINE, LIGHT
from rtswap.swappers.mesh.uv_chart import COARSE, inwards, to_chart
from rtswap.vision.pose import pose_of
from rtswap.vision.resample import blurred, resized
from training.people import is_usable

MOST_TURN_DEG = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder with faces.npz and the pictures")
    parser.add_argument("--out", type=Path, default=Path("rtswap/assets/mean_features.png"))
    parser.add_argument("--most", type=int, default=400)
    arguments = parser.parse_args()
    with np.load(arguments.faces / "faces.npz") as data:
        names, meshes = data["name"].tolist(), data["mesh468"].astype(np.float32)
    inside = (inwards() > 0).astype(np.float32)[..., None]
    weight = blurred(inside, LIGHT)[..., None] + np.float32(1e-3)
    total, count = np.zeros((COARSE, COARSE, 3)), 0
    for name, mesh in zip(names, meshes, strict=True):
        pose = pose_of(mesh)
        if not is_usable(name) or max(abs(pose.yaw), abs(pose.pitch)) > MOST_TURN_DEG:
            continue
        image = to_chart(cv2.imread(str(arguments.faces / name)), mesh).image
        small = np.asarray(resized(image, (COARSE, COARSE), cv2.INTER_AREA), np.float32) + 4
        light = blurred(np.asarray(small * inside, np.float32), LIGHT) / weight
        features = np.log(np.maximum(blurred(small, FINE), 1) / np.maximum(light, 1))
        total += features + features[:, ::-1]
        count += 1
        if count >= arguments.most:
            break
    stored = np.clip(np.exp(total / (2 * count)) * 128 * (inside > 0) + 128 * (inside <= 0), 0, 255)
    cv2.imwrite(str(arguments.out), np.round(stored).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"the mean of {count} faces, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
