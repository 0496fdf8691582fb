"""Train the landmark network: ``python -m training.landmarks --minutes 90 --faces DIR --teacher FILE --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--start FILE`` lets a new run begin with what fits of another run's checkpoint, say that of a smaller network;
``--begin-from FILE`` with an exported one. On a GPU add ``--pool 65536 --workers 8 --batch 512``, on a CPU with AMX
``--half --fresh --threads 1 --batch 64``: two cores learn from 300 samples a second.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from rtswap.training.checkpoint import read_checkpoint
from rtswap.training.layers import to_input
from rtswap.training.recipe import Recipe, Terms
from training.batches import add_pool_arguments, open_batches
from training.landmarks.evaluate import errors, open_trials, points_sheet
from training.landmarks.network import WEIGHTS, Deployed, LandmarkNetwork, losses, point_weights
from training.landmarks.samples import Batch, Shots
from training.landmarks.teacher import load_people
from training.landmarks.views import Views, build

QUICK = 128
"""Crops of each trial that are tried while training goes on."""
SHOWN = ("jittered", "yaw45", "occluded", "mixed", "absent")
FITTED = 80
"""Batches whose meshes a fresh network's last layer begins with."""


class LandmarkRecipe(Recipe):
    name, default_rate, threads, half_on_cuda = "landmarks", 1.5e-3, 2, False
    weights, deployed_as = WEIGHTS, Deployed
    network: LandmarkNetwork

    def __init__(self, args: argparse.Namespace, views: Views, trials: dict[str, Batch]) -> None:
        network = LandmarkNetwork()
        if args.start is not None:
            network.grow_from(read_checkpoint(args.start)["shadow"])
        super().__init__(network, args)
        self._views, self._trials = views, trials
        self._point_weights = point_weights().to(self.device)

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        parser.add_argument("--teacher", type=Path, required=True, help="facemesh.onnx")
        parser.add_argument("--start", type=Path, help="another run's checkpoint to begin with")
        parser.add_argument("--covered", type=float, default=0.5, help="share of faces with something before them")
        parser.add_argument("--fresh", action="store_true", help="no sample comes twice")
        parser.add_argument("--views", type=int, default=6, help="rendered views per person")
        add_pool_arguments(parser)
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        labels, taught, kept_out = load_people(args.faces, args.teacher, args.out / "labels.npz")
        views = build(args.faces, labels, taught, args.views, args.out / "views-train")
        yield views, open_trials(args.faces, labels, kept_out, args.out / "views-validation")

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        args = self.args
        covered = (1 - args.covered, 0.75 * args.covered, 0.25 * args.covered)
        return open_batches(Shots(self._views, covered, args.batch, args.fresh), args, seed)

    def inputs(self, batch: list[Tensor]) -> tuple[Tensor, ...]:
        return (to_input(batch[0]).contiguous(memory_format=torch.channels_last),)

    def prepare(self, batches: Iterator[list[Tensor]]) -> None:
        if self.args.start is None and self.args.begin_from is None:
            parts = [next(batches) for _ in range(FITTED)]
            meshes = torch.cat([points[present > 0] for _, points, _, present in parts]).cpu()
            self.network.cpu().start_from(meshes)
            self.network.to(self.device)
        super().prepare(batches)

    def losses(self, batch: list[Tensor]) -> Terms:
        _, points, visible, present = batch
        with self.autocast():
            seen = self.network.look(*self.inputs(batch))
        answers = self.network.read(*(part.float() for part in seen))
        return losses(answers, points, visible, present, self._point_weights)

    def trial(self, picture: Path) -> dict[str, float]:
        """Mean point error in percent per trial, and the share of wrong answers to "is there a face?"."""
        figures, right = {}, []
        for name, whole in self._trials.items():
            batch = whole.first(QUICK)
            points, _, presence = self.answers(crops=batch.crops)
            there = batch.present > 0.5
            right.append((presence > 0.5) == there)
            if name != "absent":
                figures[f"error_{name}"] = float(errors(points[there], batch.points[there]).mean())
        figures["presence_wrong"] = 1 - float(np.mean([right[-1].mean(), np.concatenate(right[:-1]).mean()])) + 1e-5
        crops = np.concatenate([self._trials[name].crops[:8] for name in SHOWN])
        cv2.imwrite(str(picture), points_sheet(crops, *self.answers(crops=crops)))
        return figures


RECIPE = LandmarkRecipe
