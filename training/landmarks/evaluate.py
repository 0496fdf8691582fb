"""How good the network is, on people kept out of training and in time.

    python -m training.landmarks.evaluate --faces DIR --teacher FILE --out DIR --model rtswap/assets/landmarks.onnx

Errors are mean distances in the picture plane in percent of the inter-ocular distance. ``plain`` and ``jittered``
are judged against the teacher (the mean of six looks), ``yaw45`` against that mesh turned to 45 degrees with its
picture, ``occluded`` with a fifth of the face covered, hidden points included. ``expressive``: renderings with other
expressions; of openings and the mouth's width also the correlation with the truth and the slope over it. ``still`` is
how far points move under sensor noise (sigma 3) on a face of 300 px; latency is one crop's, median of 300 runs, with
two threads.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtswap.commands.evaluate.expression import NAMES, correlation, gain, series
from rtswap.core.protocols import Engine
from rtswap.drawing.sheet import draw_pictures
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.landmarks import MeshLandmarks, place
from rtswap.training.onnx_files import in_chunks
from rtswap.training.pictures import read_picture
from rtswap.vision.geometry import transform
from rtswap.vision.resample import warped
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE
from training.arguments import evaluation_parser
from training.arrays import Bytes, Floats, Rows
from training.landmarks.network import SIZE
from training.landmarks.rendering import View
from training.landmarks.samples import Batch, Sampler, move
from training.landmarks.teacher import Labels, eye_distance, is_validation, load_or_label
from training.landmarks.views import build, one_view, yaw_of


def open_trials(faces: Path, labels: Labels, people: Rows, cache: Path) -> dict[str, Batch]:
    """``plain``, ``jittered``, ``yaw45``, ``occluded`` (one ellipse over a fifth of the face) and ``absent``."""
    rng = np.random.default_rng(20)
    images = [read_picture(faces / str(labels.names[p])) for p in people]
    meshes = labels.meshes[people].copy()
    meshes[:, :, 2] -= meshes[:, :, 2].mean(axis=1, keepdims=True)
    looks = [View(i, m, np.ones(468, bool)) for i, m in zip(images, meshes, strict=True)]
    turned = [_turn(look, angle) for look in looks for angle in (-45.0, 45.0)]
    trials = {
        "plain": _batch(looks, rng, 0.0),
        "jittered": _batch([look for look in looks for _ in range(3)], rng, 1.0),
        "yaw45": _batch(turned, rng, 0.5),
        "occluded": _batch(looks, rng, 0.5),
    }
    occluded = trials["occluded"]
    for crop, points, visible in zip(occluded.crops, occluded.points, occluded.visible, strict=True):
        _cover_fifth(crop, points, visible, images[int(rng.integers(len(images)))], rng)
    views = build(faces, labels, people, 3, cache)
    trials["mixed"] = next(Sampler(views, 5).batches(512))
    absent = ~(trials["mixed"].present > 0)
    more = [next(Sampler(views, seed).batches(512)) for seed in (6, 7, 8)]
    crops = np.concatenate([trials["mixed"].crops[absent], *[b.crops[~(b.present > 0)] for b in more]])
    nothing = np.zeros((len(crops), 468), np.float32)
    trials["absent"] = Batch(crops, np.zeros((len(crops), 468, 3), np.float32), nothing, nothing[:, 0])
    return trials


def expressive(faces: Path, labels: Labels, people: Rows, each: int = 3) -> Batch:
    """``each`` pictures of every person with another expression and a small turn: are openings read as they are?"""
    rng, looks = np.random.default_rng(23), []
    for person in people:
        image, mesh = read_picture(faces / str(labels.names[person])), labels.meshes[person].copy()
        mesh[:, 2] -= mesh[:, 2].mean()
        for _ in range(each):
            yaw, pitch = float(rng.normal(0, 8)) + yaw_of(mesh), float(rng.normal(0, 6))
            looks.append(one_view(image, mesh, yaw, pitch, rng))
    return _batch(looks, rng, 0.3)


def errors(found: Floats, points: Floats) -> Floats:
    """(N, 468) distances in the picture plane, in percent of the inter-ocular distance."""
    apart = np.linalg.norm(found[..., :2] - points[..., :2], axis=-1)
    return np.asarray(100 * apart / eye_distance(points)[:, None], np.float32)


def _turn(look: View, yaw: float) -> View:
    view = one_view(look.image, look.mesh, yaw + yaw_of(look.mesh), 0.0)
    view.mesh[:, 2] -= view.mesh[:, 2].mean()
    return view


def _batch(looks: list[View], rng: np.random.Generator, strength: float) -> Batch:
    """Crops placed off by up to 12 % of their side, a scale of 0.8..1.25 and 25 degrees, times ``strength``."""
    size = SIZE
    crops = np.empty((len(looks), size, size, 3), np.uint8)
    points, visible = np.empty((len(looks), 468, 3), np.float32), np.empty((len(looks), 468), np.float32)
    for i, look in enumerate(looks):
        matrix = place(look.mesh, size)
        assert matrix is not None
        shift, zoom = rng.uniform(-0.12, 0.12, 2) * strength, float(np.exp(rng.uniform(-0.22, 0.22) * strength))
        matrix = move(matrix, size, shift, zoom, float(rng.uniform(-25, 25) * strength))
        crops[i] = warped(look.image, matrix, (size, size))
        points[i] = transform(matrix, look.mesh)
        visible[i] = look.visible
    return Batch(crops, points, visible, np.ones(len(looks), np.float32))


def _cover_fifth(
    crop: Bytes, points: Floats, visible: Floats, scrap: Bytes,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """An ellipse with another picture's texture over 20 % of the face's area, about a random point of it."""
    hull = cv2.convexHull(np.ascontiguousarray(points[:, :2]))
    area = 0.2 * cv2.contourArea(hull)
    shape = np.exp(rng.uniform(-0.5, 0.5))
    axes = np.sqrt(area / np.pi) * np.array([shape, 1 / shape])
    middle = points[:, :2].mean(axis=0) + rng.uniform(-0.3, 0.3, 2) * np.ptp(points[:, :2], axis=0)
    mask = np.zeros(crop.shape[:2], np.uint8)
    at, reach = ((round(float(pair[0])), round(float(pair[1]))) for pair in (middle, axes))
    cv2.ellipse(mask, at, reach, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    texture = cv2.resize(scrap[100:180, 80:160], crop.shape[1::-1])
    crop[mask > 0] = texture[mask > 0]
    xy = np.clip(np.round(points[:, :2]), 0, crop.shape[0] - 1).astype(int)
    visible[mask[xy[:, 1], xy[:, 0]] > 0] = 0


def points_sheet(crops: Bytes, points: Floats, visibility: Floats, presence: Floats, zoom: int = 2) -> Bytes:
    """A sheet of crops with their points: green seen, red hidden; a red frame where no face is believed."""
    tiles = []
    for crop, mesh, seen, sure in zip(crops, points, visibility, presence, strict=True):
        tile = np.asarray(cv2.resize(crop, None, fx=zoom, fy=zoom), np.uint8)
        for (x, y, _), open_ in zip(mesh, seen, strict=True):
            centre = (round((float(x) + 0.5) * zoom), round((float(y) + 0.5) * zoom))
            cv2.circle(tile, centre, 1, (0, 255, 0) if open_ > 0.5 else (60, 60, 255), -1)
        if sure < 0.5:
            cv2.rectangle(tile, (0, 0), (tile.shape[1] - 1, tile.shape[0] - 1), (0, 0, 255), 4)
        tiles.append(tile)
    return draw_pictures(tiles, columns=8)


REGIONS = {
    "eyelids": [*LEFT_EYE, *RIGHT_EYE],
    "lips": [*LIPS_OUTER, *LIPS_INNER],
    "brows": [*LEFT_BROW, *RIGHT_BROW],
    "oval": OVAL,
}


def answers(engine: Engine, crops: Bytes) -> list[Floats]:
    """Points, visibility and presence."""
    return in_chunks(lambda **given: engine.run(given).values(), 32, crops=crops)


def expressions_read(engine: Engine, trial: Batch) -> dict[str, list[float]]:
    """Correlation with the truth and slope over it, of each measure."""
    found, truth = series(answers(engine, trial.crops)[0]), series(trial.points)
    return {
        name: [round(correlation(truth[:, n], found[:, n]), 3), round(gain(truth[:, n], found[:, n]), 3)]
        for n, name in enumerate(NAMES)
    }


def accuracy(engine: Engine, trials: Mapping[str, Batch]) -> dict[str, Any]:
    """Every error and rate, by trial."""
    figures: dict[str, Any] = {}
    right, total = 0, 0
    for name, batch in trials.items():
        points, visibility, presence = answers(engine, batch.crops)
        there = batch.present > 0.5
        right += int(((presence > 0.5) == there).sum())
        total += len(there)
        figures[f"presence_right_{name}"] = round(float(((presence > 0.5) == there).mean()), 4)
        if name == "absent":
            continue
        each = errors(points[there], batch.points[there])
        depth = 100 * np.abs(points - batch.points)[there][..., 2] / eye_distance(batch.points[there])[:, None]
        figures[name] = {
            "mean": round(float(each.mean()), 2),
            "p95_of_faces": round(float(np.percentile(each.mean(axis=1), 95)), 2),
            **{region: round(float(each[:, rows].mean()), 2) for region, rows in REGIONS.items()},
            "depth": round(float(depth.mean()), 2),
            "visibility_right": round(float(((visibility > 0.5) == (batch.visible > 0.5))[there].mean()), 4),
        }
    figures["presence_right"] = round(right / total, 4)
    return figures


def stillness(engine: Engine, images: list[Bytes], meshes: Floats, sigma: float = 3.0) -> float:
    """RMS distance in pixels that points move around their mean under fresh noise, on faces of 300 px."""
    rng = np.random.default_rng(1)
    model, moves = MeshLandmarks(engine), []
    for image, mesh in zip(images, meshes, strict=True):
        zoom = 300 / float(np.ptp(mesh[:, 1]))
        large = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        start = (mesh * zoom).astype(np.float32)
        noisy = [np.clip(large + rng.normal(0, sigma, large.shape), 0, 255).astype(np.uint8) for _ in range(12)]
        found = np.stack([model.find(picture, [start])[0].points[:, :2] for picture in noisy])
        moves.append(float(np.sqrt(((found - found.mean(axis=0)) ** 2).sum(axis=-1).mean())))
    return float(np.mean(moves))


def latency_ms(engine: Engine, runs: int = 300) -> dict[str, float]:
    """Milliseconds for one crop."""
    crops = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        engine.run({"crops": crops})
        times.append(1e3 * (time.perf_counter() - start))
    settled = times[runs // 10 :]
    summary = {"min": min(settled), "p50": float(np.median(settled)), "p95": float(np.percentile(settled, 95))}
    return {name: round(value, 2) for name, value in summary.items()}


def main() -> None:
    parser = evaluation_parser("training.landmarks.evaluate", __doc__, "faces", "teacher")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    labels = load_or_label(args.faces, args.teacher, args.out / "labels.npz")
    people = np.flatnonzero((labels.spread < 0.05) & [is_validation(str(name)) for name in labels.names])
    trials = open_trials(args.faces, labels, people, args.out / "views-validation")
    trials["expressive"] = expressive(args.faces, labels, people)
    engines: list[Engine] = [OnnxRuntimeEngine(args.model)]
    try:
        from rtswap.engines.openvino import OpenVinoEngine

        engines.append(OpenVinoEngine(args.model))
    except ImportError:
        print("openvino is not installed: its latency is not measured")
    figures: dict[str, Any] = {
        "people": len(people),
        "processor": platform.processor(),
        **accuracy(engines[0], trials),
        "expressions_read": expressions_read(engines[0], trials["expressive"]),
    }
    some = people[:10]
    images = [read_picture(args.faces / str(labels.names[p])) for p in some]
    figures["still_px"] = round(stillness(engines[0], images, labels.meshes[some]), 3)
    for engine in engines:
        figures[f"latency_ms_{engine.name}"] = latency_ms(engine)
    if len(engines) > 1:
        crops = trials["plain"].crops[:16]
        found = [np.array(engine.run({"crops": crops})["points"]) for engine in engines]
        figures["engines_differ_px"] = round(float(np.abs(found[0] - found[1]).max()), 4)
    text = json.dumps(figures, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
