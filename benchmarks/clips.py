"""Swap clips as the program does, for benchmarks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels
from rtswap.app.program import Program
from rtswap.app.sections import SourceConfig
from rtswap.commands.evaluate.clips import Clip, Swap, ignore, swap_with
from rtswap.disclosure import Disclosure


def config_for(source: Path, *, expression: float = 1.0) -> Config:
    """Return the default configuration with this source photo."""
    config = Config(source=SourceConfig(photos=(str(source),)))
    return replace(config, swap=replace(config.swap, expression=expression))


def swap_clip(clip: Clip, config: Config, models: FaceModels, *, live: bool) -> Swap:
    """Swap a clip with the source of ``config``. ``live``: treat the frames as a camera's, with the recorded times as
    capture times."""
    unmarked = Disclosure(None, reason="it is measured and never shown")
    return swap_with(clip, Program(config, on_event=ignore, models=models, disclosure=unmarked), live=live)
