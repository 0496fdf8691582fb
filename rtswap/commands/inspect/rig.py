"""The program's own loop, with every part watched. Without a source a stand-in shows where masks would lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rtswap.app.config import Config
from rtswap.app.marking import confirm_sources
from rtswap.app.networks import FaceModels, open_models
from rtswap.app.program import bind_sources, make_finishes, make_swap_model, make_tracker, mask_is_partial
from rtswap.commands.inspect.probes import (
    CanvasProbe,
    FinishProbe,
    LandmarkProbe,
    Probe,
    SwapperProbe,
    TrackerProbe,
)
from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.renderer import HostRenderer
from rtswap.core.errors import SourceError
from rtswap.core.protocols import Finish, Swapper
from rtswap.core.types import SourceIdentity
from rtswap.disclosure import Disclosure
from rtswap.runtime.pipeline import Pipeline, Policy
from rtswap.source.portrait import find_landmarks
from rtswap.vision.talking_head import persona

Event = Callable[[str], None]
STAND_IN = "ada"


class Rig:
    """``pipeline`` works on frames, ``watch`` holds what was seen of the last one. Raises RtswapError."""

    def __init__(self, config: Config, *, on_event: Event, photos: bool = False) -> None:
        confirm_sources(config, on_event)
        models = open_models(config, on_event=on_event)
        self.watch = watch = Probe()
        detector = models.photo_detector if photos else models.detector
        tracker = make_tracker(config, detector, models._replace(landmarks=LandmarkProbe(models.landmarks, watch)))
        safety = config.safety
        self.pipeline = Pipeline(
            TrackerProbe(tracker, watch),
            HostRenderer(
                [_swapper(config, models, watch, on_event)],
                canvas=lambda image: CanvasProbe(HostCanvas(image), watch),
                stamp=Disclosure(None).stamp,  # what is drawn of the frame is stamped
                finishes=_finishes(config, models, watch, on_event),
                partial=mask_is_partial(config),
            ),
            policy=Policy(safety.on_failure, safety.empty_after_s),
            on_event=on_event,
        )


def _swapper(config: Config, models: FaceModels, watch: Probe, on_event: Event) -> Swapper:
    """The wished source's, or the stand-in's: then without the skin mask, which is the photo's."""
    if not config.source.photos:
        bound = make_swap_model(_without_skin(config), models).bind(_stand_in(models))
        return SwapperProbe(bound, None, watch)
    alone = replace(config, source=replace(config.source, also=(), swap=()))
    swapper = bind_sources(alone, models, on_event=on_event)[0]
    if "skin" not in config.mask.masks:
        return SwapperProbe(swapper, None, watch)
    plain = replace(_without_skin(alone), swap=replace(config.swap, color="none"))
    return SwapperProbe(swapper, bind_sources(plain, models, on_event=lambda text: None)[0], watch)


def _without_skin(config: Config) -> Config:
    masks = tuple(mask for mask in config.mask.masks if mask != "skin")
    return replace(config, mask=replace(config.mask, masks=masks))


def _finishes(config: Config, models: FaceModels, watch: Probe, on_event: Event) -> list[Finish]:
    made = make_finishes(config, models, on_event=on_event, live=False)
    return [FinishProbe(step, _name_of(step), watch) for step in made]


def _name_of(step: Finish) -> str:
    """``compositing/occlusion.py`` -> occlusion."""
    return type(step).__module__.rpartition(".")[2]


def _stand_in(models: FaceModels) -> SourceIdentity:
    picture = persona(STAND_IN)
    found = models.detector.detect(picture)
    if not found:
        raise SourceError(f"no face was found in the built-in portrait {STAND_IN}", do="Install rtswap again.")
    return SourceIdentity(picture, find_landmarks(models.landmarks, picture, found[0].keypoints), name=STAND_IN)
