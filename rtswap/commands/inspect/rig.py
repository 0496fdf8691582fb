"""Run the program's own loop with a probe around every part. Without a source, a built-in persona stands in, unless a
face lies in the swapper's network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtswap.app.config import Config
from rtswap.app.marking import confirm_sources
from rtswap.app.networks import FaceModels, open_models
from rtswap.app.probes import Probes
from rtswap.app.program import Program
from rtswap.commands.inspect.probes import CanvasProbe, FinishProbe, LandmarkProbe, Probe, SwapperProbe, TrackerProbe
from rtswap.core.protocols import Swapper
from rtswap.disclosure import Disclosure
from rtswap.swappers import swapper_spec

Event = Callable[[str], None]
STAND_IN = "persona:ada"


class Rig:
    """``pipeline`` processes frames; ``watch`` holds the observations of the last one. Raises RtswapError."""

    def __init__(self, config: Config, *, on_event: Event, photos: bool = False) -> None:
        confirm_sources(config, on_event)
        models = open_models(config, on_event=on_event)
        config = replace(config, source=replace(config.source, also=(), swap=()))
        stand_in = [] if config.source.photos or not needs_source(config) else [models.load_source([Path(STAND_IN)])]
        if not config.source.photos:  # the skin mask depends on the photo
            config = _without_skin(config)
        plain = _plain_swapper(config, models) if "skin" in config.mask.masks else None
        self.watch = watch = Probe()
        program = Program(
            config,
            on_event=on_event,
            models=models,
            sources=stand_in or None,
            disclosure=Disclosure(None, reason="the drawings of the frames are marked instead"),
            probes=Probes(
                landmarks=lambda model: LandmarkProbe(model, watch),
                tracker=lambda tracker: TrackerProbe(tracker, watch),
                swapper=lambda swapper: SwapperProbe(swapper, plain, watch),
                finish=lambda step, name: FinishProbe(step, name, watch),
                canvas=lambda canvas: CanvasProbe(canvas, watch),
            ),
        )
        self.pipeline = program.pipeline(photos=photos, live=False)


def needs_source(config: Config) -> bool:
    """Whether the swapper needs a photo: not if a face lies in its network."""
    return swapper_spec(config.swap.swapper).needs_source


def _plain_swapper(config: Config, models: FaceModels) -> Swapper:
    """Return a swapper without the photo's skin mask, to find what that mask removes."""
    plain = replace(_without_skin(config), swap=replace(config.swap, color="none"))
    return Program(plain, on_event=lambda text: None, models=models, probes=Probes()).swappers[0]


def _without_skin(config: Config) -> Config:
    masks = tuple(mask for mask in config.mask.masks if mask != "skin")
    return replace(config, mask=replace(config.mask, masks=masks))
