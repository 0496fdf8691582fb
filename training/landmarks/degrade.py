"""What cameras and codecs do to a crop: light, colour, blur, noise, JPEG, too few pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def noise_bank(rng: np.random.Generator, size: int, count: int = 48) -> NDArray[np.float32]:
    """(count, size, size, 3) unit noise, half of it fine, half of it coarse as after a camera's own compression."""
    bank = rng.standard_normal((count, size, size, 3), np.float32)
    for picture in bank[: count // 2]:
        soft = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 1.2)))
        picture[:] = soft / soft.std()
    return bank


def degrade(crop: Bytes, bank: NDArray[np.float32], rng: np.random.Generator) -> Bytes:
    """``crop`` (S, S, 3) as some webcam would have delivered it; at times untouched."""
    if rng.random() < 0.15:
        return crop
    if rng.random() < 0.15:
        crop = _fewer_pixels(crop, rng)
    if rng.random() < 0.2:
        crop = _blurred(crop, rng)
    crop = np.asarray(cv2.LUT(crop, _curve(rng)), np.uint8)
    if rng.random() < 0.08:
        crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    lit, noisy = rng.random() < 0.25, rng.random() < 0.6
    if lit or noisy:
        crop = _light_and_noise(crop, lit, noisy, bank, rng)
    if rng.random() < 0.12:
        _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        crop = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
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


def _blurred(crop: Bytes, rng: np.random.Generator) -> Bytes:
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 2.2))), np.uint8)
    return np.asarray(cv2.filter2D(crop, -1, motion(int(rng.integers(2, 6)) * 2 + 1, rng)), np.uint8)


def motion(length: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(length, length) the kernel of a straight motion of ``length`` (odd) pixels while the shutter was open."""
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = length // 2
    start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _light_and_noise(
    crop: Bytes, lit: bool, noisy: bool, bank: NDArray[np.float32], rng: np.random.Generator
) -> Bytes:
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
