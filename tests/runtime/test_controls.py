"""The keys of a running session."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faulty_outputs import Recorder
from faulty_parts import ScriptedLookout, ScriptedSwapper, ScriptedTracker

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.renderer import HostRenderer
from rtswap.core.errors import OutputError
from rtswap.core.types import Frame, Head, Quality, Sighting
from rtswap.disclosure.stamp import Stamp
from rtswap.runtime.controls import Controls, Looks
from rtswap.runtime.mapping import SourceMapping
from rtswap.runtime.metrics import Metrics
from rtswap.runtime.pipeline import Pipeline, Policy


class FakeSession:
    def __init__(self) -> None:
        self.stopped = 0
        self.outputs: list[Any] = []

    def stop(self) -> None:
        self.stopped += 1

    def add_output(self, output: Any) -> None:
        self.outputs.append(output)

    def remove_output(self, output: Any) -> None:
        self.outputs.remove(output)


def made(
    record: Any = Recorder, lookout: ScriptedLookout | None = None, *, everyone: bool = True
) -> tuple[Controls, Any, Pipeline, list[str]]:
    events: list[str] = []
    pipeline = Pipeline(
        ScriptedTracker(),
        HostRenderer([ScriptedSwapper(), ScriptedSwapper()], canvas=HostCanvas, stamp=Stamp(None)),
        lookout=lookout or ScriptedLookout(),
        policy=Policy(),
        on_event=events.append,
        mapping=SourceMapping(choices=2, everyone=everyone),
    )
    controls = Controls(pipeline, record, Metrics(), on_event=events.append)
    session: Any = FakeSession()
    controls.attach(session)
    return controls, session, pipeline, events


def test_q_ends_it() -> None:
    controls, session, _, _ = made()
    controls.press("q")
    assert session.stopped == 1


def test_s_turns_the_swap_off_and_on_and_the_preview_says_so() -> None:
    controls, _, pipeline, events = made()
    controls.press("o")
    controls.press("s")
    assert not pipeline.swapping
    assert "swap off" in controls.overlay()
    controls.press("s")
    assert pipeline.swapping
    assert events == ["swap off", "swap on"]


def test_what_is_covered_while_the_swap_is_off_is_not_told_as_a_surprise() -> None:
    box = np.array([10, 10, 60, 60], np.float32)
    told = {}
    for key in ("s", ""):
        controls, _, pipeline, events = made(lookout=ScriptedLookout(lambda index: Sighting((Head(box, 0.9),))))
        controls.press(key)
        for index in range(3):
            pipeline.process(Frame(np.full((120, 160, 3), 90, np.uint8), index, 0.0, time_s=index / 25), Quality())
        told[key] = events
    assert told["s"] == ["swap off"]
    assert any("a head that is not swapped is covered" in event for event in told[""])


@pytest.mark.parametrize("everyone", [False, True])
def test_who_swaps_everybody_is_not_told_how_to(everyone: bool) -> None:
    head = Head(np.array([10, 10, 60, 60], np.float32), 0.9)
    _, _, pipeline, events = made(lookout=ScriptedLookout(lambda index: Sighting((head,))), everyone=everyone)
    pipeline.process(Frame(np.full((120, 160, 3), 90, np.uint8), 0, 0.0, time_s=0.0), Quality())
    (told,) = [event for event in events if "a head that is not swapped is covered" in event]
    assert ("--faces all" in told) == (not everyone)


def test_o_shows_and_hides_the_figures() -> None:
    controls, *_ = made()
    assert controls.overlay() == ()
    controls.press("o")
    assert any("fps" in line for line in controls.overlay())
    controls.press("o")
    assert controls.overlay() == ()


def test_r_begins_and_ends_a_recording() -> None:
    controls, session, _, events = made(lambda: Recorder(name="clip.mp4"))
    controls.press("r")
    assert [output.name for output in session.outputs] == ["clip.mp4"]
    controls.press("r")
    assert session.outputs == []
    assert events == ["recording clip.mp4", "recorded clip.mp4"]


def test_a_recording_that_cannot_start_is_reported_and_the_run_goes_on() -> None:
    def record() -> Recorder:
        raise OutputError("the disk is full")

    controls, session, _, events = made(record)
    controls.press("r")
    assert session.outputs == []
    assert not session.stopped
    assert events == ["cannot record: the disk is full"]


def test_n_follows_whoever_is_there_now() -> None:
    controls, _, pipeline, events = made()
    controls.press("n")
    assert pipeline._anew
    assert events == ["following the person in view now"]


def test_the_question_mark_shows_the_keys() -> None:
    controls, *_ = made()
    controls.press("?")
    shown = "\n".join(controls.overlay())
    for key in ("q", "s", "o", "r", "n", "+ -", "> <", "1 to 2"):
        assert any(line.startswith(key) for line in shown.splitlines()), key
    controls.press("?")
    assert controls.overlay() == ()


def test_what_was_recorded_is_remembered() -> None:
    controls, *_ = made(lambda: Recorder(name="clip.mp4"))
    controls.press("r")
    assert controls.recorded == ["clip.mp4"]


class Adjustable:
    """Remembers the settings it was given."""

    def __init__(self) -> None:
        self.now: tuple[float, float] | None = None

    def adjust(self, *, expression: float, strength: float) -> Any:
        def apply() -> None:
            self.now = expression, strength

        return apply


def test_strength_and_expression_have_keys() -> None:
    controls, _, _, events = made()
    swapper: Any = Adjustable()
    controls._looks = Looks([swapper], 1.0, 1.2)
    for key in "++><<<":
        controls.press(key)
    assert swapper.now == (0.8, 1.3)
    assert events[:3] == ["strength 1.3", "strength 1.3", "expression 1.1"]


def test_a_swapper_that_cannot_change_says_so() -> None:
    controls, _, _, events = made()
    controls.press("+")
    assert events == ["this swapper cannot change while it runs: use --strength and --expression"]


def test_digits_choose_among_the_sources_there_are() -> None:
    controls, _, _, events = made()
    for key in ("2", "3", "0", "9", "²", "x", "", "\n"):
        controls.press(key)
    assert events == ["source 2"]


def test_before_there_is_a_session_keys_do_no_harm() -> None:
    controls, *_ = made()
    controls._session = None
    for key in "qr":
        controls.press(key)
