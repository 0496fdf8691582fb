"""Measure contenders on clips: stability and motion of the output compared with the input."""

from __future__ import annotations

import math

import numpy as np

from rtswap.app.networks import FaceModels
from rtswap.commands.evaluate.clips import Clip, Swap, find_swapped_face
from rtswap.commands.evaluate.expression import NAMES, correlation, gain, series
from rtswap.commands.evaluate.landmark_judge import LandmarkJudge
from rtswap.commands.evaluate.naturalness import lid_darkness
from rtswap.commands.evaluate.pose import Meshes, rotations, turns_between
from rtswap.commands.evaluate.steadiness import flicker, jitter, warp_errors

FEWEST_FRAMES = 12
MOVES = 0.01
"""Minimum standard deviation of an input series, in inter-ocular distances; below it correlation and gain measure
noise."""

CLOSED = 0.85
"""Largest opening of closed eyes, as a share of how far they open in the clip: networks read blinks smaller."""


def film_figures(clip: Clip, swaps: list[Swap], judge: LandmarkJudge, models: FaceModels) -> list[dict[str, float]]:
    """Return one row of figures for each swap of the clip, measured in the same crops, placed by the input. Raises
    InputError if there is no face in the first frame."""
    guides = judge.guides(clip.images, find_swapped_face(clip, swaps[0], models))
    before = judge.through(clip.images, guides)
    return [_row(clip, swap, before, judge.through(swap.images, guides)) for swap in swaps]


def _row(clip: Clip, swap: Swap, before: Meshes, after: Meshes) -> dict[str, float]:
    keep = swap.sound
    row = {
        "frames": float(len(keep)),
        "swapped": float(swap.swapped.mean()),
        "covered": float(swap.covered.mean()),
    }
    if int((keep[:-2] & keep[1:-1] & keep[2:]).sum()) < FEWEST_FRAMES:
        return row
    size = clip.images[0].shape[1], clip.images[0].shape[0]
    turns = turns_between(rotations(before[keep], size), rotations(after[keep], size))
    warps, flickers = (how(clip.images, swap.images, keep) for how in (warp_errors, flicker))
    row |= {
        "jitter": jitter(after, keep=keep) / max(jitter(before, keep=keep), 1e-9),
        "warp": warps[1] / max(warps[0], 1e-6),
        "flicker": flickers[1] / max(flickers[0], 1e-6),
        "pose_moving": float(np.linalg.norm(turns - turns.mean(0), axis=1).mean()),
    }
    ins, outs = series(before[keep]), series(after[keep])
    for n, name in enumerate(NAMES):
        moved = float(ins[:, n].std()) >= MOVES
        row[name] = correlation(ins[:, n], outs[:, n]) if moved else math.nan
        row[f"{name}_gain"] = gain(ins[:, n], outs[:, n]) if moved else math.nan
    lids = ins[:, 2:4].mean(1)
    closed = np.flatnonzero(keep)[lids < CLOSED * np.percentile(lids, 90)]
    dark = [lid_darkness(swap.images[n], before[n]) - lid_darkness(clip.images[n], before[n]) for n in closed]
    row["lids"] = float(np.mean(dark)) if dark else math.nan
    return row
