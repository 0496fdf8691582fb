"""Train the network that finds the light on a photo's skin: ``python -m training.photo_light --minutes 60 --faces DIR
--portraits DIR --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--begin-from FILE`` begins with an exported network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from rtswap.training.recipe import Recipe, Terms
from rtswap.training.workers import from_workers
from training.photo_light.evaluate import Trial, before_and_after, figures, open_trial
from training.photo_light.network import WEIGHTS, Deployed, PhotoLightNetwork, losses, to_logs
from training.photo_light.samples import Lit, load_charts, open_lamps


class PhotoLightRecipe(Recipe):
    name, default_rate, hold, trial_s, batch = "photo_light", 2e-3, 0.4, 300.0, 16
    weights, deployed_as = WEIGHTS, Deployed

    def __init__(self, args: argparse.Namespace, source: Lit, trial: Trial) -> None:
        super().__init__(PhotoLightNetwork(), args)
        self._source, self._trial = source, trial

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        parser.add_argument("--portraits", type=Path, required=True, help="folder of portraits, 1024 px")
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        taught, others, meshes = load_charts(args.faces, args.portraits, args.out / "charts.npz")
        lamps = open_lamps(meshes, np.random.default_rng(0))
        print(f"{len(taught)} evenly lit faces, {len(others)} kept out, {len(lamps)} lamps", flush=True)
        yield Lit(taught, lamps, args.batch), open_trial(Lit(others, lamps, args.batch))

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        return from_workers(self._source, self.device, seed)

    def inputs(self, batch: list[Tensor]) -> tuple[Tensor, ...]:
        return (to_logs(batch[0]),)

    def losses(self, batch: list[Tensor]) -> Terms:
        with self.autocast():
            found = self.network(*self.inputs(batch))
        truth, seen = batch[1].float().permute(0, 3, 1, 2), batch[2].unsqueeze(1).float() / 255
        return losses(found.float(), truth, seen)

    def trial(self, picture: Path) -> dict[str, float]:
        (light,) = self.answers(textures=self._trial.textures)
        cv2.imwrite(str(picture), before_and_after(light, self._trial))
        return figures(light, self._trial)


RECIPE = PhotoLightRecipe
