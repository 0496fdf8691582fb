"""Train the glasses network: ``python -m training.glasses --minutes 60 --faces DIR --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--begin-from FILE`` begins with an exported network; ``--traced FILE`` adds people who really wear glasses, whose
frames ``training.glasses.trace`` found. On a CPU with AMX add ``--half``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
from torch import Tensor

from rtswap.training.layers import to_input
from rtswap.training.recipe import Recipe, Terms
from rtswap.training.workers import from_workers
from training.glasses.evaluate import answers_sheet, figures, open_trial
from training.glasses.network import WEIGHTS, Deployed, GlassesNetwork, losses
from training.glasses.samples import Batch, Strips
from training.glasses.trace import load_traced
from training.masks.samples import open_views


class GlassesRecipe(Recipe):
    name, default_rate, hold, trial_s = "glasses", 2e-3, 0.5, 240.0
    weights, deployed_as = WEIGHTS, Deployed

    def __init__(self, args: argparse.Namespace, source: Strips, trial: Batch) -> None:
        super().__init__(GlassesNetwork(), args)
        self._source, self._trial = source, trial

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        parser.add_argument("--views", type=Path, help="folder with the landmark training's views, to share them")
        parser.add_argument("--traced", type=Path, help="frames of real glasses, from training.glasses.trace")
        parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        views, worn = open_views(args.faces, args.views or args.out, validation=False)
        kept_out, theirs = open_views(args.faces, args.views or args.out, validation=True)
        yield Strips(views, worn, load_traced(args.traced), args.batch), open_trial(kept_out, theirs)

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        return from_workers(self._source, self.args.device, seed, self.args.workers)

    def inputs(self, batch: list[Tensor]) -> tuple[Tensor, ...]:
        return (to_input(batch[0]),)

    def losses(self, batch: list[Tensor]) -> Terms:
        with self.autocast():
            frames, worn = self.network(*self.inputs(batch))
        truth, weights, wears = batch[1].float() / 255, batch[2].float() / 255, batch[3].float()
        return losses(frames.float(), worn.float(), truth, weights, wears)

    def trial(self, picture: Path) -> dict[str, float]:
        (frames,) = self.answers(strips=self._trial.strips)
        cv2.imwrite(str(picture), answers_sheet(self._trial, frames))
        return figures(frames, self._trial)


RECIPE = GlassesRecipe
