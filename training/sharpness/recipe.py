"""Train the sharpness network: ``python -m training.sharpness --minutes 30 --faces DIR --portraits DIR --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--begin-from FILE`` begins with an exported network. On a CPU with AMX add ``--half``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
from torch import Tensor

from rtswap.training.recipe import Recipe, Terms
from rtswap.training.workers import from_workers
from training.sharpness.evaluate import Trial, before_and_after, figures, open_trial, restore
from training.sharpness.network import WEIGHTS, Deployed, SharpnessNetwork, losses
from training.sharpness.samples import Faces, load_faces


class SharpnessRecipe(Recipe):
    name, default_rate, hold, trial_s, batch = "sharpness", 1.5e-3, 0.4, 300.0, 16
    weight_decay = 1e-4
    weights, deployed_as = WEIGHTS, Deployed

    def __init__(self, args: argparse.Namespace, source: Faces, trial: Trial) -> None:
        super().__init__(SharpnessNetwork(), args)
        self._source, self._trial = source, trial

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        parser.add_argument("--portraits", type=Path, required=True, help="folder of portraits, 1024 px")
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        taught, kept_out = (
            load_faces(args.faces, args.portraits, args.out / "portraits.npz", kept_out=out) for out in (False, True)
        )
        yield Faces(taught, args.batch), open_trial(kept_out)

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        return from_workers(self._source, self.device, seed)

    def inputs(self, batch: list[Tensor]) -> tuple[Tensor, ...]:
        return (batch[0].unsqueeze(1).float() / 255,)

    def losses(self, batch: list[Tensor]) -> Terms:
        (given,) = self.inputs(batch)
        with self.autocast():
            lacking = self.network(given)
        return losses(given + lacking.float(), batch[1].unsqueeze(1).float() / 255)

    def trial(self, picture: Path) -> dict[str, float]:
        made = restore(lambda crops: self.answers(crops=crops)[0], self._trial)
        cv2.imwrite(str(picture), before_and_after(made, self._trial))
        return figures(made, self._trial)


RECIPE = SharpnessRecipe
