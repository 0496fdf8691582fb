"""Whole sessions of parts that fail, and what must hold after them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from face_stream import shows_face
from faulty_outputs import FaultyDisclosure, Recorder, is_tagged
from faulty_parts import ScriptedInput, ScriptedLookout, ScriptedSwapper, ScriptedTracker

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.renderer import HostRenderer
from rtswap.core.errors import FaceLost
from rtswap.core.protocols import Stamp
from rtswap.core.types import (
    Image,
)
from rtswap.disclosure import Disclosure
from rtswap.runtime.budget import Budget
from rtswap.runtime.mapping import SourceMapping
from rtswap.runtime.metrics import Metrics
from rtswap.runtime.pipeline import Pipeline, Policy
from rtswap.runtime.session import Session


@dataclass
class Played:
    error: BaseException | None
    outputs: Sequence[Recorder]
    events: list[str]
    metrics: Metrics
    left_behind: list[str]
    session: Session = field(repr=False)

    @property
    def output(self) -> Recorder:
        return self.outputs[0]

    def bare(self, who: int = 0) -> list[int]:
        """The indices of the pictures that left with the face in them."""
        seen: dict[bytes, bool] = {}
        bare: set[int] = set()
        for output in self.outputs:
            for image, index in zip(output.images, output.indices, strict=True):
                content = image.tobytes()
                if content not in seen:
                    seen[content] = shows_face(image, who)
                if seen[content]:
                    bare.add(index)
        return sorted(bare)


def play(
    input: ScriptedInput,
    *,
    tracker: Any = None,
    lookout: Any = None,
    swappers: Sequence[Any] = (),
    finishes: Sequence[Any] = (),
    canvas: Callable[[Image], Any] = HostCanvas,
    renderer: Callable[[Stamp], Any] | None = None,
    partial: bool = False,
    policy: str | Policy = "blur",
    disclosure: Disclosure | None = None,
    outputs: Sequence[Recorder] = (),
    mapping: SourceMapping | None = None,
    budget: Budget | None = None,
    tick: Callable[[Session], object] = lambda session: None,
    listen: Callable[[str], object] = lambda text: None,
    **rest: Any,
) -> Played:
    """One session from start to end, and what became of it. ``tick`` is called from the main thread."""
    events: list[str] = []

    def on_event(text: str) -> None:
        events.append(text)
        listen(text)

    metrics = Metrics()
    outputs = outputs or [Recorder()]
    disclosure = disclosure or FaultyDisclosure()

    def on_the_host(stamp: Stamp) -> HostRenderer:
        parts = swappers or [ScriptedSwapper()]
        return HostRenderer(parts, canvas=canvas, stamp=stamp, finishes=finishes, partial=partial)

    pipeline = Pipeline(
        tracker or ScriptedTracker(),
        (renderer or on_the_host)(disclosure.stamp),
        lookout=lookout or ScriptedLookout(),
        policy=policy if isinstance(policy, Policy) else Policy(policy),
        on_event=events.append,
        mapping=mapping,
    )
    session = Session(
        input,
        pipeline,
        disclosure,
        outputs,
        metrics=metrics,
        quality_budget=budget,
        on_event=on_event,
        on_tick=lambda: tick(session),
        **rest,
    )
    input.waiting = lambda: len(session._frames)
    before = set(threading.enumerate())
    error: BaseException | None = None
    try:
        session.run()
    except (Exception, KeyboardInterrupt) as raised:  # noqa: BLE001 - whatever it is, the test looks at it
        error = raised
    left = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    return Played(error, outputs, events, metrics, left, session)


MOMENTS: dict[str, tuple[int, Sequence[int]]] = {
    "first frame": (16, [0]),
    "mid-stream": (16, [8]),
    "two in a row": (16, [8, 9]),
    "seventy in a row": (84, range(8, 78)),
    "every other": (20, range(1, 20, 2)),
}
"""Name -> (frames in all, frames that go wrong)."""


def assert_closed(played: Played) -> None:
    """No face, no unmarked picture, no thread, no open output, nothing out of order: what holds however it ends."""
    assert played.bare() == []
    assert all(is_tagged(image) for output in played.outputs for image in output.images)
    assert played.left_behind == []
    for output in played.outputs:
        assert output.closes == 1
        assert output.sent_after_close == 0
        assert output.indices == sorted(output.indices)


def assert_survived(played: Played, policy: str, count: int, faults: Sequence[int]) -> None:
    """What holds after swaps failed in ``faults`` of ``count`` frames: ``stop`` ends before the first of them, any
    other policy delivers every frame."""
    assert_closed(played)
    if policy == "stop":
        assert isinstance(played.error, FaceLost)
        assert played.output.indices == list(range(faults[0]))
    else:
        assert played.error is None, "not even seventy failures in a row end it"
        assert len(played.output.indices) == count
