"""The recogniser that ships identifies the generator's faces, in training and in the held-out trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rtswap.drawing.sheet import draw_pictures
from rtswap.networks.landmarks import place
from rtswap.training.identity import IdentityLoss, Recogniser, sample
from rtswap.training.layers import to_input
from rtswap.training.recogniser import SIZE
from training.arrays import Bytes
from training.landmarks.views import Views
from training.refiner.losses import psnr, refine, see, step, unevenness
from training.refiner.network import Refiner
from training.refiner.pairs import Pairs
from training.refiner.pool import Batch, Pool


class Watcher:
    """The recogniser that ships, and its losses and figures of a face."""

    def __init__(self, device: str) -> None:
        self._recogniser = Recogniser().to(device)
        self._loss = IdentityLoss(self._recogniser)
        self._device = device

    @torch.no_grad()
    def people(self, views: Views) -> Tensor:
        """(P, 128) whose face it is in each person's own picture, both ways round."""
        rows = [self._look(views.images[start : start + 64], views.meshes[start : start + 64])
                for start in range(0, views.people, 64)]  # fmt: skip
        return torch.cat(rows)[: views.people]

    def _look(self, images: np.ndarray, meshes: np.ndarray) -> Tensor:
        pictures = to_input(torch.from_numpy(np.array(images)).to(self._device))
        matrices = [place(mesh, SIZE) for mesh in meshes]
        crops = sample(pictures, torch.from_numpy(np.stack([m for m in matrices if m is not None])), SIZE)
        both = self._recogniser.embed(crops) + self._recogniser.embed(crops.flip(3))
        return nn.functional.normalize(both, dim=1)

    def who(self, pictures: Tensor, known: Tensor) -> Tensor:
        """(N, 128) of unit length. ``known`` (N, 2, 3): the generator's crop -> the recogniser's."""
        return self._recogniser(pictures, known)

    def identity(self, picture: Tensor, batch: Batch, people: Tensor) -> Tensor:
        """How unlike the source's person a face is, and unlike itself before it was damaged."""
        return self._loss(picture, batch.known, people[batch.source], batch.clean)


SHOWN, ACROSS = 24, 4


@dataclass(frozen=True)
class Trial:
    """Pairs of people kept out of training."""

    pool: Pool
    hard: Pairs
    """Badly lit sources; always the same ones are shown."""
    watcher: Watcher
    people: Tensor
    """(P, 128) whose face is whose."""

    def figures(self, network: Refiner) -> dict[str, float]:
        """Of the refined face, and with ``_mesh`` of what it was given. ``psnr``: dB against the truth in cells of 2
        px; ``who``: cosine to the source's person by the recogniser that also watches the training; ``step``,
        ``chroma``, ``shade`` as in ``losses``. All but the first of pairs without a truth."""
        found: dict[str, list[Tensor]] = {}
        for rows in torch.arange(self.pool.count, device=self.pool.device).chunk(8):
            batch = self.pool.batch(rows)
            logs = network(*batch.given)
            for end, said in (("", logs), ("_mesh", torch.zeros_like(logs))):
                view = see(batch, said)
                uneven = unevenness(view.tones, view)
                picture = refine(batch.composite, batch.mask, said)
                who = (self.watcher.who(picture, batch.known) * self.people[batch.source]).sum(1)
                for name, values, of in (
                    ("psnr", psnr(view.tones, view.truth, view.mask * batch.visible), batch.known_truth),
                    ("who", who, ~batch.known_truth),
                    ("step", step(view), ~batch.known_truth),
                    ("chroma", uneven.chroma, ~batch.known_truth),
                    ("shade", uneven.shade, ~batch.known_truth),
                ):
                    found.setdefault(name + end, []).append(values[of])
        return {name: float(torch.cat(values).mean()) for name, values in found.items()}

    def picture(self, network: Refiner) -> Bytes:
        """Hard pairs, each as mesh | refined."""
        pairs = self.hard
        rows = np.arange(min(SHOWN, len(pairs)))
        batch = Pool.of(pairs, self.pool.device).batch(torch.from_numpy(rows).to(self.pool.device))
        output = refine(batch.composite, batch.mask, network(*batch.given))
        made = ((output.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
        shown = zip(pairs.composite[rows], made, strict=True)
        return draw_pictures((np.hstack(both) for both in shown), columns=ACROSS)
