"""Train the network that looks around a swapped face: ``python -m training.neighbours --minutes 30 --faces DIR
--portraits DIR --out DIR --begin-from rtswap/assets/heads.onnx``.

The same network as the second detector's, taught on squares in which the swapped face is painted out. Stops after the
given minutes of training, counted over all runs; run it again to go on from the last checkpoint. On a CPU with AMX
add ``--half``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtswap.networks.heads import decode
from training.arrays import Floats
from training.heads.evaluate import Trial, answers_sheet, open_split
from training.heads.recipe import HeadRecipe
from training.heads.samples import SHALL
from training.neighbours.people import alone, in_rooms
from training.neighbours.samples import BesideSampler, Surroundings

COUNT = 768
ALARMS = 0.005
"""Share of squares with nobody in them in which somebody may be found: the figures are those at that threshold."""


class NeighbourRecipe(HeadRecipe):
    name, default_rate = "neighbours", 2e-3

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        source, other = (
            Surroundings(views, portraits, in_rooms(portraits), alone(views), args.batch)
            for views, portraits in open_split(args)
        )
        sampler = BesideSampler(other.views, other.portraits, other.rooms, other.heads, 12345)
        yield source, Trial(*next(sampler.batches(COUNT, again=1, keep=COUNT)))

    def trial(self, picture: Path) -> dict[str, float]:
        found = self.answers(picture=self._trial.pictures)
        cv2.imwrite(str(picture), answers_sheet(self._trial, found))
        return figures(found, self._trial)


def figures(answers: list[Floats], trial: Trial) -> dict[str, float]:
    """``threshold``: the score above which ``ALARMS`` of the squares with nobody show somebody; ``found``: share of
    the faces that shall be found and score as much."""
    alone_, shall = [], []
    for row, heads in enumerate(trial.heads):
        boxes = decode([part[row] for part in answers], 0.02)
        there = heads[heads[:, 3] > 0]
        if not len(there):
            alone_.append(boxes[:, 4].max(initial=0.0))
        middles = (boxes[:, :2] + boxes[:, 2:4]) / 2
        for x, y, height, kind in there:
            if kind == SHALL:
                near = np.hypot(middles[:, 0] - x, middles[:, 1] - y) < 0.6 * height + 3
                shall.append(boxes[near, 4].max(initial=0.0))
    threshold = float(np.quantile(alone_, 1 - ALARMS))
    return {"threshold": threshold, "found": float(np.mean(np.array(shall) > threshold))}


RECIPE = NeighbourRecipe
