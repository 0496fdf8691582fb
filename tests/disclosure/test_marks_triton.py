"""The Triton kernel equals plain torch. Without a GPU it runs in Triton's interpreter."""

from __future__ import annotations

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # Triton reads it when it is first imported
pytest.importorskip("triton", reason="triton is not installed")

from rtswap.disclosure import Badge  # noqa: E402
from rtswap.disclosure.gpu import GpuBadge, GpuWatermark, write_plain  # noqa: E402
from rtswap.disclosure.triton_marks import TILE, write_marks  # noqa: E402
from rtswap.disclosure.watermark import Payload  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
WHOLE = TILE if DEVICE.type == "cuda" else (128, 64)
SIZE = 250, 170


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("badged", [False, True])
def test_mark_and_badge(marked: bool, badged: bool) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, (SIZE[1], SIZE[0], 3)) * np.linspace(0, 90, SIZE[0])[None, :, None]
    image = torch.from_numpy(np.clip(128 + noise, 0, 255).astype(np.uint8)).to(DEVICE)
    watermark = GpuWatermark(Payload((1, 0)), SIZE, DEVICE) if marked else None
    badge = GpuBadge(Badge(), SIZE, DEVICE) if badged else None
    for part in (watermark, badge):
        if part is not None:
            part.look_at(image)
    if watermark is not None:
        assert len(watermark.levels.unique()) > 1, "blocks of several strengths are tried"
    plain, fused = image.clone(), image.clone()
    write_plain(plain, watermark, badge)
    write_marks(fused, watermark, badge, WHOLE)
    assert torch.equal(plain, fused)
    assert torch.equal(plain, image) == (not marked and not badged)
