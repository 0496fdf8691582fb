"""The Triton kernels equal plain torch. Without a GPU they run in Triton's interpreter, on small pictures since it is
slow, and are compiled for several GPU architectures."""

from __future__ import annotations

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # Triton reads it when it is first imported
pytest.importorskip("triton", reason="triton is not installed")

from rtswap.compositing.canvas.face_table import crop_table, paste_table, side_for  # noqa: E402
from rtswap.compositing.canvas.gpu import PlainKernels  # noqa: E402
from rtswap.compositing.canvas.triton_launch import TritonKernels  # noqa: E402
from rtswap.core.types import View  # noqa: E402
from rtswap.vision.geometry import upright_view  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
KERNELS = TritonKernels() if DEVICE.type == "cuda" else TritonKernels((64, 64))
W, H = 98, 62


def turned(scale: float, turn: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    return np.array([[c, -s, x], [s, c, y]], np.float32)


def shown(x: int, y: int, across: int, down: int, size: tuple[int, int]) -> View:
    return View(upright_view(np.array([x, y, x + across, y + down]), size), size)


VIEWS = [
    shown(10, 5, 40, 30, (40, 30)),
    shown(-20, -10, 60, 44, (24, 20)),
    shown(70, 40, 20, 20, (37, 41)),
    View(turned(1.2, 0.4, -5, -20), (50, 40)),
    View(turned(0.5, -0.7, -10, 30), (30, 33)),
]


def noise(*shape: int, seed: int = 0) -> object:
    values = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return torch.from_numpy(values).to(DEVICE)


def test_crops() -> None:
    frame, table, side = noise(H, W, 3), crop_table(VIEWS), side_for(VIEWS)
    on_device = torch.from_numpy(table).to(DEVICE)
    plain = PlainKernels().crop(frame, table, on_device, side)
    fused = KERNELS.crop(frame, table, on_device, side)
    assert (plain.int() - fused.int()).abs().max() <= 1


def test_pastes() -> None:
    table, side = paste_table(VIEWS, (W, H)), side_for(VIEWS)
    on_device = torch.from_numpy(table).to(DEVICE)
    crops, masks = noise(len(VIEWS), side, side, 3, seed=1), noise(len(VIEWS), side, side, seed=2)
    masks = torch.where(masks > 200, 255, torch.where(masks < 60, 0, masks)).to(torch.uint8)
    plain, fused = noise(H, W, 3), noise(H, W, 3)
    PlainKernels().paste(plain, crops, masks, table, on_device)
    KERNELS.paste(fused, crops, masks, table, on_device)
    assert (plain.int() - fused.int()).abs().max() <= 1
    untouched = (plain == noise(H, W, 3)).all(2)
    assert 0.1 < untouched.float().mean() < 0.9
    assert ((fused == noise(H, W, 3)).all(2) == untouched).float().mean() > 0.99
