"""Measure how well a swapped face follows the target's expression and pose.

    python benchmarks/expression.py --clips FOLDER --source PHOTO... [--teacher FILE] [--out FILE]

Every clip, and clips of personas that talk, blink and smile, are swapped with every source as files, with default
options. Two pictures of one person, NAME_neutral.jpg and NAME_smile.jpg, are a clip: at rest, then the other.
Input and output are measured frame by frame by another network than the one that made the swap (see
steadiness.py). Figures:

``correlation`` and ``gain`` (slope of the output over the input) of mouth opening, mouth width, both eyes' opening
and brow height over the clip, all in inter-ocular distances; ``shift``: frames by which they correlate best.
``range``: standard deviation in the input. The judge's reading is the mean over three wider and narrower crops.
``ceiling``: its agreement with itself on the *input* through three other crops; where that is low, the clip is not
conclusive. ``pooled``: all clips' frames together, each clip around its own mean. ``told``: over the clips with a
ceiling of at least 0.95.
``pose_degrees``: angle between the poses of input and output by solvePnP; ``moving``: without its mean over the clip.
``identity``: cosine of dlib's network to the source with --expression 1 and 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from arguments import arguments_of
from clips import config_for, swap_clip
from results_file import tell

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
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
from rtswap.commands.evaluate.expression import NAMES, Series, correlation, gain, series
from rtswap.commands.evaluate.landmark_judge import LandmarkJudge, open_judge
from rtswap.commands.evaluate.pose import Meshes, rotations, turns_between
from rtswap.core.protocols import Embedder
from rtswap.core.types import Image, Points
from rtswap.vision.geometry import canonical, keypoints_of
from rtswap.vision.images import read_image
from rtswap.vision.talking_head import AnimatedHead, Motion

TOLD = 0.95
WIDTHS, OTHERS = (0.95, 1.0, 1.06), (0.92, 1.03, 1.1)
"""Scales of the judge's crops, and of the crops that check it."""
IDENTITY_EVERY = 5
FEWEST_FRAMES = 12
RESTING, STATE_FRAMES = "_neutral", 15


class SmilingHead(AnimatedHead):
    """A persona that smiles every two seconds, by the width and corners of its mouth."""

    def _move(self, motion: Motion) -> Points:
        directions, rest = canonical().expression, self._mesh
        size = np.ptp(rest[:, 0]) / np.ptp(canonical().mesh[:, 0])
        smile = 0.5 - 0.5 * np.cos(2 * np.pi * motion.pitch / 0.2)  # at both ends of the nod
        self._mesh = (rest + size * smile * (0.18 * directions[1] + 0.07 * directions[2])).astype(np.float32)
        try:
            return super()._move(motion)
        finally:
            self._mesh = rest


def read_states(rest: Path) -> Clip:
    """A clip of half a second at rest, and half a second as in the other picture."""
    pictures = [read_image(rest.with_name(rest.name.replace(RESTING, state))) for state in (RESTING, "_smile")]
    images = [image for image in pictures for _ in range(STATE_FRAMES)]
    return Clip(rest.stem.removesuffix(RESTING), images, [number / FPS for number in range(len(images))])


def shift(one: Series, other: Series, most: int = 3) -> int:
    """Return the lag of ``other`` behind ``one`` in frames with the highest correlation, within ``most``."""
    inner = one[most : len(one) - most]
    found = [correlation(inner, other[most + n : len(other) - most + n]) for n in range(-most, most + 1)]
    return int(np.argmax(found)) - most


def through_several(judge: LandmarkJudge, images: Sequence[Image], guides: Meshes, widths: Sequence[float]) -> Meshes:
    """The mean of looks through crops of several ``widths``, relative to the usual: its own noise counts less."""
    middle = guides.mean(1, keepdims=True)
    looks = [judge.through(images, middle + width * (guides - middle)) for width in widths]
    return np.asarray(np.mean(looks, axis=0), np.float32)


def measure(ins: Meshes, again: Meshes, outs: Meshes, size: tuple[int, int]) -> dict[str, object]:
    """Return all figures of one swapped clip except identity. ``again``: a second reading of the input."""
    before, second, after = series(ins), series(again), series(outs)
    turns = turns_between(rotations(ins, size), rotations(outs, size))
    columns = range(len(NAMES))
    return {
        "correlation": _name([correlation(before[:, n], after[:, n]) for n in columns]),
        "gain": _name([gain(before[:, n], after[:, n]) for n in columns]),
        "shift": _name([shift(before[:, n], after[:, n]) for n in columns]),
        "range": _name([float(before[:, n].std()) for n in columns]),
        "ceiling": _name([correlation(before[:, n], second[:, n]) for n in columns]),
        "pose_degrees": {
            "mean": round(float(np.linalg.norm(turns, axis=1).mean()), 2),
            "moving": round(float(np.linalg.norm(turns - turns.mean(0), axis=1).mean()), 2),
            "offset_pitch_yaw_roll": np.round(turns.mean(0), 2).tolist(),
        },
    }


def identity(
    clip: Clip, swap: Swap, source: Path, models: FaceModels, embedder: Embedder, judge: LandmarkJudge, guides: Meshes
) -> list[float]:
    """Return the mean cosine to the source of ``swap``, and of the same clip swapped with --expression 0."""
    photo = read_image(source)
    wanted = embedder.embed(photo, keypoints_of(mesh_in(photo, models)))
    means = []
    for one in (swap, swap_clip(clip, config_for(source, expression=0.0), models, live=False)):
        frames = [n for n in range(0, len(one.images), IDENTITY_EVERY) if one.sound[n]]
        meshes = judge.through([one.images[n] for n in frames], guides[frames])
        found = [embedder.embed(one.images[n], keypoints_of(mesh)) for n, mesh in zip(frames, meshes, strict=True)]
        means.append(round(float(np.mean(np.array(found) @ wanted)), 4))
    return means


def pool(rows: Sequence[tuple[Series, Series]]) -> dict[str, dict[str, float]]:
    """Return the figures over all clips' (T, 5) inputs and outputs, each around its own mean."""
    before, after = (np.concatenate([row[n] - row[n].mean(0) for row in rows]) for n in (0, 1))
    columns = range(len(NAMES))
    return {
        "correlation": _name([correlation(before[:, n], after[:, n]) for n in columns]),
        "gain": _name([gain(before[:, n], after[:, n]) for n in columns]),
    }


def figures_of(rows: Sequence[dict], name: str) -> dict[str, float] | None:
    """Return mean and lowest correlation over the clips that are conclusive for ``name``."""
    values = [row["correlation"][name] for row in rows if row["ceiling"][name] >= TOLD]
    if not values:
        return None
    return {"clips": len(values), "mean": round(float(np.mean(values)), 3), "least": round(min(values), 3)}


def _name(values: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in zip(NAMES, values, strict=True)}


def main() -> None:
    arguments = arguments_of(__doc__)
    models = open_models(Config(), on_event=print)
    judge, embedder = open_judge(arguments.teacher, models), models.embedder()
    paths = sorted(arguments.clips.iterdir())
    clips: list[Callable[[], Clip]] = [
        partial(read_clip, path) for path in paths if path.suffix not in (".jpg", ".md")
    ]
    clips += [partial(read_states, path) for path in paths if path.stem.endswith(RESTING)]
    clips += [partial(make_clip, "ben", models, seconds=6), partial(make_clip, "dan", models)]
    clips += [partial(make_clip, "carl", models, kind=SmilingHead)]
    rows, pairs = [], []
    for made in clips:
        clip, guides = made(), None
        for source in arguments.source:
            swap = swap_clip(clip, config_for(source), models, live=False)
            if guides is None:
                guides = judge.guides(clip.images, find_swapped_face(clip, swap, models))
                ins, again = (through_several(judge, clip.images, guides, widths) for widths in (WIDTHS, OTHERS))
            keep = swap.sound
            if keep.sum() < FEWEST_FRAMES:
                print(f"{clip.name}, {source.stem}: a place is covered in nearly all frames; skipped", flush=True)
                continue
            outs = through_several(judge, swap.images, guides, WIDTHS)
            row = {"clip": clip.name, "source": source.stem}
            row |= measure(ins[keep], again[keep], outs[keep], clip.images[0].shape[1::-1])
            pairs.append((series(ins[keep]), series(outs[keep])))
            if embedder is not None:
                row["identity"] = identity(clip, swap, source, models, embedder, judge, guides)
            rows.append(row)
            print(json.dumps(row), flush=True)
    figures = {
        "command": "python benchmarks/expression.py --clips FOLDER --source PHOTO... --teacher FILE",
        "judge": judge.name,
        "pooled": pool(pairs),
        "told": {name: figures_of(rows, name) for name in NAMES},
        "pose_degrees": {
            name: round(float(np.mean([row["pose_degrees"][name] for row in rows])), 2) for name in ("mean", "moving")
        },
        "identity_falls": round(float(np.mean([row["identity"][1] - row["identity"][0] for row in rows])), 4)
        if embedder is not None
        else None,
        "clips": rows,
        "machine": machine(),
    }
    tell(figures, arguments.out, unprinted="clips")


if __name__ == "__main__":
    main()
