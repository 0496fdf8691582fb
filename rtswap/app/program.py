"""Assemble the parts that a configuration selects. The command line, the Python API, ``bench``, ``inspect`` and
``eval`` all use this module, so that what is measured is what ships."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from rtswap.app.config import Config
from rtswap.app.mapping import make_mapping, photos_of_sources
from rtswap.app.marking import confirm_sources, make_disclosure
from rtswap.app.networks import FaceModels, open_models, part_networks
from rtswap.app.probes import Probes
from rtswap.app.renderers import gpu_renderer, plain_renderer
from rtswap.app.swap_check import SwapCheck
from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.finishes import built_in_finishes, enabled_finishes, find_finishes
from rtswap.compositing.own_faces import WatchedRenderer
from rtswap.compositing.renderer import HostRenderer
from rtswap.core.errors import InputError
from rtswap.core.parts import BuildContext, FinishSpec, SwapperSpec
from rtswap.core.protocols import Canvas, Engine, Input, Output, Renderer, SwapModel, Swapper, Tracker
from rtswap.core.types import Frame, Image, MarkedImage, Quality, SourceIdentity
from rtswap.core.urls import expanded
from rtswap.disclosure import Disclosure
from rtswap.gpu import card
from rtswap.runtime.budget import Budget
from rtswap.runtime.guard import Reason
from rtswap.runtime.mapping import SourceMapping
from rtswap.runtime.metrics import Metrics, Spans
from rtswap.runtime.pipeline import Pipeline, Policy
from rtswap.runtime.session import Session
from rtswap.swappers import built_in_swappers, swapper_spec
from rtswap.swappers.onnx.crops import COVERAGE
from rtswap.tracking.lookout import Sentinel
from rtswap.tracking.smoothing import Smoothing
from rtswap.tracking.tracker import FaceTracker
from rtswap.vision.images import read_photo

Event = Callable[[str], None]
NOBODY = SourceIdentity(np.zeros((16, 16, 3), np.uint8), np.zeros((468, 3), np.float32), name="the model")
"""The source of a swapper whose network carries the face, where no photo is given."""
ON_GPU = ("tensorrt", "torch-cuda")
"""Prefixes of the names of engines whose outputs stay on a GPU."""
PICTURE_QUALITY = Quality(max_face_px=1024)
"""For separate pictures, where time does not count."""


class Program:
    """A configuration with its networks, sources and marks. Creates pipelines and sessions.

    ``models``: face models to use instead of loading new ones. ``sources``: sources to use instead of the photos in
    ``config``. ``swapper``: a name, a ``SPEC`` or a model, instead of the one in ``config``. ``finishes``: additional
    finishes, by ``SPEC`` or name. ``disclosure``: used instead of the one that ``config`` describes. ``pictures``:
    pixels of photos in ``config`` that are not files, by their names there. ``ask``: ask for the consent of the
    people shown. Raises RtswapError.
    """

    def __init__(
        self,
        config: Config,
        *,
        on_event: Event,
        models: FaceModels | None = None,
        sources: Sequence[SourceIdentity] | None = None,
        swapper: str | SwapperSpec | SwapModel | None = None,
        finishes: Sequence[str | FinishSpec] = (),
        probes: Probes | None = None,
        disclosure: Disclosure | None = None,
        pictures: Mapping[str, Image] = MappingProxyType({}),
        ask: bool = False,
    ) -> None:
        self.config, self.on_event = config, on_event
        self._sources, self._probes, self._pictures = sources, probes, pictures
        self._swapper = config.swap.swapper if swapper is None else swapper
        self.spec = _spec(self._swapper)
        """The swapper's ``SPEC``; None if a model was given."""
        if self.spec is not None and not self.spec.needs_source and sources is None and not photos_given(config):
            self._sources = [NOBODY]
        self._finishes = find_finishes((*config.swap.finishes, *finishes))
        self.disclosure = disclosure or make_disclosure(config, on_event)
        if ask:
            confirm_sources(config, on_event)
        self.models = models or open_models(config, on_event=on_event)

    @cached_property
    def engines(self) -> Mapping[str, Engine]:
        """The networks for building parts."""
        return self.models.open(part_networks(self.config, self.spec, self._finishes))

    @cached_property
    def why_on_host(self) -> str:
        """The reason why frames stay in host memory although the networks run on a GPU; empty if there is none, or if
        the networks run on the CPU."""
        if not self.models.engine.startswith(ON_GPU):
            return ""
        reasons = []
        if self.spec is None or self.spec.build_gpu is None:
            reasons.append(f"the swapper {self._name} has no GPU implementation")
        context = self.context(live=True)
        for finish in enabled_finishes(context, self._finishes):
            if finish.build_gpu is None or not finish.gpu_serves(context):
                reasons.append(f"{finish.words(context)} has no GPU implementation")
        if card.DEVICE == "cuda" and find_spec("triton") is None:
            reasons.append("Triton is not installed")
        return ", ".join(reasons)

    @cached_property
    def on_gpu(self) -> bool:
        """Whether frames are processed on the GPU."""
        on_gpu = self.models.engine.startswith(ON_GPU) and self._probes is None
        return on_gpu and not self.why_on_host

    def context(self, *, live: bool) -> BuildContext:
        """The settings and engines for building parts. ``live``: the input is live."""
        config = self.config
        return BuildContext(
            config.swap, config.mask, self.engines, models=config.models, live=live, device=card.DEVICE
        )

    @cached_property
    def swap_model(self) -> SwapModel:
        """The swapping method: its GPU implementation if frames are processed there."""
        if self.spec is None:
            assert not isinstance(self._swapper, str | SwapperSpec)
            return self._swapper
        build = self.spec.build_gpu if self.on_gpu and self.spec.build_gpu else self.spec.build
        return build(self.context(live=True))

    @cached_property
    def swappers(self) -> list[Swapper]:
        """One swapper per source, bound. Raises SourceError, ConfigError, ModelError."""
        return [self.bind(one) for one in self.identities]

    def bind(self, source: SourceIdentity) -> Swapper:
        """Bind the swapping method to a source. Raises SourceError, and ModelError for a swapper that did not come
        with rtswap and gives back the target's own face."""
        swapper = self.swap_model.bind(source)
        if self._probes is not None:
            return self._probes.swapper(swapper)
        if not self._is_own:
            unseen = Disclosure(None, reason="it is measured and never shown")
            renderer = plain_renderer(swapper, unseen.stamp, name=self._name, on_gpu=self.on_gpu)
            self._swap_check.run(renderer, self._name)
        return swapper

    @cached_property
    def _swap_check(self) -> SwapCheck:
        return SwapCheck(self.models)

    @property
    def _name(self) -> str:
        """The swapping method's, for messages."""
        return self.spec.name if self.spec else "given"

    @cached_property
    def identities(self) -> Sequence[SourceIdentity]:
        """The sources, in the order of ``mapping.photos_of_sources``. Raises SourceError, ConfigError."""
        if self._sources is not None:
            return self._sources
        return [self.load(photos) for photos in photos_of_sources(self.config)]

    def again(self, config: Config, on_event: Event) -> Program:
        """Return a program with the same networks and swappers, for another stream after the session of this one has
        ended. ``config`` may differ in its input and output alone."""
        other = copy.copy(self)
        other.config, other.on_event = config, on_event
        other.disclosure = make_disclosure(config, on_event)
        return other

    def load(self, photos: Sequence[str]) -> SourceIdentity:
        """Analyse the photos of one source. Raises SourceError."""

        def read(path: Path) -> Image:
            picture = self._pictures.get(str(path))
            return read_photo(path) if picture is None else picture

        paths = [expanded(photo) for photo in photos]
        return self.models.load_source(paths, face_index=self.config.source.face, on_event=self.on_event, read=read)

    def tracker(self, *, photos: bool = False, everybody: bool = False) -> Tracker:
        """Create a tracker. ``photos``: every frame is a separate picture; small faces are found too.
        ``everybody``: track all people regardless of ``--faces``."""
        models, probes = self.models, self._probes
        faces: Literal["one", "all"] = "one" if self.config.tracking.faces == "one" and not everybody else "all"
        detector = models.still_detector if photos else models.detector
        landmarks = probes.landmarks(models.landmarks) if probes else models.landmarks
        config = self.config.tracking
        tracker = FaceTracker(
            detector,
            landmarks,
            faces=faces,
            recogniser=models.recogniser,
            min_face_px=config.min_face_px,
            smoothing=Smoothing(config.kalman_noise, config.box_average),
        )
        return probes.tracker(tracker) if probes else tracker

    def renderer(self, *, live: bool) -> Renderer:
        """Create the renderer: on the GPU if all parts support it, otherwise in host memory, with an event that says
        why. ``live``: the input is live."""
        context = self.context(live=live)
        specs = enabled_finishes(context, self._finishes)
        partial = context.mask.partial
        if self.on_gpu:
            built = [spec.build_gpu(context) for spec in specs if spec.build_gpu]
            stamp = self.disclosure.stamp
            gpu = gpu_renderer(self.swappers, stamp, name=self._name, finishes=built, partial=partial)
            return self._watched(gpu, partial=partial)
        if self.why_on_host and self._probes is None:
            self.on_event(f"networks run on the GPU, but frames are processed on the CPU: {self.why_on_host}")
        if live and (slow := [spec.words(context) for spec in specs if spec.slow(context)]):
            self.on_event(f"{' and '.join(slow)} is slow: suited to files, but live video will stutter")
        finishes = [spec.build(context) for spec in specs]
        canvas: Callable[[Image], Canvas] = HostCanvas
        if (probes := self._probes) is not None:
            canvas = lambda image: probes.canvas(HostCanvas(image))  # noqa: E731
            finishes = [probes.finish(step, spec.name) for step, spec in zip(finishes, specs, strict=True)]
        stamp = self.disclosure.stamp
        host = HostRenderer(self.swappers, canvas=canvas, stamp=stamp, finishes=finishes, partial=partial)
        return self._watched(host, partial=partial)

    def _watched(self, renderer: Renderer, *, partial: bool) -> Renderer:
        """The renderer, watched if the swapper or a finish is a stranger's, unless parts of the target's own face are
        to show."""
        own = self._is_own and all(one in built_in_finishes() for one in self._finishes)
        if own or partial or self.config.models.coverage < COVERAGE:
            return renderer
        return WatchedRenderer(renderer, self._swap_check.recogniser)

    @property
    def _is_own(self) -> bool:
        """Whether the swapper came with rtswap, or is measured and never shown."""
        return self._probes is not None or self.spec in built_in_swappers()

    @property
    def policy(self) -> Policy:
        """What happens to a face that cannot be swapped."""
        safety = self.config.safety
        shown = safety.others == "show"
        if shown:
            self.on_event("--others show: people who are not swapped are shown unchanged")
        return Policy(safety.on_failure, safety.empty_after_s, safety.pass_through, others_shown=shown)

    def pipeline(
        self,
        *,
        photos: bool = False,
        live: bool = True,
        spans: Spans | None = None,
        mapping: SourceMapping | None = None,
    ) -> Pipeline:
        """Create a pipeline with its own state. ``photos``: as for ``tracker``; ``live``: as for ``renderer``;
        ``mapping``: None for the one of the configuration."""
        policy, mapping = self.policy, mapping or self.mapping(photos=photos)

        def make_tracker() -> Tracker:
            return self.tracker(photos=photos, everybody=mapping.assigned)

        lookout = Sentinel(self.models.heads, self.models.neighbours, self.models.close_ups, photos=photos)
        return Pipeline(
            make_tracker(),
            self.renderer(live=live),
            lookout=lookout,
            policy=policy,
            on_event=self.on_event,
            mapping=mapping,
            separate=make_tracker if photos else None,
            spans=spans,
        )

    def swap_picture(self, pipeline: Pipeline, image: Image, name: str) -> MarkedImage:
        """Swap one separate picture, in place. ``pipeline``: one for ``photos``. ``name``: for messages. Raises
        InputError if no face in it could be swapped, FaceLost."""
        frame = Frame(image, 0, time.perf_counter(), time_s=0.0)
        outcome = pipeline.process(frame, PICTURE_QUALITY)
        if outcome.swapped and (marked := outcome.release(self.disclosure, frame, None)) is not None:
            return marked
        do = "Use a picture that shows a face from the front."
        if outcome.reasons <= {Reason.NOBODY_YET}:
            raise InputError(f"no face was found in {name}", do=do)
        raise InputError(f"no face in {name} could be swapped", got=", ".join(sorted(outcome.reasons)), do=do)

    def mapping(self, *, photos: bool = False) -> SourceMapping:
        """Map people to sources. ``photos``: as for ``tracker``. Raises ConfigError, SourceError."""
        if self._sources is not None:
            return SourceMapping(choices=len(self._sources))
        return make_mapping(self.config, self.models, on_event=self.on_event, photos=photos)

    def session(
        self,
        input: Input,
        outputs: Sequence[Output],
        *,
        metrics: Metrics,
        pipeline: Pipeline | None = None,
        window: Output | None = None,
        on_tick: Callable[[], None] = lambda: None,
        on_unswapped: Callable[[Frame], None] | None = None,
    ) -> Session:
        """Create a session, ready to run. ``on_unswapped``: as for ``Session``."""
        target_s, pipeline = self.config.budget.target_s, pipeline or self.pipeline(live=input.info.live)
        budget = Budget(target_s) if target_s > 0 and input.info.live else None
        if pipeline.separate is not None:
            budget = Budget(math.inf, levels=[PICTURE_QUALITY])
        return Session(
            input,
            pipeline,
            self.disclosure,
            outputs,
            metrics=metrics,
            quality_budget=budget,
            window=window,
            on_tick=on_tick,
            on_event=self.on_event,
            on_unswapped=on_unswapped,
        )


def photos_given(config: Config) -> bool:
    """Whether the configuration names a source."""
    return bool(config.source.photos or config.source.swap)


def _spec(swapper: str | SwapperSpec | SwapModel) -> SwapperSpec | None:
    if isinstance(swapper, str):
        return swapper_spec(swapper)
    return swapper if isinstance(swapper, SwapperSpec) else None
