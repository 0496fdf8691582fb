"""Frozen networks that look at what the generator makes: whose face it is, and where its points are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rtswap.networks.landmarks import place
from training.imported import weights_from
from training.landmarks.network import Deployed as DeployedLandmarks
from training.landmarks.network import LandmarkNetwork, to_input
from training.landmarks.views import Views
from training.one.network import SIZE
from training.one.pool import Batch
from training.recognition.network import Deployed as DeployedRecognition
from training.recognition.network import RecognitionNetwork

CORNERS = (33, 133), (362, 263)
"""Of the left and of the right eye."""

JITTER_PX, JITTER_TONE = 1.5, 0.08
"""What the recogniser is shown is moved and toned at random: one fixed view of a small network is easily fooled."""


class Watchers:
    """``recognition``, ``landmarks``: the networks that ship, as ONNX."""

    def __init__(self, recognition: Path, landmarks: Path, device: str) -> None:
        self._recognition, self._landmarks = RecognitionNetwork(), LandmarkNetwork()
        weights_from(recognition, DeployedRecognition(self._recognition))
        weights_from(landmarks, DeployedLandmarks(self._landmarks))
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


def sampled(pictures: Tensor, matrices: Tensor, size: int) -> Tensor:
    """(N, 3, size, size) of ``pictures`` (N, 3, S, S) under ``matrices`` (N, 2, 3), pixels to pixels."""
    side = pictures.shape[-1]
    line = torch.arange(size, dtype=torch.float32, device=matrices.device)
    (a, b, c), (d, e, f) = ([column[:, None, None] for column in row.unbind(1)] for row in matrices.float().unbind(1))
    across, down = line[None, None, :] - c, line[None, :, None] - f
    turn = a * e - b * d  # the inverse of a 2 x 2 matrix, by hand: a solver would wait for the device
    places = torch.stack([(e * across - b * down) / turn, (a * down - d * across) / turn], -1)
    grid = (places + 0.5) * (2 / side) - 1
    return nn.functional.grid_sample(pictures, grid.to(pictures.device), align_corners=False, padding_mode="border")
