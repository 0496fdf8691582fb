"""Measure jitter and flicker of swapped clips against their input clips.

    python benchmarks/steadiness.py --clips FOLDER --source PHOTO... [--teacher FILE] [--out FILE]

Every clip is swapped with every source, as a file and as a live stream with the recorded times, with default options.
Input and output are then measured by another network than the one that made the swap (``--teacher``: MediaPipe's face
mesh as ONNX; without it our own, frame by frame), both through the same crops, which follow the input's face smoothed
over time. Figures:

``jitter``: mean second difference of the landmarks over the inter-ocular distance, output / input, also by region.
``warp``: mean difference of a frame to the previous one warped by the input's optical flow, inside the swapped
pixels, output / input. ``flicker``: mean second difference of the mean Lab colour there, output / input.
``bare``: frames in which the face is visible but less than a quarter of its landmarks was replaced or covered.
``still``: a portrait under sensor noise (sigma 3): jitter of the tracked mesh over that of the network alone.
``lag_frames``: delay of the tracked mesh on a portrait that moves by half a face width per second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
from arguments import arguments_of
from clips import config_for, swap_clip
from results_file import tell

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
from rtswap.app.program import Program
from rtswap.commands.bench.machine import machine
from rtswap.commands.evaluate.clips import (
    FPS,
    Clip,
    Swap,
    find_swapped_face,
    make_clip,
    mesh_in,
    read_clip,
)
from rtswap.commands.evaluate.landmark_judge import open_judge
from rtswap.commands.evaluate.pixels import change_mask
from rtswap.commands.evaluate.pose import Meshes
from rtswap.commands.evaluate.steadiness import EVERYWHERE, flicker, jitter, warp_errors
from rtswap.commands.evaluate.study import share_replaced
from rtswap.core.types import Frame, Image, Quality
from rtswap.vision import topology
from rtswap.vision.geometry import interocular
from rtswap.vision.talking_head import persona

BARE = 0.25
"""Share of the landmarks. If fewer change, the result is the target's face with make-up."""
WARM_UP = 15
"""Frames at the start of the still and the moving portrait that are ignored."""
NOSE = [1, 2, 4, 5, 6, 168, 195, 197, 48, 278, 64, 294, 98, 327, 129, 358]
REGIONS = {
    "all": list(EVERYWHERE),
    "brows": [*topology.LEFT_BROW, *topology.RIGHT_BROW],
    "eyes": [*topology.LEFT_EYE, *topology.RIGHT_EYE],
    "nose": NOSE,
    "mouth": [*topology.LIPS_OUTER, *topology.LIPS_INNER],
    "oval": topology.OVAL,
}
"""Landmarks by part of the face."""


def measure(clip: Clip, swap: Swap, ins: Meshes, outs: Meshes) -> dict[str, object]:
    """Return all figures of one swapped clip. ``ins``, ``outs``: the judge's landmarks in its input and output."""
    keep = swap.sound
    shares = [
        share_replaced(change_mask(a, b), mesh) for a, b, mesh in zip(clip.images, swap.images, ins, strict=True)
    ]
    bare = ~swap.covered & (np.array(shares) < BARE)
    warps, flickers = (how(clip.images, swap.images, keep) for how in (warp_errors, flicker))
    return {
        "frames": len(keep),
        "swapped": round(float(swap.swapped.mean()), 4),
        "covered": round(float(swap.covered.mean()), 4),
        "bare": int(bare.sum()),
        "jitter_in": round(jitter(ins, REGIONS["all"], keep), 5),
        "jitter": {n: round(jitter(outs, r, keep) / jitter(ins, r, keep), 3) for n, r in REGIONS.items()},
        "warp": round(warps[1] / max(warps[0], 1e-6), 3),
        "flicker": round(flickers[1] / max(flickers[0], 1e-6), 3),
        "flicker_levels": [round(value, 3) for value in flickers],
    }


def track(images: Sequence[Image], models: FaceModels) -> tuple[Meshes, Meshes]:
    """Return the meshes of the tracker, and of the network alone, each started from its own previous mesh."""
    config = Config()
    tracker = Program(config, on_event=print, models=models).tracker()
    smooth, alone, guide = [], [], mesh_in(images[0], models)
    for index, image in enumerate(images):
        tracks = tracker.update(Frame(image, index, index / FPS, index / FPS), Quality())
        smooth.append(tracks[0].landmarks)
        guide = models.landmarks.find(image, [guide])[0].points
        alone.append(guide)
    return np.array(smooth), np.array(alone)


def still_face(
    models: FaceModels, name: str, face_px: float, sigma: float = 3.0, frames: int = 90
) -> dict[str, float]:
    """Return the jitter of the tracked mesh over that of the network alone, without the first half second."""
    rng = np.random.default_rng(5)
    portrait = _still(name, models, face_px)
    images = [_noisy(portrait, sigma, rng) for _ in range(frames)]
    smooth, alone = (meshes[WARM_UP:] for meshes in track(images, models))
    return {
        region: round(jitter(smooth, points) / jitter(alone, points), 3) for region, points in REGIONS.items()
    } | {"network_px": round(jitter(alone, REGIONS["all"]) * interocular(alone[0]), 3)}


def lag(models: FaceModels, name: str, face_px: float, sigma: float = 1.0, speed: float = 0.5) -> dict[str, float]:
    """Return the delay of the tracked mesh in frames, by least squares over all points: behind the true position and
    behind the network alone. The face rests for half a second, then moves for 1.5 s. ``onset``: within the first 5
    frames."""
    rng = np.random.default_rng(6)
    portrait = _still(name, models, face_px)
    step = speed * face_px / FPS
    shifts = np.maximum(0, np.arange(60) - 15) * step
    images = [_noisy(_shift(portrait, shift), sigma, rng) for shift in shifts]
    smooth, alone = track(images, models)
    truth = alone[5:15, :, 0].mean() + shifts - shifts[:15].mean()
    late = (truth - smooth[:, :, 0].mean(1)) / step
    behind = (alone[:, :, 0].mean(1) - smooth[:, :, 0].mean(1)) / step
    return {
        "truth": round(float(late[25:].mean()), 3),
        "network": round(float(behind[25:].mean()), 3),
        "onset": round(float(late[16:21].max()), 3),
    }


def _still(name: str, models: FaceModels, face_px: float) -> Image:
    """Return a persona in a 720p frame."""
    portrait = persona(name)
    scale = face_px / float(np.ptp(mesh_in(portrait, models)[:, 0]))
    side = portrait.shape[0] * scale
    matrix = np.array([[scale, 0, 480 - side / 2], [0, scale, 380 - side / 2]], np.float32)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(portrait, (round(side), round(side)), interpolation=how)
    matrix[:, :2] = np.eye(2)
    return np.asarray(cv2.warpAffine(small, matrix, (1280, 720), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _shift(image: Image, shift: float) -> Image:
    matrix = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
    return np.asarray(
        cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _noisy(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(sigma)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def mean_of(rows: Sequence[dict], pick: Callable[[dict], float]) -> dict[str, float]:
    """Over the clips in which enough frames are without a cover."""
    values = [pick(row) for row in rows]
    return {"mean": round(float(np.nanmean(values)), 3), "worst": round(float(np.nanmax(values)), 3)}


def main() -> None:
    arguments = arguments_of(__doc__)
    models = open_models(Config(), on_event=print)
    judge = open_judge(arguments.teacher, models)
    clips: list[Callable[[], Clip]] = [partial(read_clip, path) for path in sorted(arguments.clips.iterdir())]
    clips.append(partial(make_clip, "ben", models))
    rows = []
    for made in clips:
        footage, guides = made(), None
        for source in arguments.source:
            for live in (False, True):
                swap = swap_clip(footage, config_for(source), models, live=live)
                if guides is None:
                    guides = judge.guides(footage.images, find_swapped_face(footage, swap, models))
                    ins = judge.through(footage.images, guides)
                row = {"clip": footage.name, "source": source.stem, "live": live}
                rows.append(row | measure(footage, swap, ins, judge.through(swap.images, guides)))
                print(json.dumps(rows[-1]), flush=True)
    figures = {
        "command": "python benchmarks/steadiness.py --clips FOLDER --source PHOTO... --teacher FILE",
        "judge": judge.name,
        "jitter": {region: mean_of(rows, lambda row, r=region: row["jitter"][r]) for region in REGIONS},
        "warp": mean_of(rows, lambda row: row["warp"]),
        "flicker": mean_of(rows, lambda row: row["flicker"]),
        "covered": mean_of(rows, lambda row: row["covered"]),
        "bare_frames": sum(row["bare"] for row in rows),
        "still": {f"{name} {px} px": still_face(models, name, px) for name in ("ben", "ada") for px in (300, 70)},
        "lag_frames": {f"{name} {px} px": lag(models, name, px) for name in ("ben", "ada") for px in (300, 70)},
        "clips": rows,
        "machine": machine(),
    }
    tell(figures, arguments.out, unprinted="clips")


if __name__ == "__main__":
    main()
