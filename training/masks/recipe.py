"""Train the occlusion network: ``python -m training.masks --minutes 40 --faces DIR --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--begin-from FILE`` begins with an exported network. On a GPU add ``--pool 65536 --workers 4 --batch 512``, on a
CPU with AMX ``--half``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from rtswap.training.recipe import Moment, Recipe, Terms
from training.batches import add_pool_arguments, open_batches
from training.masks.evaluate import answers_sheet, figures, open_trial
from training.masks.network import WEIGHTS, Deployed, OcclusionNetwork, losses, to_input
from training.masks.samples import Batch, Faces, open_views
from training.masks.things import load_or_cut


class MaskRecipe(Recipe):
    name, default_rate, hold, trial_s = "masks", 2e-3, 0.5, 150.0
    weights, deployed_as = WEIGHTS, Deployed

    def __init__(self, args: argparse.Namespace, source: Faces, trial: Batch) -> None:
        super().__init__(OcclusionNetwork(), args)
        self._source, self._trial = source, trial

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        parser.add_argument("--views", type=Path, help="folder with the landmark training's views, to share them")
        parser.add_argument("--clips", type=Path, nargs="*", default=[], help="clips to cut real hands from")
        add_pool_arguments(parser)
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        hands = load_or_cut(args.clips, args.out / "hands.npz")
        views, worn = open_views(args.faces, args.views or args.out, validation=False)
        kept_out, theirs = open_views(args.faces, args.views or args.out, validation=True)
        yield Faces(views, hands, worn, args.batch), open_trial(kept_out, hands, theirs)

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        return open_batches(self._source, self.args, seed)

    def inputs(self, batch: list[Tensor]) -> tuple[Tensor, ...]:
        return (to_input(*batch[:2]).contiguous(memory_format=torch.channels_last),)

    def losses(self, batch: list[Tensor]) -> Terms:
        with self.autocast():
            logits = self.network(*self.inputs(batch))
        return losses(logits.float(), *(part.float() / 255 for part in batch[2:]))

    def averaged_over(self, moment: Moment) -> float:
        return min(500, super().averaged_over(moment))

    def trial(self, picture: Path) -> dict[str, float]:
        (visible,) = self.answers(crops=self._trial.crops, guides=self._trial.guides)
        cv2.imwrite(str(picture), answers_sheet(self._trial, visible))
        return figures(visible, self._trial)


RECIPE = MaskRecipe
