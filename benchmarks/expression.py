"""Does the swapped face do what the target's face does, and look where it looks?

    python benchmarks/expression.py --clips FOLDER --source PHOTO... [--teacher FILE] [--out FILE]

Every clip, and clips of personas that talk, blink and smile, are swapped with every source as files, all options at
their defaults. Input and output are looked at by another network than the one that made the swap, frame by frame
(see steadiness.py). What is measured:

``correlation`` and ``gain`` (slope of the output over the input) of mouth opening, mouth width, both eyes' opening
and brow height over the clip, all in inter-ocular distances; ``shift``: frames by which they correlate best.
``range``: standard deviation in the input. The judge's reading is the mean of three looks through wider and narrower
crops. ``ceiling``: how well it agrees with itself when it looks at the *input* through three others: where that is
low, the clip does not tell. ``pooled``: all clips' frames together, each clip around its own mean. ``told``: over the
clips whose ceiling is at least 0.95.
``pose_degrees``: angle between the poses of input and output by solvePnP; ``moving``: without its mean over the clip.
``identity``: cosine of dlib's network to the source with --expression 1 and 0.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from footage import (
    Clip,
    Judge,
    Meshes,
    Swap,
    config_for,
    generated,
    mesh_in,
    open_judge,
    read_clip,
    swap_clip,
    swapped_face,
)
from numpy.typing import NDArray

from rtswap.bench import machine
from rtswap.config import Config
from rtswap.eyes import Eyes, open_eyes
from rtswap.geometry import canonical, keypoints_of
from rtswap.pictures import read_image
from rtswap.protocols import Embedder
from rtswap.synthetic import AnimatedHead, Motion
from rtswap.topology import LEFT_EYE, RIGHT_EYE
from rtswap.types import Points

Series = NDArray[np.float64]

NAMES = ("mouth_opening", "mouth_width", "left_eye", "right_eye", "brow_height")
LIDS = ((160, 144), (159, 145), (158, 153)), ((387, 373), (386, 374), (385, 380))
BROWS = [70, 63, 105, 66, 107], [336, 296, 334, 293, 300]
CORNERS = [33, 133], [362, 263]
RIGID = [33, 133, 362, 263, 1, 4, 5, 6, 168, 195, 197, 129, 358, 98, 327, 10, 54, 284, 127, 356, 234, 454]
"""Eye corners, nose, forehead, temples: what expressions leave where it is."""
TOLD = 0.95
WIDTHS, OTHERS = (0.95, 1.0, 1.06), (0.92, 1.03, 1.1)
"""Of the judge's crops, and of those by which it is checked."""
IDENTITY_EVERY = 5


class SmilingHead(AnimatedHead):
    """It smiles with its mouth's width and corners, every two seconds."""

    def _moved(self, motion: Motion) -> Points:
        directions, rest = canonical().expression, self._mesh
        size = np.ptp(rest[:, 0]) / np.ptp(canonical().mesh[:, 0])
        smile = 0.5 - 0.5 * np.cos(2 * np.pi * motion.pitch / 0.2)  # at both ends of the nod
        self._mesh = (rest + size * smile * (0.18 * directions[1] + 0.07 * directions[2])).astype(np.float32)
        try:
            return super()._moved(motion)
        finally:
            self._mesh = rest


def measures(mesh: Points) -> list[float]:
    """The five of ``NAMES`` in inter-ocular distances, in 3-D, so that turning the head changes none of them."""
    eyes = [mesh[ring].mean(0) for ring in (LEFT_EYE, RIGHT_EYE)]
    unit = float(np.linalg.norm(eyes[0] - eyes[1]))
    opening, width = (float(np.linalg.norm(mesh[a] - mesh[b])) for a, b in ((13, 14), (61, 291)))
    lids = [float(np.mean([np.linalg.norm(mesh[a] - mesh[b]) for a, b in pairs])) for pairs in LIDS]
    brows = [
        np.linalg.norm(mesh[brow].mean(0) - mesh[corners].mean(0))
        for brow, corners in zip(BROWS, CORNERS, strict=True)
    ]
    return [value / unit for value in (opening, width, *lids, float(np.mean(brows)))]


def series(meshes: Meshes) -> Series:
    """(T, 5)"""
    return np.array([measures(mesh) for mesh in meshes], np.float64)


def correlation(one: Series, other: Series) -> float:
    """Of two (T,) series; 0 where one of them does not change."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-12 else 0.0


def gain(one: Series, other: Series) -> float:
    """Slope of ``other`` over ``one``."""
    a = one - one.mean()
    return float(a @ (other - other.mean())) / max(float(a @ a), 1e-12)


def shift(one: Series, other: Series, most: int = 3) -> int:
    """Frames by which ``other`` comes after ``one``, where they correlate best."""
    inner = one[most : len(one) - most]
    found = [correlation(inner, other[most + n : len(other) - most + n]) for n in range(-most, most + 1)]
    return int(np.argmax(found)) - most


def rotations(meshes: Meshes, size: tuple[int, int]) -> NDArray[np.float64]:
    """(T, 3, 3) pose of each mesh, by solvePnP against the canonical one. ``size``: (width, height)."""
    camera = np.array([[max(size), 0, size[0] / 2], [0, max(size), size[1] / 2], [0, 0, 1]], np.float64)
    model = canonical().mesh[RIGID].astype(np.float64)
    found = []
    for mesh in meshes:
        spread = float(np.linalg.norm(mesh[33, :2] - mesh[263, :2])) / float(np.linalg.norm(model[0] - model[3]))
        turn, place = np.zeros(3), np.array([0, 0, max(size) / max(spread, 1e-6)])
        place[:2] = (mesh[1, :2] - camera[:2, 2]) / max(size) * place[2]
        _, turn, _ = cv2.solvePnP(
            model, mesh[RIGID, :2].astype(np.float64), camera, None, turn, place, True, cv2.SOLVEPNP_ITERATIVE
        )
        found.append(cv2.Rodrigues(turn)[0])
    return np.array(found)


def turns_between(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3) rotation vectors, degrees, from poses ``one`` to ``other`` (T, 3, 3)."""
    between = np.einsum("tji,tjk->tik", one, other)
    return np.degrees([cv2.Rodrigues(turn)[0][:, 0] for turn in between])


def measure(ins: Meshes, again: Meshes, outs: Meshes, size: tuple[int, int]) -> dict[str, object]:
    """All figures of one swapped clip but identity's. ``again``: the input, looked at another time."""
    before, second, after = series(ins), series(again), series(outs)
    turns = turns_between(rotations(ins, size), rotations(outs, size))
    columns = range(len(NAMES))
    return {
        "correlation": _named([correlation(before[:, n], after[:, n]) for n in columns]),
        "gain": _named([gain(before[:, n], after[:, n]) for n in columns]),
        "shift": _named([shift(before[:, n], after[:, n]) for n in columns]),
        "range": _named([float(before[:, n].std()) for n in columns]),
        "ceiling": _named([correlation(before[:, n], second[:, n]) for n in columns]),
        "pose_degrees": {
            "mean": round(float(np.linalg.norm(turns, axis=1).mean()), 2),
            "moving": round(float(np.linalg.norm(turns - turns.mean(0), axis=1).mean()), 2),
            "offset_pitch_yaw_roll": np.round(turns.mean(0), 2).tolist(),
        },
    }


def identity(
    clip: Clip, swap: Swap, source: Path, eyes: Eyes, embedder: Embedder, judge: Judge, guides: Meshes
) -> list[float]:
    """Mean cosine to the source of ``swap``, and of the same clip swapped with --expression 0."""
    photo = read_image(source)
    wanted = embedder.embed(photo, keypoints_of(mesh_in(photo, eyes)))
    means = []
    for one in (swap, swap_clip(clip, config_for(source, expression=0.0), eyes, live=False)):
        frames = [n for n in range(0, len(one.images), IDENTITY_EVERY) if one.sound[n]]
        meshes = judge.through([one.images[n] for n in frames], guides[frames])
        found = [embedder.embed(one.images[n], keypoints_of(mesh)) for n, mesh in zip(frames, meshes, strict=True)]
        means.append(round(float(np.mean(np.array(found) @ wanted)), 4))
    return means


def pooled(rows: Sequence[tuple[Series, Series]]) -> dict[str, dict[str, float]]:
    """Of all clips' (T, 5) inputs and outputs, each around its own mean."""
    before, after = (np.concatenate([row[n] - row[n].mean(0) for row in rows]) for n in (0, 1))
    columns = range(len(NAMES))
    return {
        "correlation": _named([correlation(before[:, n], after[:, n]) for n in columns]),
        "gain": _named([gain(before[:, n], after[:, n]) for n in columns]),
    }


def told(rows: Sequence[dict], name: str) -> dict[str, float] | None:
    """Mean and least correlation over the clips that tell something of ``name``."""
    values = [row["correlation"][name] for row in rows if row["ceiling"][name] >= TOLD]
    if not values:
        return None
    return {"clips": len(values), "mean": round(float(np.mean(values)), 3), "least": round(min(values), 3)}


def _named(values: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in zip(NAMES, values, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--source", type=Path, nargs="+", required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    eyes = open_eyes(Config(), on_event=print)
    judge, embedder = open_judge(arguments.teacher, eyes), eyes.embedder()
    clips: list[Callable[[], Clip]] = [partial(read_clip, path) for path in sorted(arguments.clips.iterdir())]
    clips += [partial(generated, "ben", eyes, seconds=6), partial(generated, "dan", eyes)]
    clips += [partial(generated, "carl", eyes, kind=SmilingHead)]
    rows, pairs = [], []
    for made in clips:
        clip, guides = made(), None
        for source in arguments.source:
            swap = swap_clip(clip, config_for(source), eyes, live=False)
            if guides is None:
                guides = judge.guides(clip.images, swapped_face(clip, swap, eyes))
                ins, again = (judge.through_several(clip.images, guides, widths) for widths in (WIDTHS, OTHERS))
            outs, keep = judge.through_several(swap.images, guides, WIDTHS), swap.sound
            row = {"clip": clip.name, "source": source.stem}
            row |= measure(ins[keep], again[keep], outs[keep], clip.images[0].shape[1::-1])
            pairs.append((series(ins[keep]), series(outs[keep])))
            if embedder is not None:
                row["identity"] = identity(clip, swap, source, eyes, embedder, judge, guides)
            rows.append(row)
            print(json.dumps(row), flush=True)
    figures = {
        "command": "python benchmarks/expression.py --clips FOLDER --source PHOTO... --teacher FILE",
        "judge": judge.name,
        "pooled": pooled(pairs),
        "told": {name: told(rows, name) for name in NAMES},
        "pose_degrees": {
            name: round(float(np.mean([row["pose_degrees"][name] for row in rows])), 2) for name in ("mean", "moving")
        },
        "identity_falls": round(float(np.mean([row["identity"][1] - row["identity"][0] for row in rows])), 4)
        if embedder is not None
        else None,
        "clips": rows,
        "machine": machine(),
    }
    print(json.dumps({name: figures[name] for name in figures if name != "clips"}, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
