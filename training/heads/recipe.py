"""Train the second detector: ``python -m training.heads --minutes 60 --faces DIR --portraits DIR --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--begin-from FILE`` begins with an exported network. On a CPU with AMX add ``--half``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import cv2
import torch
from torch import Tensor

from rtswap.training.recipe import Moment, Recipe, Terms
from rtswap.training.workers import from_workers
from training.heads.evaluate import Trial, answers_sheet, figures, open_split, open_trial
from training.heads.lures import load_or_find
from training.heads.network import WEIGHTS, Deployed, HeadNetwork, losses, to_ratios
from training.heads.samples import Scenes


class HeadRecipe(Recipe):
    name, default_rate, hold, trial_s, batch = "heads", 3e-3, 0.4, 240.0, 24
    weights, deployed_as = WEIGHTS, Deployed
    network_of: ClassVar[type[HeadNetwork]] = HeadNetwork

    def __init__(self, args: argparse.Namespace, source: Scenes, trial: Trial) -> None:
        super().__init__(self.network_of(), args)
        self._source, self._trial = source, trial

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        parser.add_argument("--portraits", type=Path, required=True, help="folder of portraits in rooms and streets")
        files = "exported networks; what they take for heads where none is will be shown more often"
        parser.add_argument("--lures", type=Path, nargs="+", metavar="FILE", help=files)
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        taught, kept_out = open_split(args)
        lures = load_or_find(taught[1], args.lures, args.out / "lures.npz") if args.lures else None
        yield Scenes(*taught, args.batch, lures), open_trial(*kept_out)

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        return from_workers(self._source, self.device, seed)

    def inputs(self, batch: list[Tensor]) -> tuple[Tensor, ...]:
        return (to_ratios(batch[0]).contiguous(memory_format=torch.channels_last),)

    def losses(self, batch: list[Tensor]) -> Terms:
        with self.autocast():
            answers = self.network(*self.inputs(batch))
        return losses([part.float() for part in answers], batch[1])

    def averaged_over(self, moment: Moment) -> float:
        return min(500, super().averaged_over(moment))

    def trial(self, picture: Path) -> dict[str, float]:
        found = self.answers(picture=self._trial.pictures)
        cv2.imwrite(str(picture), answers_sheet(self._trial, found))
        return figures(found, self._trial)


RECIPE = HeadRecipe
