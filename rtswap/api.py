"""rtswap from Python: pictures, frames of a stream, and sessions with inputs and outputs of one's own.

::

    import rtswap

    result = rtswap.swap("group.jpg", "me.jpg", consent=True)            # one picture
    result.image, result.swapped, result.covered, result.reasons

    with rtswap.Swapper("me.jpg", consent=True) as swapper:              # many: the networks are loaded once
        result = swapper.swap(picture)

    with rtswap.LiveSwap("me.jpg", consent=True) as live:                # the frames of one stream
        result = live.process(frame)

    rtswap.run_session(my_input, [my_output], "me.jpg", consent=True)    # threads, latency budget, failing closed

Arrays are (H, W, 3) **BGR uint8**, as in OpenCV. What comes back is labelled as the command line labels it.
``docs/python.md`` shows all of it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Self, Unpack

import numpy as np

from rtswap.app.config import Config
from rtswap.app.keywords import Changes, Photos, Request, Settings
from rtswap.app.marking import list_photos, require_consent
from rtswap.app.pictures import ARRAY, Picture, conversion_of, is_path, is_picture, pixels
from rtswap.app.program import Program
from rtswap.core.errors import ConfigError, FaceLost, RtswapError, SourceError, UsageError
from rtswap.core.own_pictures import OwnPictures, is_seconds, own
from rtswap.core.protocols import Input, Output
from rtswap.core.types import Frame, Image, MarkedImage, Quality, StreamInfo
from rtswap.runtime.metrics import Metrics

Event = Callable[[str], None]


class _Loop:
    """The networks, the sources, and the settings that can change."""

    _pictures: ClassVar = False
    """Whether every frame is a picture by itself."""

    def __init__(
        self,
        source: Photos | None = None,
        *,
        consent: bool = False,
        config: Config | None = None,
        on_event: Event | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        """Load the networks and analyse the source, about a second.

        ``source``: a photo of the face to put on, or several of one person: paths, folders, (H, W, 3) BGR uint8
        arrays, the bytes of image files, Pillow images, or ``persona:NAME``. May be left out where ``swap`` names
        sources. ``consent``: True says that the person shown is you or has agreed, as ``--i-have-consent`` does. For
        a path it is remembered on this machine; everything else needs it each time, a persona never. ``config``: the
        settings to begin with. ``on_event`` is called with notices and warnings, a line each. ``settings``: as the
        flags of the command line, with ``_`` for ``-``.

        Raises UsageError (no consent, a wrong argument), ConfigError (a setting), SourceError (a photo without a
        usable face), ModelError, EngineError.
        """
        self._begin(source, consent, config, on_event, settings, live=not self._pictures)

    def _begin(
        self,
        source: Photos | None,
        consent: bool,
        config: Config | None,
        on_event: Event | None,
        settings: Settings,
        *,
        live: bool,
    ) -> None:
        if on_event is not None and not callable(on_event):
            raise UsageError("wrong value for on_event", expected="a function", got=type(on_event).__name__)
        self._on_event, self._live = on_event or _ignore, live
        defaults: Settings = {"faces": "all"} if self._pictures else {}
        request = Request(_check(config)).with_settings(None, defaults).with_settings(source, settings)
        photos = list_photos(request.config)
        if not photos:
            raise SourceError("no source given", expected="a photo of the face to use")
        self._require_consent(request, photos, consent)
        self._program, self._request = self._make_program(request), request
        self._pipeline = self._program.pipeline(photos=self._pictures, live=live)
        self._lock, self._closed, self._uses = self._pipeline.lock, False, 0

    def update(self, source: Photos | None = None, *, consent: bool = False, **changes: Unpack[Changes]) -> None:
        """Change the source or settings from the next picture on; whoever is followed stays followed.

        Takes about 0.3 s, in which other threads that use this object wait. ``source`` (None: the same), ``consent``:
        as at the start. ``changes``: source_face, swap, swapper, strength, expression, color, detail, blend, finish,
        mask, parts, keep. If it raises, nothing has changed. Raises as the constructor does.
        """
        for name in changes.keys() & Settings.__annotations__.keys() - Changes.__annotations__.keys():
            expected, kind = ", ".join(sorted(Changes.__annotations__)), type(self).__name__
            raise ConfigError(f"{name} cannot change afterwards", expected=expected, do=f"Make a new {kind} with it.")
        with self._use():  # no picture is swapped meanwhile: the networks that look at photos are the same
            request = self._request.with_settings(source, changes)
            same = source is None and not changes.keys() & {"swap", "source_face"}
            known = {*self._request.pictures}  # a file may show somebody else by now
            photos = [] if same else [photo for photo in list_photos(request.config) if photo not in known]
            self._require_consent(request, photos, consent)
            program, mapping = self._make_program(request, self._program), self._pipeline.mapping
            if same:
                program.identities = self._program.identities
            else:
                mapping = program.mapping(photos=self._pictures)
            self._pipeline.use(program.renderer(live=self._live), mapping)
            self._program, self._request = program, request

    def close(self) -> None:
        """Free the networks after the current picture. Safe to call twice; nothing else works afterwards."""
        with self._lock:
            if not (self._closed or self._uses):  # ``on_event`` may close it during a picture
                del self._program, self._pipeline
            self._closed = True

    def __reduce__(self) -> NoReturn:
        """For ``pickle`` and ``copy``. Always raises UsageError."""
        raise UsageError(f"a {type(self).__name__} cannot be copied or sent", do="Make one in each process.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _use(self) -> Iterator[None]:
        """Hold the lock on the networks. Raises UsageError if they are closed."""
        with self._lock:
            if self._closed:
                raise UsageError(f"this {type(self).__name__} is closed", do="Make a new one, or close it later.")
            self._uses += 1
            try:
                yield
            finally:
                self._uses -= 1

    def _require_consent(self, request: Request, photos: Sequence[str], consent: bool) -> None:
        if not isinstance(consent, bool | np.bool_):
            raise UsageError("wrong value for consent", expected="True or False", got=repr(consent))
        consent = bool(consent) or request.config.source.i_have_consent
        require_consent(photos, request.pictures, consent=consent, on_event=self._on_event)

    def _make_program(self, request: Request, before: Program | None = None) -> Program:
        """``before``: a program with the same networks and marks."""
        return Program(
            request.config,
            on_event=self._on_event,
            models=before.models if before else None,
            swapper=request.swapper,
            finishes=request.finishes,
            disclosure=before.disclosure if before else None,
            pictures=request.pictures,
        )


class Swapper(_Loop):
    """Swaps single pictures. The networks are loaded once; pictures do not affect each other. ``faces`` is ``all``
    unless given. May be used from several threads: one picture is swapped at a time."""

    _pictures = True

    def swap(self, picture: Picture) -> MarkedImage:
        """Swap every face in a picture.

        ``picture``: a path, the bytes of an image file, a (H, W, 3) BGR uint8 array, which stays as it is, or a
        Pillow image. Returns the new picture as ``image``, (H, W, 3) BGR uint8; ``swapped`` and ``covered``, the
        numbers of faces; and ``reasons``, why any are covered. Raises InputError if it cannot be read or no face in
        it could be swapped, UsageError for a wrong type or form.
        """
        return self._swap(*_read(picture))

    def swap_many(self, pictures: Iterable[Picture]) -> Iterator[MarkedImage | RtswapError]:
        """Swap pictures one after the other, each when it is asked for: per picture, in order, what ``swap`` returns,
        or the error that it raises."""
        if is_picture(pictures):
            expected = "several pictures, such as a list of paths"
            raise UsageError("wrong value for pictures", expected=expected, got=type(pictures).__name__)
        return self._swap_each(pictures)

    def _swap_each(self, pictures: Iterable[Picture]) -> Iterator[MarkedImage | RtswapError]:
        for picture in pictures:
            result: MarkedImage | RtswapError
            try:
                result = self.swap(picture)
            except RtswapError as error:
                if self._closed:
                    raise
                result = error
            yield result

    def _swap(self, image: Image, name: str) -> MarkedImage:
        with self._use():
            return self._program.swap_picture(self._pipeline, image, name)


class LiveSwap(_Loop):
    """Swaps the frames of one stream as they come, in the caller's thread. ``update`` and ``close`` may be called
    from another."""

    _last: MarkedImage | None = None
    _index = -1

    def process(self, image: Image, captured_at: float | None = None) -> MarkedImage:
        """Swap the next frame of the stream.

        ``image``: (H, W, 3) BGR uint8, which stays as it is. ``captured_at``: seconds on ``time.perf_counter``, now
        if left out. Returns as ``Swapper.swap``. A face that cannot be swapped is covered; with ``on_failure="hold"``
        the last safe picture comes again. Raises UsageError for a wrong type or form, FaceLost with
        ``on_failure="stop"``, or if nothing can be shown.
        """
        if not isinstance(image, np.ndarray):
            got, do = type(image).__name__, conversion_of(image)
            raise UsageError("the frame is not an array", expected=ARRAY, got=got, do=do)
        now = time.perf_counter() if captured_at is None else captured_at
        if not is_seconds(now):
            raise UsageError("wrong value for captured_at", expected="seconds", got=repr(captured_at)[:80])
        with self._use():
            self._index += 1
            frame = own(Frame(pixels(image, "the frame"), self._index, float(now)))
            outcome = self._pipeline.process(frame, Quality())
            last = copy.deepcopy(self._last) if outcome.stamped is None else None
            marked = outcome.release(self._program.disclosure, frame, last)
            if marked is None:
                raise FaceLost("this frame cannot be shown", got=", ".join(sorted(outcome.reasons)))
            if self._request.config.safety.on_failure == "hold" and outcome.stamped is not None:
                self._last = copy.deepcopy(marked)  # the caller may draw into theirs
            return marked


class SwapSession(_Loop):
    """The program's own loop: threads, a latency budget, outputs that fail independently. ``update`` and ``stop`` may
    be called from any thread while ``run`` blocks."""

    def __init__(
        self,
        input: Input,
        outputs: Sequence[Output],
        source: Photos | None = None,
        *,
        consent: bool = False,
        config: Config | None = None,
        on_event: Event | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        """``input``, ``outputs``: as in docs/writing-parts.md; ``run`` closes them. The rest: as ``Swapper``."""
        if not isinstance(outputs, Iterable) or is_path(outputs):
            raise UsageError("wrong value for outputs", expected="a list of outputs", got=type(outputs).__name__)
        outputs = list(outputs)
        for kind, part, method in (("input", input, "frames"), *(("output", output, "send") for output in outputs)):
            if not hasattr(part, method):
                expected, do = f"an object with {method} and close", "docs/writing-parts.md shows one."
                raise UsageError(
                    f"the {kind} is of the wrong type", expected=expected, got=type(part).__name__, do=do
                )
        if not isinstance(getattr(input, "info", None), StreamInfo):
            expected, got = "a rtswap.core.types.StreamInfo", type(getattr(input, "info", None)).__name__
            raise UsageError("the input's info is of the wrong type", expected=expected, got=got)
        self._begin(source, consent, config, on_event, settings, live=input.info.live)
        self._metrics = Metrics()
        parts = OwnPictures(input), outputs
        self._session = self._program.session(*parts, metrics=self._metrics, pipeline=self._pipeline)
        self._ran = False

    def run(self) -> dict[str, Any]:
        """Swap until the input ends or ``stop`` is called; once. Returns the figures that ``rtswap --json`` prints,
        such as ``frames``, ``fps`` and ``frame_age_ms``. Raises InputError, OutputError, FaceLost."""
        with self._use():
            if self._ran:
                do = "Make a new one with a new input and new outputs."
                raise UsageError("this SwapSession has already run", do=do)
            self._ran = True
        self._session.run()
        return self._metrics.summary()

    def stop(self) -> None:
        """Stop soon, as if the input had ended."""
        self._session.stop()

    def close(self) -> None:
        """Stop, and free the networks."""
        self.stop()
        super().close()


def swap(
    picture: Picture,
    source: Photos | None = None,
    *,
    consent: bool = False,
    config: Config | None = None,
    on_event: Event | None = None,
    **settings: Unpack[Settings],
) -> MarkedImage:
    """Swap every face in one picture: ``Swapper(source, ...).swap(picture)``. For more than one picture use
    ``Swapper``, which loads the networks once."""
    image, name = _read(picture)  # before anything is loaded
    with Swapper(source, consent=consent, config=config, on_event=on_event, **settings) as swapper:
        return swapper._swap(image, name)


def run_session(
    input: Input,
    outputs: Sequence[Output],
    source: Photos | None = None,
    *,
    consent: bool = False,
    config: Config | None = None,
    on_event: Event | None = None,
    **settings: Unpack[Settings],
) -> dict[str, Any]:
    """Run a ``SwapSession`` until its input ends; returns its figures."""
    with SwapSession(
        input, outputs, source, consent=consent, config=config, on_event=on_event, **settings
    ) as session:
        return session.run()


def _read(picture: Picture) -> tuple[Image, str]:
    """A picture of our own to work in, and its name for messages."""
    name = str(picture) if is_path(picture) else "the picture"
    image = pixels(picture, name)
    return np.array(image, order="C") if image is picture else image, name


def _check(config: Config | None) -> Config:
    if config is not None and not isinstance(config, Config):
        expected, do = "a rtswap.app.config.Config", "Settings are keyword arguments: strength=0.8."
        raise UsageError("wrong value for config", expected=expected, got=type(config).__name__, do=do)
    return config or Config()


def _ignore(event: str) -> None:
    """Discard the event."""
