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

import argparse
import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.commands.evaluate.expression import NAMES, correlation, gain, series
from rtswap.engines.telemetry import no_telemetry
from rtswap.networks.landmarks import MeshLandmarks
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE
from training.landmarks.faces import eye_distance, is_validation, load_or_label, mirror_permutation, read_picture
from training.landmarks.samples import Batch
from training.landmarks.trials import errors, expressive, held_out

SIZE = 128
REGIONS = {
    "eyelids": [*LEFT_EYE, *RIGHT_EYE],
    "lips": [*LIPS_OUTER, *LIPS_INNER],
    "brows": [*LEFT_BROW, *RIGHT_BROW],
    "oval": OVAL,
}


class OnnxRuntime:
    """An ``Engine`` for measuring."""

    name = "onnxruntime"

    def __init__(self, model: Path, threads: int = 2) -> None:
        with no_telemetry():
            import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        names = ("points", "visibility", "presence")
        return dict(zip(names, self._session.run(list(names), dict(inputs)), strict=True))


class OpenVino:
    """Another one; none of its settings but threads and fp32 arithmetic are touched."""

    name = "openvino"

    def __init__(self, model: Path, threads: int = 2) -> None:
        with no_telemetry():
            import openvino

        options = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request = openvino.Core().compile_model(str(model), "CPU", options).create_infer_request()

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self._request.infer(dict(inputs))
        return {name: self._request.get_tensor(name).data for name in ("points", "visibility", "presence")}


def answers(engine: Any, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Points, visibility and presence."""
    parts = []
    for start in range(0, len(crops), 32):
        outputs = engine.run({"crops": crops[start : start + 32]})
        parts.append([np.array(outputs[key]) for key in ("points", "visibility", "presence")])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def expressions_read(engine: Any, trial: Batch) -> dict[str, list[float]]:
    """Correlation with the truth and slope over it, of each measure."""
    found, truth = series(answers(engine, trial.crops)[0]), series(trial.points)
    return {
        name: [round(correlation(truth[:, n], found[:, n]), 3), round(gain(truth[:, n], found[:, n]), 3)]
        for n, name in enumerate(NAMES)
    }


def accuracy(engine: Any, trials: Mapping[str, Batch]) -> dict[str, Any]:
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


def stillness(engine: Any, images: list[NDArray[np.uint8]], meshes: NDArray[np.float32], sigma: float = 3.0) -> float:
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


def latency_ms(engine: Any, runs: int = 300) -> dict[str, float]:
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
    parser = argparse.ArgumentParser(prog="python -m training.landmarks.evaluate", description=__doc__)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the training's folder, for its caches")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    labels = load_or_label(args.faces, args.teacher, args.out / "labels.npz")
    people = np.flatnonzero((labels.spread < 0.05) & [is_validation(str(name)) for name in labels.names])
    trials = held_out(args.faces, labels, people, mirror_permutation(), args.out / "views-validation", SIZE)
    trials["expressive"] = expressive(args.faces, labels, people, SIZE)
    engines: list[OnnxRuntime | OpenVino] = [OnnxRuntime(args.model)]
    try:
        engines.append(OpenVino(args.model))
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
