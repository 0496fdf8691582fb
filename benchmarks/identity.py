"""Whose face is it after the swap? Cosines to source and target and retrieval, by dlib's network, centred.

    python benchmarks/identity.py --faces FOLDER --pairs 200 --json out.json --sheet sheet.png

Sources and targets are different people, drawn by a fixed seed from a folder of photos; faces are found, swapped and
found again by the program's own networks. Retrieval: how often the swapped face is nearest to its source among all
sources. The judge is used for nothing else in the program's loop; needs the extra ``identity``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from rtswap.assemble import make_swap_model
from rtswap.bench import machine
from rtswap.compositing.cpu import CpuCanvas
from rtswap.config import Config
from rtswap.errors import RtswapError
from rtswap.eyes import open_eyes
from rtswap.geometry import keypoints_of, transform
from rtswap.pictures import PICTURE_SUFFIXES, read_image
from rtswap.source import load_source
from rtswap.types import AlignedFace, Image, Points, Quality

BEST = Quality(max_face_px=1024)


class Judged:
    """One photo with what the program's eyes see in it."""

    def __init__(self, path, eyes, embedder):
        self.path = path
        self.image = read_image(path)
        self.mesh = self.mesh_in(self.image, eyes)
        self.embedding = embedder.embed(self.image, keypoints_of(self.mesh))

    @staticmethod
    def mesh_in(image: Image, eyes) -> Points:
        found = eyes.photo_detector.detect(image)
        if not found:
            raise LookupError("no face")
        largest = max(found, key=lambda one: one.box[2] - one.box[0])
        mesh = eyes.landmarks.find(image, [largest.keypoints])[0]
        for _ in range(2):
            mesh = eyes.landmarks.find(image, [mesh.points])[0]
        if mesh.presence < 0.5:
            raise LookupError("no face")
        return mesh.points


SEEN = np.ones(468, np.float32)


def swapped(swapper, target: Judged) -> Image:
    matrix, size = swapper.view(target.mesh, BEST.max_face_px)
    canvas = CpuCanvas(target.image.copy())
    face = AlignedFace(0, canvas.crop(matrix, size), transform(matrix, target.mesh), SEEN, 0.0)
    result = swapper.swap(face, BEST)
    canvas.paste(result.crop, result.mask, matrix)
    return canvas.image()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--names", type=Path, help="file with one picture name a line: use only these")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    config = Config()
    eyes = open_eyes(config, on_event=print)
    embedder = eyes.embedder()
    if embedder is None:
        parser.error("the judge is missing: pip install 'rtswap[identity]'")
    model = make_swap_model(config, eyes)
    rng = np.random.default_rng(arguments.seed)
    paths = sorted(path for path in arguments.faces.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if arguments.names:
        wanted = set(arguments.names.read_text().split())
        paths = [path for path in paths if path.name in wanted]
    order = iter(rng.permutation(len(paths)))
    sources, targets, swappers, refused = [], [], [], 0
    while len(targets) < arguments.pairs:
        path = paths[next(order)]
        try:
            judged = Judged(path, eyes, embedder)
            if len(sources) == len(targets):
                source = load_source([path], detector=eyes.photo_detector, landmarks=eyes.landmarks, embedder=None)
                swappers.append(model.bind(source))
                sources.append(judged)
            else:
                targets.append(judged)
        except (RtswapError, LookupError):
            refused += 1
        except StopIteration:
            parser.error(f"only {len(targets)} pairs can be made of {len(paths)} pictures")
    results, embeddings, took = [], [], []
    for swapper, target in zip(swappers, targets, strict=True):
        began = time.perf_counter()
        results.append(swapped(swapper, target))
        took.append(time.perf_counter() - began)
        try:
            mesh = Judged.mesh_in(results[-1], eyes)
        except LookupError:
            mesh = target.mesh
        embeddings.append(embedder.embed(results[-1], keypoints_of(mesh)))
    out = np.array(embeddings)
    gallery = np.array([one.embedding for one in sources])
    to_source = (out * gallery).sum(1)
    to_target = (out * np.array([one.embedding for one in targets])).sum(1)
    figures = {
        "command": f"python benchmarks/identity.py --pairs {arguments.pairs} --seed {arguments.seed}",
        "judge": "dlib face recognition ResNet, centred",
        "pairs": len(targets),
        "photos_refused": refused,
        "cosine_to_source": summary(to_source),
        "cosine_to_target": summary(to_target),
        "margin": round(float((to_source - to_target).mean()), 4),
        "retrieval": round(float(((out @ gallery.T).argmax(1) == np.arange(len(out))).mean()), 4),
        "seconds_per_swap_median": round(float(np.median(took)), 4),
        "machine": machine(),
    }
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), sheet(sources, targets, results))


def summary(values) -> dict[str, float]:
    low, middle, high = np.percentile(values, (10, 50, 90))
    return {
        name: round(float(v), 4)
        for name, v in zip(("mean", "p10", "p50", "p90"), (values.mean(), low, middle, high), strict=True)
    }


def sheet(sources, targets, results, rows: int = 8, columns: int = 3, side: int = 160) -> Image:
    """Source, target, result, side by side."""
    triples = [
        np.hstack([cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in (s.image, t.image, r)])
        for s, t, r in list(zip(sources, targets, results, strict=True))[: rows * columns]
    ]
    triples += [np.zeros_like(triples[0])] * (-len(triples) % columns)
    return np.vstack([np.hstack(triples[at : at + columns]) for at in range(0, len(triples), columns)])


if __name__ == "__main__":
    main()
