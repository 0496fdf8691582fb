"""Frozen networks that look at what the generator makes: whose face it is, and where its points are. The held-out
trial asks them too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from rtswap.networks.landmarks import place
from rtswap.training.identity import sampled
from rtswap.training.layers import to_input
from rtswap.training.onnx_files import load_weights
from rtswap.training.pictures import sheet
from rtswap.training.recogniser import Deployed as DeployedRecognition
from rtswap.training.recogniser import RecognitionNetwork
from training.arrays import Bytes
from training.landmarks.network import Deployed as DeployedLandmarks
from training.landmarks.network import LandmarkNetwork
from training.landmarks.views import Views
from training.refiner.losses import psnr, refined
from training.refiner.network import SIZE, Refiner
from training.refiner.pairs import Pairs
from training.refiner.pool import Batch, Pool

CORNERS = (33, 133), (362, 263)
"""Of the left and of the right eye."""

JITTER_PX, JITTER_TONE = 1.5, 0.08
"""What the recogniser is shown is moved and toned at random: one fixed view of a small network is easily fooled."""


class Watchers:
    """``recognition``, ``landmarks``: the networks that ship, as ONNX."""

    def __init__(self, recognition: Path, landmarks: Path, device: str) -> None:
        self._recognition, self._landmarks = RecognitionNetwork(), LandmarkNetwork()
        load_weights(recognition, DeployedRecognition(self._recognition))
        load_weights(landmarks, DeployedLandmarks(self._landmarks))
        for network in (self._recognition, self._landmarks):
            network.eval().requires_grad_(False)
            network.to(device, memory_format=torch.channels_last)
        self._device = device

    def people(self, views: Views) -> Tensor:
        """(P, 128) whose face it is in each person's own picture, both ways round."""
        rows = [self._look(views.images[start : start + 64], views.meshes[start : start + 64])
                for start in range(0, views.people, 64)]  # fmt: skip
        return torch.cat(rows)[: views.people]

    @torch.no_grad()
    def _look(self, images: np.ndarray, meshes: np.ndarray) -> Tensor:
        pictures = to_input(torch.from_numpy(np.array(images)).to(self._device))
        matrices = [place(mesh, 96) for mesh in meshes]
        crops = sampled(pictures, torch.from_numpy(np.stack([m for m in matrices if m is not None])), 96)
        vectors = self._recognition(crops) + self._recognition(crops.flip(3))
        return nn.functional.normalize(vectors, dim=1)

    def who(self, pictures: Tensor, known: Tensor, *, jitter: bool = False) -> Tensor:
        """(N, 128) of unit length. ``known`` (N, 2, 3): the generator's crop -> the recogniser's."""
        if jitter:
            known = known.clone()
            known[:, :, 2] += JITTER_PX * torch.randn(len(known), 2, device=known.device)
            gain = 1 + JITTER_TONE * torch.randn(len(known), 3, 1, 1, device=known.device)
            pictures = ((pictures + 1) * gain - 1).clamp(-1, 1)
        return nn.functional.normalize(self._recognition(sampled(pictures, known, 96)), dim=1)

    def identity(self, picture: Tensor, batch: Batch, people: Tensor) -> dict[str, Tensor]:
        """``identity``: 1 - cosine to the source's person; ``keep``: to the undamaged face's, of two people's pairs.

        Only the coarse part of the change is shown: with all of it, colourful stripes of 4 px raised the cosine and
        nothing else."""
        cell = picture.shape[-1] // 32
        change = nn.functional.avg_pool2d(picture - batch.clean, cell)
        seen = batch.clean + nn.functional.interpolate(change, scale_factor=float(cell), mode="bilinear")
        made, given = self.who(seen, batch.known, jitter=True), self.who(batch.clean, batch.known)
        apart = 1 - (made * given.detach()).sum(1)
        cross = (~batch.known_truth).float()
        return {
            "identity": 1 - (made * people[batch.source]).sum(1).mean(),
            "keep": (apart * cross).sum() / cross.sum().clamp(min=1),
        }

    def landmarks(self, picture: Tensor, batch: Batch) -> dict[str, Tensor]:
        """``landmarks``: percent of the inter-ocular distance by which points left the undamaged face's."""
        points = self._landmarks(sampled(picture, batch.mesh, SIZE))[0]
        with torch.no_grad():
            before = self._landmarks(sampled(batch.clean, batch.mesh, SIZE))[0]
            left, right = ((before[:, a] + before[:, b]) / 2 for a, b in CORNERS)
            unit = (right - left).square().sum(1).sqrt().clamp(min=8)
        apart = (points - before)[..., :2].square().sum(2).add(1e-4).sqrt().mean(1) / unit
        return {"landmarks": 100 * apart.mean()}


SHOWN, ACROSS, ZOOM = 24, 3, 1.25


@dataclass(frozen=True)
class Trial:
    """Pairs of people kept out of training."""

    pool: Pool
    hard: Pairs
    """Badly lit sources; always the same ones are shown."""
    watchers: Watchers
    people: Tensor
    """(P, 128) whose face is whose."""

    def figures(self, network: Refiner) -> dict[str, float]:
        """``psnr_*``: dB against the truth where the swap shows, of the refined face and of what it was given;
        ``who_*``: cosine to the source's person by the small recogniser that also watches the training;
        ``open`` and ``hidden``: how far the face is shown where nothing, and where something, is before it."""
        names = ("psnr_one", "psnr_mesh", "who_one", "who_mesh", "open", "hidden")
        sums: dict[str, list[Tensor]] = {name: [] for name in names}
        for rows in torch.arange(self.pool.count, device=self.pool.device).chunk(8):
            batch = self.pool.batch(rows)
            output = refined(batch, network(*batch.given))
            shown, person, cross = batch.mask * batch.visible, self.people[batch.source], ~batch.known_truth
            for name, picture in (("one", output.picture), ("mesh", batch.composite)):
                sums[f"psnr_{name}"].append(psnr(picture, batch.truth, shown)[batch.known_truth])
                sums[f"who_{name}"].append((self.watchers.who(picture, batch.known) * person).sum(1)[cross])
            kept = torch.sigmoid(output.made.kept)
            sums["open"].append(kept[(batch.mask > 0.9) & (batch.visible > 0.9)])
            sums["hidden"].append(kept[(batch.mask > 0.9) & (batch.visible < 0.1)])
        return {name: float(torch.cat(values).mean()) for name, values in sums.items()}

    def picture(self, network: Refiner) -> Bytes:
        """Hard pairs, each as source | target | mesh | refined."""
        pairs = self.hard
        rows = np.arange(min(SHOWN, len(pairs)))
        batch = Pool.of(pairs, self.pool.device).batch(torch.from_numpy(rows).to(self.pool.device))
        output = refined(batch, network(*batch.given)).picture
        made = ((output.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
        photos = (cv2.resize(photo, made.shape[1:3]) for photo in pairs.photo[rows])
        shown = zip(photos, pairs.target[rows], pairs.composite[rows], made, strict=True)
        return sheet((np.hstack(four) for four in shown), ACROSS, gap=8, zoom=ZOOM * 128 / made.shape[1])
