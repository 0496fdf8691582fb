"""The generator ``refiner-128``: 1.0 M parameters, 0.4 GMAC for a 128 px crop, and the encoder of the source's photo.

FaceShifter's adaptive attentional denormalisation (Li et al. 2020) in small: at 32 and 16 px each block's
features are scaled and shifted either as the target asks (maps made of its low-passed face) or as the source asks
(a vector that the encoder computed once from the photo), and a gate decides place by place whom to follow. What
comes out is a bounded difference to the face that ``mesh`` made. A second look, the idea of its HEAR-Net, compares
what was made with the target as it is: where they differ as no two faces do, something is before the face.

``refiner-256`` is ``refiner-128`` at half the size with a finer level on top, and takes the same source.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rtswap.swappers.refiner.crop_view import SIZE, ZERO
from rtswap.swappers.refiner.swapper import STYLE
from rtswap.training.layers import Residual, conv, to_input

MOST = 0.6
"""Largest difference, where pictures go from -1 to 1: 76 levels of 255."""
WIDTHS = 16, 48, 112
"""Channels at 64, 32 and 16 px."""
MIDDLE, DEEP = 2, 3
"""Blocks at 32 and at 16 px."""
TOLD = 32, 48
"""Channels of the target's maps at 32 and 16 px."""
LOOKING = 16, 40
"""Channels of the second look at 64 and 32 px."""
FINE = 32
"""Channels of the finer level of ``refiner-256`` at 128 px."""
DOUBT = 0.1
"""Probabilities this near to 0 or 1 count as such."""
assert 2 * (DEEP * WIDTHS[2] + MIDDLE * WIDTHS[1]) == STYLE


class Gated(nn.Module):
    """A residual block (N, C, H, W) -> the same, told what to do by target and source. Begins as the identity."""

    def __init__(self, channels: int, told: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels, affine=False)
        )
        self.asked = nn.Conv2d(told, 2 * channels, 1)
        self.gate = nn.Conv2d(channels, 1, 1)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        nn.init.normal_(self.asked.weight, std=0.02)
        nn.init.zeros_(self.asked.bias)
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: Tensor, target: Tensor, style: Tensor) -> Tensor:
        """``target`` (N, told, H, W), ``style`` (N, 2 C)."""
        features = self.first(x)
        by_target, by_source = self.asked(target), style[:, :, None, None]
        asked = by_target + torch.sigmoid(self.gate(features)) * (by_source - by_target)
        scale, shift = asked.split(features.shape[1], 1)
        return torch.relu(x + self.second(torch.relu(features * (1 + scale) + shift)))


class Wider(nn.Module):
    """(N, C, H, W) -> (N, C', 2 H, 2 W)"""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.spread = nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 1, bias=False), nn.BatchNorm2d(4 * outputs))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.spread(x), 2)


class Difference(nn.Module):
    """Features (N, C, H, W) -> (N, 3, 2 H, 2 W) within +-MOST, next to nothing at first.

    It is smoothed by a kernel that knows no waves of 2 px: patterns of the last layer's places.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.last = nn.Conv2d(channels, 12, 3, 1, 1)
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("smooth", (line[:, None] * line).expand(3, 1, 3, 3).clone())
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            self.last.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        bounded = nn.functional.pixel_shuffle(MOST * torch.tanh(self.last(x).float()), 2)
        return nn.functional.conv2d(bounded, self.smooth, padding=1, groups=3)


class SecondLook(nn.Module):
    """What was made of a face (N, 3, S, S), the target as it is and the mask (N, 1, S, S) -> logits (N, 1, S, S):
    whether the face may be shown here."""

    def __init__(self) -> None:
        super().__init__()
        fine, deep = LOOKING
        self.enter, self.down = conv(7, fine, 4, 2), conv(fine, deep, 3, 2)
        self.deep = nn.Sequential(Residual(deep, 0.5), Residual(deep, 0.5))
        self.wider, self.leave = Wider(deep, fine), nn.Conv2d(fine, 4, 3, 1, 1)
        nn.init.constant_(self.leave.bias, 2.0)

    def forward(self, picture: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        first = self.enter(torch.cat([target, target - picture, mask], 1))
        x = torch.relu(self.wider(self.deep(self.down(first))) + first)
        return nn.functional.pixel_shuffle(self.leave(x).float(), 2)


class Made(NamedTuple):
    residual: Tensor
    """(N, 3, S, S) within +-MOST, to be added where the mask is."""
    kept: Tensor
    """(N, 1, S, S) logits: whether the face may be shown here."""
    features: Tensor
    """(N, C, S / 2, S / 2) what the difference was made of, for a level on top."""


class Generator(nn.Module):
    """Most of it happens at 32 and 16 px, where CPUs convolve best; at 64 px it is made fine."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, deep = WIDTHS
        self.enter, self.down, self.deeper = conv(7, fine, 4, 2), conv(fine, middle, 3, 2), conv(middle, deep, 3, 2)
        self.told = nn.ModuleList([conv(4, TOLD[0], 6, 4), conv(TOLD[0], TOLD[1], 3, 2)])
        self.deep = nn.ModuleList(Gated(deep, TOLD[1]) for _ in range(DEEP))
        self.wider, self.middle = Wider(deep, middle), nn.ModuleList(Gated(middle, TOLD[0]) for _ in range(MIDDLE))
        self.widest, self.fine = Wider(middle, fine), Residual(fine, 0.5)
        self.leave = Difference(fine)
        self.second_look = SecondLook()

    def forward(self, composite: Tensor, lowered: Tensor, target: Tensor, mask: Tensor, style: Tensor) -> Made:
        """Pictures (N, 3, 128, 128) -1..1, ``mask`` (N, 1, 128, 128) 0..1, ``style`` (N, STYLE)."""
        told = self.told[0](torch.cat([lowered, mask], 1))
        told_deep = self.told[1](told)
        first = self.enter(torch.cat([composite, lowered, mask], 1))
        second = self.down(first)
        parts = list(style.split([2 * WIDTHS[2]] * DEEP + [2 * WIDTHS[1]] * MIDDLE, 1))
        x = self.deeper(second)
        for block, part in zip(self.deep, parts[:DEEP], strict=True):
            x = block(x, told_deep, part)
        x = torch.relu(self.wider(x) + second)
        for block, part in zip(self.middle, parts[DEEP:], strict=True):
            x = block(x, told, part)
        x = self.fine(torch.relu(self.widest(x) + first))
        residual = self.leave(x)
        picture = composite + mask * residual.detach()  # how it is mended is not the second look's to say
        return Made(residual, self.second_look(picture, target, mask), x)


class FineGenerator(nn.Module):
    """``refiner-256``. What it does at 128 px is ``coarse``'s; a level at 128 and 256 px adds nothing at first.

    ``coarse`` stays as it is while this learns: only the finer level has gradients.
    """

    def __init__(self) -> None:
        super().__init__()
        self.coarse = Generator().requires_grad_(False)
        self.enter, self.widest = conv(7, FINE, 4, 2), Wider(WIDTHS[0], FINE)
        self.fine = nn.Sequential(Residual(FINE, 0.5), Residual(FINE, 0.5))
        self.leave = Difference(FINE)
        nn.init.zeros_(self.leave.last.weight)

    def train(self, mode: bool = True) -> FineGenerator:
        super().train(mode)
        self.coarse.eval()
        return self

    def forward(self, composite: Tensor, lowered: Tensor, target: Tensor, mask: Tensor, style: Tensor) -> Made:
        """Pictures (N, 3, 256, 256) -1..1, ``mask`` (N, 1, 256, 256) 0..1, ``style`` (N, STYLE)."""
        halves = (nn.functional.avg_pool2d(one, 2) for one in (composite, lowered, target, mask))
        made: Made = self.coarse(*halves, style)
        first = self.enter(torch.cat([composite, lowered, mask], 1))
        x = self.fine(torch.relu(self.widest(made.features) + first))
        residual, kept = (
            nn.functional.interpolate(one, scale_factor=2.0, mode="bilinear", align_corners=False)
            for one in (made.residual, made.kept)
        )
        return Made((residual + self.leave(x)).clamp(-MOST, MOST), kept, x)


class Encoder(nn.Module):
    """(N, 3, 128, 128) -1..1, the source's photo in the network's crop -> (N, STYLE). Run once per source."""

    def __init__(self, length: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 32, 6, 4), conv(32, 64, 3, 2), conv(64, 128, 3, 2), conv(128, 128))
        self.code = nn.Sequential(nn.Linear(256, length), nn.LayerNorm(length), nn.ReLU(inplace=True))
        self.style = nn.Linear(length, STYLE)
        nn.init.normal_(self.style.weight, std=0.005)
        nn.init.zeros_(self.style.bias)

    def forward(self, photo: Tensor) -> Tensor:
        maps = self.body(photo).flatten(2)
        style: Tensor = self.style(self.code(torch.cat([maps.mean(2), maps.amax(2)], 1)))
        return style


class Refiner(nn.Module):
    """Both, as they are trained."""

    def __init__(self, size: int = SIZE) -> None:
        """``size``: 128 or 256."""
        super().__init__()
        self.size = size
        self.encoder = Encoder().requires_grad_(size == SIZE)
        self.generator = Generator() if size == SIZE else FineGenerator()

    def train(self, mode: bool = True) -> Refiner:
        super().train(mode)
        self.encoder.train(mode and self.size == SIZE)
        return self

    def forward(self, composite: Tensor, lowered: Tensor, target: Tensor, mask: Tensor, photo: Tensor) -> Made:
        """``photo`` (N, 3, 128, 128), the others as the generator's."""
        made: Made = self.generator(composite, lowered, target, mask, self.encoder(photo))
        return made


class DeployedGenerator(nn.Module):
    """What is exported: ``composite``, ``lowered``, ``target`` (1, S, S, 3), ``mask`` (1, S, S) uint8 and ``style``
    (1, STYLE) -> ``made`` (1, S, S, 4) float32, all in 0..255: the difference + 128, and how far the face may be
    shown."""

    def __init__(self, generator: Generator | FineGenerator, strength: float = 1.0) -> None:
        """``strength``: how much of the difference is said."""
        super().__init__()
        self.generator, self.strength = generator, strength

    def forward(self, composite: Tensor, lowered: Tensor, target: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        share = mask[:, None].float() / 255
        made = self.generator(*(to_input(one) for one in (composite, lowered, target)), share, style)
        sure = (torch.sigmoid(made.kept) - DOUBT) / (1 - 2 * DOUBT)
        said = 127.5 * self.strength * made.residual + ZERO
        return torch.cat([said, 255 * sure.clamp(0, 1)], 1).permute(0, 2, 3, 1)


class DeployedEncoder(nn.Module):
    """What is exported: ``photo`` (1, 128, 128, 3) uint8 -> ``style`` (1, STYLE)."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, photo: Tensor) -> Tensor:
        style: Tensor = self.encoder(to_input(photo))
        return style


class Critic(nn.Module):
    """(N, 3, S, S) -1..1 -> (N, 1, S / 8, S / 8): how real each patch of 38 px looks."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(128, 1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.body(x)
        return score
