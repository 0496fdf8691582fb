"""Run the program on generated clips of built-in personas, for measurements."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, Networks, bind_models
from rtswap.app.program import Program
from rtswap.core.errors import SourceError
from rtswap.core.protocols import Engine
from rtswap.core.types import Frame, Image, Quality, SourceIdentity, StreamInfo, Tensor
from rtswap.media.outputs.null import Null
from rtswap.runtime.metrics import Metrics, Spans
from rtswap.runtime.pipeline import Pipeline
from rtswap.source.personas import persona_photo
from rtswap.source.portrait import find_landmarks
from rtswap.vision.images import read_image
from rtswap.vision.talking_head import AnimatedHead, clip

CLIP_FRAMES = 12
"""Length of the clip, played forwards and backwards to save memory."""
WARM_UP_S = 1.0
STEADY_FRAMES, STEADY_WITHIN = 6, 2.0
"""The loop is steady when this many frames in a row took less than this multiple of their median."""
MOST_WARM_UP_S = 12.0
"""Longest warm-up before a session: on a GPU the first frames compile kernels and capture graphs."""
TARGETS = ("ben", "carl", "dan")


class ClipInput:
    """An input that plays frames from memory at ``fps``, or as fast as possible if ``fps`` is infinite.

    ``late_s``: delay of the first frame.
    """

    def __init__(self, images: Sequence[Image], *, fps: float, seconds: float, late_s: float = 0.0) -> None:
        height, width = images[0].shape[:2]
        self._images = [*images, *images[-2:0:-1]]
        self._period_s, self._late_s = 1 / fps, late_s
        self._seconds = seconds
        self._closed = threading.Event()
        self.info = StreamInfo(width, height, min(fps, 1000.0), live=np.isfinite(fps))

    def frames(self) -> Iterator[Frame]:
        began = time.perf_counter() + self._late_s
        index = 0
        while not self._closed.is_set() and (now := time.perf_counter()) - began < self._seconds:
            wait_s = began + index * self._period_s - now
            if wait_s > 0:
                time.sleep(wait_s)
            image = self._images[index % len(self._images)].copy()
            yield Frame(image, index, time.perf_counter())
            index += 1

    def close(self) -> None:
        self._closed.set()


class EngineProxy:
    """An engine that runs another. Other methods, such as running on GPU tensors, are passed on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def name(self) -> str:
        return self._engine.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class TimedEngine(EngineProxy):
    """An engine whose time counts as the stage ``networks``; only the time of ``run`` can be measured here."""

    def __init__(self, engine: Engine, spans: Spans) -> None:
        super().__init__(engine)
        self._spans = spans

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        with self._spans("networks"):
            return self._engine.run(inputs)


class People:
    """The built-in personas, analysed with these models."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        self.source = cache(self._source)
        """Return a persona as a source. Raises SourceError."""

    def head(self, name: str, face_px: int) -> AnimatedHead:
        """Return a persona who talks, with a face of ``face_px``."""
        source = self.source(name)
        return AnimatedHead(source.portrait, source.landmarks, face_px)

    def clip(self, names: Sequence[str], size: tuple[int, int], face_px: int) -> list[Image]:
        """Return ``CLIP_FRAMES`` frames of (width, height) ``size``: personas that talk and turn, side by side."""
        return list(clip([self.head(name, face_px) for name in names], size, fps=30, frames=CLIP_FRAMES))

    def _source(self, name: str) -> SourceIdentity:
        models, picture = self._models, read_image(persona_photo(name))
        found = models.detector.detect(picture)
        if not found:
            raise SourceError(f"no face found in the built-in portrait {name}", do="Reinstall rtswap.")
        mesh = models.landmarks.find(picture, [found[0].keypoints])[0].points
        return SourceIdentity(picture, find_landmarks(models.landmarks, picture, mesh), name=name)


class Rig:
    """The program, its networks and generated clips. Raises RtswapError."""

    def __init__(self, config: Config, *, on_event: Callable[[str], None]) -> None:
        self.config = config
        self.spans = Spans()
        self.networks = Networks(config, on_event=on_event)
        engines = self.networks.engines
        self.models = bind_models(self.networks, config, lambda name: TimedEngine(engines[name], self.spans))
        self.people = People(self.models)

    def images(self, size: tuple[int, int], *, faces: int, face_px: int) -> list[Image]:
        """Return the clip: 1 to 3 ``faces`` that talk and turn."""
        return self.people.clip(TARGETS[:faces], size, face_px)

    def program(self, faces: int = 1) -> Program:
        """Return a program with the persona ada as the source."""
        which = replace(self.config.tracking, faces="one" if faces == 1 else "all")
        return quiet_program(replace(self.config, tracking=which), self.models, self.people.source("ada"))

    def play(self, images: Sequence[Image], *, fps: float, seconds: float, faces: int = 1) -> Metrics:
        """Run one session over the clip and return its metrics without the warm-up."""
        metrics = WarmedMetrics(WARM_UP_S)
        program, source = self.program(faces), ClipInput(images, fps=fps, seconds=seconds + WARM_UP_S)
        pipeline = program.pipeline(spans=self.spans)
        if program.on_gpu:
            warm_up(pipeline, images)
        program.session(source, [Null()], metrics=metrics, pipeline=pipeline).run()
        return metrics


def quiet_program(config: Config, models: FaceModels, source: SourceIdentity) -> Program:
    """Return a program that discards its events."""
    return Program(config, on_event=lambda text: None, models=models, sources=[source])


def warm_up(pipeline: Pipeline, images: Sequence[Image], *, most_s: float = MOST_WARM_UP_S) -> int:
    """Process ``images`` repeatedly until the loop is steady; return the number of frames. On a GPU a session without
    warm-up could end before its first frame was done. Do not use it on a CPU: it gains nothing and this
    thread keeps the memory, 320 MB more at 1080p.
    """
    times: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < most_s:
        image = images[len(times) % len(images)].copy()
        start = time.perf_counter()
        pipeline.process(Frame(image, len(times), start), Quality())
        times.append(time.perf_counter() - start)
        last = times[-STEADY_FRAMES:]
        if len(times) > STEADY_FRAMES and max(last) < STEADY_WITHIN * float(np.median(last)):
            break
    return len(times)


class WarmedMetrics(Metrics):
    """Metrics that skip the first ``after_s`` seconds."""

    def __init__(self, after_s: float) -> None:
        super().__init__()
        self._after_s = after_s
        self._began: float | None = None
        self._warm = False
        self._dropped_before = 0
        self.ages_s: list[float] = []
        """Age of every recorded frame."""

    def record(
        self, stages: Mapping[str, float], *, captured_at: float, finished_at: float, faces: int = 0, level: int = 0
    ) -> None:
        self._began = finished_at if self._began is None else self._began
        self._warm = finished_at - self._began >= self._after_s
        if self._warm:
            self.ages_s.append(finished_at - captured_at)
            super().record(stages, captured_at=captured_at, finished_at=finished_at, faces=faces, level=level)

    def set_dropped(self, count: int) -> None:
        if not self._warm:
            self._dropped_before = count
        super().set_dropped(count - self._dropped_before)
