"""Observe the parts of the loop, for ``inspect`` and ``eval``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtswap.core.protocols import Canvas, Finish, LandmarkModel, Swapper, Tracker


@dataclass(frozen=True, slots=True)
class Probes:
    """Wrappers around parts of the loop, to observe their inputs and outputs. Frames then stay in host memory."""

    landmarks: Callable[[LandmarkModel], LandmarkModel] = lambda model: model
    tracker: Callable[[Tracker], Tracker] = lambda tracker: tracker
    swapper: Callable[[Swapper], Swapper] = lambda swapper: swapper
    finish: Callable[[Finish, str], Finish] = lambda finish, name: finish
    """Takes the finish and its name."""
    canvas: Callable[[Canvas], Canvas] = lambda canvas: canvas
