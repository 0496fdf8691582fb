"""What tests of the trackers share."""

from __future__ import annotations

import numpy as np
import pytest

from rtswap.tracking.fine_look import FineLook
from rtswap.tracking.second_look import SecondLook


@pytest.fixture
def lit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is looked for in shade, which runs the networks once more."""
    monkeypatch.setattr(SecondLook, "in_shade", lambda self, picture: np.zeros((0, 5), np.float32))


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is looked for in the finer picture, which runs a network once more."""
    monkeypatch.setattr(FineLook, "look", lambda self, image, scale: np.zeros((0, 5), np.float32))
