"""HEAR-Net: brings back what AEI-Net loses of a target, say a hand before the face.

Facts from Li et al. 2019 and taotaonice/FaceShifter at 376b09e: a U-Net sees the swap and the error that AEI-Net
makes when it gives the target to itself. It learns without labels, on faces before which something was pasted:
identity, little change, and the target itself where source and target are one person. Changed: it adds to the swap,
and begins by adding nothing.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.identity import Recogniser, seen_part
from rtswap.training.layers import to_input
from rtswap.training.recipes.faceshifter.network import Aei, Bound, Dims, Step
from rtswap.training.recogniser import SIZE

CLUTTERED = 0.75
"""Share of the faces before which something is pasted."""
PLACES, RISE = 5, 0.6
"""Random numbers along a side from which a pasted shape comes, and how far they must rise for it to be there."""


class Hear(nn.Module):
    """Swaps and errors (N, 3, R, R) -> swaps."""

    def __init__(self, downs: tuple[int, ...], ups: tuple[int, ...], unshuffle: int) -> None:
        super().__init__()
        self.downs = nn.ModuleList(Step(a, b, bias=True) for a, b in pairwise((6 * unshuffle**2, *downs)))
        inputs = [downs[-1], *(up + down for up, down in zip(ups, downs[-2::-1], strict=True))]
        self.ups = nn.ModuleList(Step(a, b, up=True, bias=True) for a, b in zip(inputs, ups, strict=False))
        self.picture = nn.Conv2d(inputs[-1], 3 * unshuffle**2, 3, 1, 1)
        nn.init.zeros_(self.picture.weight)
        nn.init.zeros_(self.picture.bias)  # type: ignore[arg-type]
        self._unshuffle = unshuffle

    @classmethod
    def of(cls, dims: Dims) -> Hear:
        """taotaonice's, or small."""
        if dims.shuffle == 1:
            return cls((64, 128, 256, 512, 512), (512, 256, 128, 64), 1)
        return cls((32, 48, 64, 96), (64, 48, 32), dims.unshuffle)

    def forward(self, swapped: Tensor, error: Tensor) -> Tensor:
        """Mend."""
        x = functional.pixel_unshuffle(torch.cat([swapped, error], 1), self._unshuffle)
        passed = []
        for down in self.downs:
            x = down(x)
            passed.append(x)
        passed.pop()
        for up in self.ups:
            x = torch.cat([up(x), passed.pop()], 1)
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return swapped + functional.pixel_shuffle(self.picture(x), self._unshuffle)


class Embedder(nn.Module):
    """Faces (N, 3, R, R), placed by a template -> embeddings, without landmarks."""

    def __init__(self, recogniser: Recogniser, template: str, side: int) -> None:
        super().__init__()
        self.recogniser = recogniser
        self._columns, self._rows = seen_part(template, side)

    def forward(self, faces: Tensor) -> Tensor:
        """Embed."""
        part = faces[..., self._rows, self._columns]
        return self.recogniser.embed(functional.interpolate(part, size=(SIZE, SIZE), mode="bilinear"))


def find_lost(aei: Aei, embedder: Embedder, faces: Tensor) -> Tensor:
    """``faces`` (N, 3, R, R) less what AEI-Net makes of them with their own identity."""
    return faces - aei(faces, aei.bind(faces, embedder(faces)))


class MendedFrameGraph(nn.Module):
    """As ``FrameGraph``, mended."""

    def __init__(self, aei: Aei, hear: Hear, embedder: Embedder) -> None:
        super().__init__()
        self.aei, self.hear, self.embedder = aei, hear, embedder

    def forward(self, face: Tensor, identity: Tensor, start: Tensor) -> Tensor:
        """Swap and mend."""
        faces = to_input(face)
        made = self.hear(self.aei(faces, Bound(identity, start)), find_lost(self.aei, self.embedder, faces))
        return ((made.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1)


def clutter(faces: Tensor) -> Tensor:
    """Faces (N, 3, R, R), ``CLUTTERED`` of them with a piece of another picture, upside down, before them."""
    count, side = len(faces), faces.shape[-1]
    heights = functional.interpolate(torch.randn(count, 1, PLACES, PLACES), size=side, mode="bicubic")
    there = torch.rand(count, 1, 1, 1) < CLUTTERED
    shape = ((heights - RISE) * 8).clamp(0, 1) * there
    return faces + shape.to(faces) * (faces.roll(1, 0).flip(2) - faces)
