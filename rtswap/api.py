"""rtswap from Python: one picture, a stream of pictures, or a whole session with parts of one's own.

::

    import rtswap

    picture = rtswap.swap("group.jpg", source="me.jpg")          # one picture

    live = rtswap.LiveSwap("me.jpg")                             # pictures as they come
    for image in camera:
        show(live.process(image))

    rtswap.run_session(my_input, [my_output], source="me.jpg")   # threads, latency budget, failing closed

Whatever comes back is labelled as the command line labels it; the same settings apply (``rtswap.app.config.Config``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.app.config import Config
from rtswap.app.mapping import make_mapping
from rtswap.app.marking import make_disclosure
from rtswap.app.networks import open_models
from rtswap.app.program import bind_sources, make_pipeline
from rtswap.core.errors import InputError, UsageError
from rtswap.core.protocols import Input, Output
from rtswap.core.types import Frame, Image, Quality
from rtswap.disclosure import Disclosure
from rtswap.runtime.budget import Budget
from rtswap.runtime.metrics import Metrics
from rtswap.runtime.pipeline import Pipeline
from rtswap.runtime.session import Session
from rtswap.vision.images import read_image

Photo = str | Path
Photos = Photo | Sequence[Photo]
"""One photo, several of one person, or a folder of them."""
Event = Callable[[str], None]

BEST = Quality(max_face_px=1024)
"""For single pictures, where time does not count."""


def swap(image: Image | Photo, source: Photos, *, config: Config | None = None) -> Image:
    """Every face in the picture replaced by the source's; a new (H, W, 3) BGR uint8 array, labelled.

    ``image``: a path, or an array of that kind, which is left as it is. Raises SourceError for a source without a
    usable face, InputError for a picture without a face.
    """
    wanted = config or Config()
    wanted = replace(wanted, tracking=replace(wanted.tracking, faces="all"))
    picture = _checked(image).copy() if isinstance(image, np.ndarray) else read_image(Path(image))
    frame = Frame(picture, 0, time.perf_counter(), time_s=0.0)
    disclosure = make_disclosure(wanted, _ignore)
    outcome = _pipeline(wanted, source, _ignore, disclosure, photos=True, live=False).process(frame, BEST)
    if outcome.stamped is None or not outcome.swapped:
        raise InputError("no face was found in the picture", do="Use one that shows a face from the front.")
    return disclosure.release(outcome.stamped, frame=frame, swapped=outcome.swapped, stages={}).image


class LiveSwap:
    """Swaps pictures of one stream as they come, in the caller's thread. Ready, networks loaded, when made.

    ``on_event`` hears warnings in plain words. Raises SourceError, ModelError, EngineError.
    """

    def __init__(self, source: Photos, *, config: Config | None = None, on_event: Event | None = None) -> None:
        self._config = config or Config()
        event = on_event or _ignore
        self._disclosure = make_disclosure(self._config, event)
        self._pipeline = _pipeline(self._config, source, event, self._disclosure)
        self._last: Image | None = None
        self._index = 0

    def process(self, image: Image, captured_at: float | None = None) -> Image:
        """The next picture of the stream, swapped and labelled; (H, W, 3) BGR uint8.

        Works in ``image`` itself: pass a copy to keep it. ``captured_at``: seconds on ``time.perf_counter``, now if
        left out. Where a face cannot be swapped it is covered, or the last safe picture comes again, as the
        configuration says. Raises FaceLost under ``stop``.
        """
        now = time.perf_counter() if captured_at is None else captured_at
        frame = Frame(_checked(image), self._index, now)
        self._index += 1
        outcome = self._pipeline.process(frame, Quality())
        if outcome.stamped is None:  # only where a picture has left before
            assert self._last is not None
            return self._last.copy()
        marked = self._disclosure.release(outcome.stamped, frame=frame, swapped=outcome.swapped, stages={})
        self._last = marked.image.copy() if self._config.safety.on_failure == "hold" else None
        return marked.image


def run_session(
    input: Input,
    outputs: Sequence[Output],
    source: Photos,
    *,
    config: Config | None = None,
    on_event: Event | None = None,
) -> dict[str, Any]:
    """The program's own loop over parts of one's own, until the input ends; returns its figures. Blocks."""
    wanted = config or Config()
    event = on_event or _ignore
    metrics = Metrics()
    target_s = wanted.budget.target_s
    disclosure = make_disclosure(wanted, event)
    session = Session(
        input,
        _pipeline(wanted, source, event, disclosure, live=input.info.live),
        disclosure,
        outputs,
        metrics=metrics,
        quality_budget=Budget(target_s) if target_s > 0 and input.info.live else None,
        on_event=event,
    )
    session.run()
    return metrics.summary()


def _pipeline(
    config: Config,
    source: Photos,
    event: Event,
    disclosure: Disclosure,
    *,
    photos: bool = False,
    live: bool = True,
) -> Pipeline:
    named = (source,) if isinstance(source, str | Path) else source
    wanted = replace(config, source=replace(config.source, photos=tuple(str(photo) for photo in named)))
    models = open_models(wanted, on_event=event)
    swappers = bind_sources(wanted, models, on_event=event)
    mapping = make_mapping(wanted, models, on_event=event, photos=photos)
    return make_pipeline(
        wanted, models, swappers, on_event=event, photos=photos, live=live, disclosure=disclosure, mapping=mapping
    )


def _checked(image: Image) -> Image:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UsageError(
            "a picture is the wrong kind of array",
            expected="uint8, height x width x 3, BGR",
            got=f"{image.dtype}, {' x '.join(map(str, image.shape))}",
        )
    return image


def _ignore(event: str) -> None:
    """Nobody listens."""
