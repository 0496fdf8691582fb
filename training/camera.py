"""What cameras and codecs do to a crop: light, colour, blur, noise, JPEG, too few pixels.

``degrade`` takes one crop on the CPU, ``Camera`` whole batches on a GPU; both apply the same changes with the same
probabilities. On a CPU ``Camera`` is 7 to 10 times as slow (one thread, 96 and 128 px: 1.0 and 1.7 ms a crop, and
0.15 and 0.18 by ``degrade``), so neither can replace the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rtswap.training.pictures import as_jpeg
from training.arrays import Bytes, Floats

TAPS = 13
_LUMA = (0.114, 0.587, 0.299)
_QUANTA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_COLOUR_QUANTA = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""
"""JPEG's own example tables for light and colour (ITU-T T.81, annex K)."""


def noise_bank(rng: np.random.Generator, size: int, count: int = 48) -> Floats:
    """(count, size, size, 3) unit noise, half of it fine, half of it coarse as after a camera's own compression."""
    bank = rng.standard_normal((count, size, size, 3), np.float32)
    for picture in bank[: count // 2]:
        soft = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 1.2)))
        picture[:] = soft / soft.std()
    return bank


def degrade(crop: Bytes, bank: Floats, rng: np.random.Generator) -> Bytes:
    """``crop`` (S, S, 3) as some webcam would have delivered it; at times untouched."""
    if rng.random() < 0.15:
        return crop
    if rng.random() < 0.15:
        crop = _fewer_pixels(crop, rng)
    if rng.random() < 0.2:
        crop = _blur(crop, rng)
    crop = np.asarray(cv2.LUT(crop, _curve(rng)), np.uint8)
    if rng.random() < 0.08:
        crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    lit, noisy = rng.random() < 0.25, rng.random() < 0.6
    if lit or noisy:
        crop = _light_and_noise(crop, lit, noisy, bank, rng)
    if rng.random() < 0.12:
        crop = as_jpeg(crop, int(rng.integers(15, 80)))
    return crop


def _curve(rng: np.random.Generator) -> Bytes:
    """(1, 256, 3) tone curves: exposure, contrast, gamma and a colour cast."""
    x = np.linspace(0, 1, 256)[:, None]
    dark = rng.random() < 0.08
    gain = (rng.uniform(0.25, 0.6) if dark else rng.uniform(0.65, 1.4)) * np.exp(rng.normal(0, 0.09, 3))
    curve = (np.clip(x * gain, 0, 1) ** rng.uniform(0.7, 1.4) - 0.4) * rng.uniform(0.75, 1.2) + 0.4
    curve = curve + rng.normal(0, 0.03)
    return np.asarray(np.clip(curve * 255, 0, 255).astype(np.uint8)[None])


def _fewer_pixels(crop: Bytes, rng: np.random.Generator) -> Bytes:
    side = crop.shape[0]
    small = max(20, int(side * rng.uniform(0.3, 0.8)))
    shrunk = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
    how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    return np.asarray(cv2.resize(shrunk, (side, side), interpolation=how), np.uint8)


def _blur(crop: Bytes, rng: np.random.Generator) -> Bytes:
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 2.2))), np.uint8)
    return np.asarray(cv2.filter2D(crop, -1, motion(int(rng.integers(2, 6)) * 2 + 1, rng)), np.uint8)


def motion(length: int, rng: np.random.Generator) -> Floats:
    """(length, length) the kernel of a straight motion of ``length`` (odd) pixels while the shutter was open."""
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = length // 2
    start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _light_and_noise(crop: Bytes, lit: bool, noisy: bool, bank: Floats, rng: np.random.Generator) -> Bytes:
    side = crop.shape[0]
    picture = crop.astype(np.float32)
    if lit:
        grid = rng.uniform(0.55, 1.5, (int(rng.integers(2, 4)), int(rng.integers(2, 4)))).astype(np.float32)
        picture *= cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR)[..., None]
    if noisy:
        noise = bank[rng.integers(len(bank))]
        y, x = rng.integers(0, noise.shape[0] - side + 1, 2)
        sigma = rng.uniform(1, 6) if rng.random() < 0.8 else rng.uniform(6, 15)
        picture += noise[y : y + side, x : x + side] * float(sigma)
    return np.clip(picture, 0, 255).astype(np.uint8)


class Camera:
    """Crops as some webcam would have delivered them; at times untouched. Shares are those of ``degrade``."""

    def __init__(self, bank: Tensor, dice: torch.Generator) -> None:
        """``bank`` (B, 3, S + 16, S + 16) unit noise on the device, ``dice`` on the device."""
        self._bank, self._dice, self._device = bank, dice, bank.device
        grid = torch.arange(8, device=self._device)
        cosines = torch.cos((2 * grid[None] + 1) * grid[:, None] * math.pi / 16) / 2
        cosines[0] /= math.sqrt(2)
        self._cosines = cosines
        tables = [torch.tensor([float(v) for v in text.split()]) for text in (_QUANTA, _COLOUR_QUANTA)]
        self._quanta = [table.reshape(8, 8).to(self._device) for table in tables]

    def __call__(self, crops: Tensor) -> Tensor:
        """(N, S, S, 3) uint8 -> (N, S, S, 3) uint8."""
        kept = crops.permute(0, 3, 1, 2).float()
        x = self._some(kept, 0.15, lambda part: self.fewer_pixels(part, 0.3, 0.8))
        x = self._some(x, 0.2, self.blur)
        x = self.expose(x)
        x = self._some(x, 0.08, _grey)
        x = self._some(x, 0.25, self.light)
        x = self._some(x, 0.6, self.noisy)
        x = self._some(x.clamp(0, 255).round(), 0.12, self.compress)
        x = torch.where(self._uniform(0, 1, len(x), 1, 1, 1) < 0.15, kept, x)
        return x.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self._dice, device=self._device) * (high - low) + low

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._dice, device=self._device)

    def _some(self, x: Tensor, share: float, change: Callable[[Tensor], Tensor]) -> Tensor:
        """``x`` with ``share`` of its samples changed: a fixed number, so that nothing waits for the device."""
        count = round(share * len(x))
        if not count:
            return x
        chosen = torch.randperm(len(x), generator=self._dice, device=self._device)[:count]
        return x.index_copy(0, chosen, change(x[chosen]))

    def fewer_pixels(self, x: Tensor, least: float, most: float, groups: int = 4) -> Tensor:
        """As if a face had been ``least`` to ``most`` as large in the frame; a few sizes per batch."""
        side, parts = x.shape[-1], []
        for part in x.chunk(groups):
            small = int(side * (least + (most - least) * float(torch.rand(()))))
            shrunk = functional.interpolate(part, size=(small, small), mode="bilinear", antialias=True)
            how = "bilinear" if float(torch.rand(())) < 0.5 else "bicubic"
            parts.append(functional.interpolate(shrunk, size=(side, side), mode=how).clamp(0, 255))
        return torch.cat(parts)

    def blur(self, x: Tensor) -> Tensor:
        """Half of them out of focus, half of them moved while the shutter was open."""
        count = len(x)
        line = torch.arange(TAPS, device=self._device) - TAPS // 2
        far = line.square()[None, :, None] + line.square()[None, None, :]
        focus = torch.exp(-far / (2 * self._uniform(0.4, 2.2, count, 1, 1).square()))
        angle = self._uniform(0, math.pi, count, 1, 1)
        along = line[None, None, :] * angle.cos() + line[None, :, None] * angle.sin()
        across = line[None, :, None] * angle.cos() - line[None, None, :] * angle.sin()
        reach = self._uniform(2, 5.5, count, 1, 1)
        beyond = (along.abs() - reach).clamp_min(0)
        moved = (1 - (across.square() + beyond.square()).sqrt()).clamp_min(0)
        kernels = torch.where(self._uniform(0, 1, count, 1, 1) < 0.5, focus, moved)
        kernels = (kernels / kernels.sum((1, 2), keepdim=True))[:, None].expand(-1, 3, -1, -1)
        padded = functional.pad(x, [TAPS // 2] * 4, mode="reflect").flatten(0, 1)[None]
        return functional.conv2d(padded, kernels.reshape(-1, 1, TAPS, TAPS), groups=3 * count)[0].unflatten(
            0, (-1, 3)
        )

    def expose(self, x: Tensor) -> Tensor:
        """Exposure, contrast, gamma and a colour cast."""
        count = len(x)
        dark = self._uniform(0, 1, count, 1, 1, 1) < 0.08
        gain = torch.where(dark, self._uniform(0.25, 0.6, count, 1, 1, 1), self._uniform(0.65, 1.4, count, 1, 1, 1))
        gain = gain * torch.exp(0.09 * self._normal(count, 3, 1, 1))
        curve = (x / 255 * gain).clamp(1e-4, 1) ** self._uniform(0.7, 1.4, count, 1, 1, 1)
        curve = (curve - 0.4) * self._uniform(0.75, 1.2, count, 1, 1, 1) + 0.4 + 0.03 * self._normal(count, 1, 1, 1)
        return (255 * curve).clamp(0, 255)

    def light(self, x: Tensor) -> Tensor:
        """Uneven light, from two or three places a side."""
        half = (len(x) + 1) // 2
        lights = [self._uniform(0.55, 1.5, count, 1, side, side) for count, side in ((half, 2), (len(x) - half, 3))]
        return x * torch.cat([functional.interpolate(light, size=x.shape[-2:], mode="bilinear") for light in lights])

    def noisy(self, x: Tensor) -> Tensor:
        count, side = len(x), x.shape[-1]
        chosen = torch.randint(len(self._bank), (count,), generator=self._dice, device=self._device)
        down, right = torch.randint(self._bank.shape[-1] - side + 1, (2,)).tolist()
        noise = self._bank[:, :, down : down + side, right : right + side][chosen]
        strong = self._uniform(0, 1, count, 1, 1, 1) < 0.2
        sigma = torch.where(strong, self._uniform(6, 15, count, 1, 1, 1), self._uniform(1, 6, count, 1, 1, 1))
        return x + noise * sigma

    def compress(self, x: Tensor) -> Tensor:
        """JPEG at a quality of 15 to 80, with half as many pixels of colour (4:2:0)."""
        quality = self._uniform(15, 80, len(x), 1, 1, 1, 1, 1)
        scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
        blue, green, red = x.unbind(1)
        light = _LUMA[0] * blue + _LUMA[1] * green + _LUMA[2] * red
        colour = torch.stack([(blue - light) / 1.772, (red - light) / 1.402], 1)
        light = self._quantise(light[:, None] - 128, self._quanta[0], scale)[:, 0] + 128
        colour = self._quantise(functional.avg_pool2d(colour, 2), self._quanta[1], scale)
        colour = functional.interpolate(colour, scale_factor=2.0, mode="bilinear")
        blue, red = light + 1.772 * colour[:, 0], light + 1.402 * colour[:, 1]
        green = (light - _LUMA[0] * blue - _LUMA[2] * red) / _LUMA[1]
        return torch.stack([blue, green, red], 1)

    def _quantise(self, x: Tensor, table: Tensor, scale: Tensor) -> Tensor:
        """(N, C, H, W) through an 8 x 8 cosine transform whose coefficients are rounded to ``table`` x ``scale``."""
        blocks = x.unfold(2, 8, 8).unfold(3, 8, 8)
        steps = (table * scale).clamp(1, 255).round()
        waves = ((self._cosines @ blocks @ self._cosines.T) / steps).round() * steps
        blocks = self._cosines.T @ waves @ self._cosines
        return blocks.permute(0, 1, 2, 4, 3, 5).reshape(x.shape)


def _grey(x: Tensor) -> Tensor:
    return (x * torch.tensor(_LUMA, device=x.device)[None, :, None, None]).sum(1, keepdim=True).expand(-1, 3, -1, -1)
