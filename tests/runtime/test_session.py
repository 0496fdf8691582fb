"""The threads around the loop: who gets what, in which order, from which thread, and how it ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from face_stream import picture
from faulty_outputs import Fault, Recorder
from faulty_parts import ScriptedInput, ScriptedLookout, ScriptedSwapper, ScriptedTracker
from faulty_sessions import assert_closed, play

from rtswap.core.types import Frame, Quality
from rtswap.disclosure.stamp import Stamp
from rtswap.runtime import session as module
from rtswap.runtime.pipeline import Outcome, Pipeline, Policy
from rtswap.runtime.session import Session

pytestmark = pytest.mark.usefixtures("impatient")


def test_a_file_reaches_every_output_whole_and_in_order() -> None:
    outputs = [Recorder(), Recorder("slow", range(0, 50, 7))]
    played = play(ScriptedInput(50), outputs=outputs)
    assert_closed(played)
    for output in outputs:
        assert output.indices == list(range(50))
        assert output.times == [i / 30 for i in range(50)]
    assert played.metrics.frames == 50


def test_live_the_newest_picture_wins() -> None:
    input = ScriptedInput(40, live=True, pause_s=0.002)
    output = Recorder("slow", range(100))

    def tick(session: Session) -> None:
        input.waiting = lambda: 0

    played = play(input, outputs=[output], tick=tick)
    assert_closed(played)
    assert output.indices[-1] == 39
    assert played.session.dropped > 0


def test_the_window_is_served_by_the_thread_that_runs() -> None:
    window, output = Recorder(name="window"), Recorder(name="other")
    played = play(ScriptedInput(10), outputs=[output], window=window)
    assert_closed(played)
    assert window.threads == {threading.current_thread().name}
    assert window.indices == list(range(10)), "a file's preview shows all of it"
    assert window.closes == 1
    assert threading.current_thread().name not in output.threads


@pytest.mark.parametrize("where", ["tick", "window"])
def test_ctrl_c_finishes_what_was_begun(where: str) -> None:
    class Interrupted(Recorder):
        def send(self, image):  # type: ignore[no-untyped-def]
            super().send(image)
            if where == "window" and self.sends == 3:
                raise KeyboardInterrupt

    def tick(session: Session) -> None:
        if where == "tick" and output.sends > 3:
            raise KeyboardInterrupt

    window, output = Interrupted(name="window"), Recorder()
    played = play(ScriptedInput(10_000, live=True), outputs=[output], window=window, tick=tick)
    assert_closed(played)
    assert played.error is None
    assert window.closes == 1
    assert any("interrupted" in event for event in played.events)


def test_an_error_in_a_tick_ends_it_closed() -> None:
    def tick(session: Session) -> None:
        raise Fault("the status line broke")

    played = play(ScriptedInput(10_000, live=True), tick=tick)
    assert_closed(played)
    assert isinstance(played.error, Fault)


@pytest.mark.parametrize("when", ["an output fails", "the end"])
def test_an_error_in_a_listener_ends_it_closed(when: str) -> None:
    """A failed output was neither closed nor told, and the end did not wait for the recording."""

    def listen(text: str) -> None:
        raise Fault(text)

    def tick(session: Session) -> None:
        if when == "the end":
            raise KeyboardInterrupt

    outputs = [Recorder(), Recorder("OutputError", [3])] if when == "an output fails" else [Recorder()]
    played = play(ScriptedInput(10_000, live=True), outputs=outputs, tick=tick, listen=listen)
    assert_closed(played)
    assert isinstance(played.error, Fault)


def test_an_output_whose_name_breaks_later_is_closed_and_told() -> None:
    class Nameless(Recorder):
        @property
        def name(self) -> str:
            if self.sends > 0:
                raise Fault("no name")
            return "nameless"

        @name.setter
        def name(self, value: str) -> None: ...

    played = play(ScriptedInput(10), outputs=[Recorder(), Nameless("OutputError", [3])])
    assert_closed(played)
    assert str(played.error) == "gone"
    assert played.events == ["nameless failed and was closed, the others continue: gone"]


def ending(act: Callable[[Session], None]) -> Callable[[Session], None]:
    """Calls ``act`` once, from another thread."""
    threads: list[threading.Thread] = []

    def tick(session: Session) -> None:
        if not threads:
            threads.append(threading.Thread(target=act, args=(session,)))
            threads[0].start()

    return tick


@pytest.mark.parametrize("stopped", [False, True])
def test_sound_after_the_last_picture_is_kept_of_an_input_that_was_not_stopped(stopped: bool) -> None:
    class WithSound(Recorder):
        played_out_at: int | None = None

        def play_out(self) -> None:
            self.played_out_at = self.closes

    output = WithSound()
    input = ScriptedInput(10_000 if stopped else 3, live=False)
    played = play(input, outputs=[output], tick=lambda session: session.stop() if stopped else None)
    assert played.error is None
    assert output.played_out_at == (None if stopped else 0)


def test_stop_from_another_thread() -> None:
    played = play(ScriptedInput(10_000, live=True), tick=ending(lambda session: session.stop()))
    assert played.error is None
    assert played.output.closes == 1
    assert len(played.output.indices) < 10_000


def test_outputs_come_and_go_while_it_runs() -> None:
    guest = Recorder(name="guest")

    def act(session: Session) -> None:
        session.add_output(guest)
        until = time.perf_counter() + 5
        while guest.sends < 3 and time.perf_counter() < until:
            time.sleep(0.005)
        session.remove_output(guest)
        at_close = guest.sends
        time.sleep(0.05)
        assert guest.sends == at_close
        session.stop()

    played = play(ScriptedInput(10_000, live=True), tick=ending(act))
    assert played.error is None
    assert guest.closes == 1
    assert guest.sends >= 3
    assert played.output.indices[-1] >= guest.indices[-1], "the other one went on"


def test_an_output_that_is_added_after_the_end_is_closed() -> None:
    played = play(ScriptedInput(2))
    late = Recorder()
    played.session.add_output(late)
    assert late.closes == 1


def test_a_failing_output_has_finished_before_run_returns() -> None:
    class Slow(Recorder):
        def close(self) -> None:
            time.sleep(0.1)
            super().close()

    output = Slow("OutputError", [2])
    played = play(ScriptedInput(10), outputs=[output])
    assert output.closes == 1
    assert played.left_behind == []


def test_the_first_failure_is_the_one_that_is_raised() -> None:
    def before(index: int) -> None:
        if index == 5:
            raise Fault("the input broke")

    played = play(ScriptedInput(10, before=before), outputs=[Recorder("close: OSError")])
    assert isinstance(played.error, Fault)


def test_with_nothing_to_hold_the_first_face_is_covered() -> None:
    played = play(ScriptedInput(6), swappers=[ScriptedSwapper("swap raises", range(3))], policy="hold")
    assert_closed(played)
    assert played.output.indices == list(range(6))


def pipeline_of(tracker: ScriptedTracker, swapper: ScriptedSwapper, policy: Policy) -> Pipeline:
    from rtswap.compositing.canvas.host import HostCanvas
    from rtswap.compositing.renderer import HostRenderer

    renderer = HostRenderer([swapper], canvas=HostCanvas, stamp=Stamp(None))
    return Pipeline(tracker, renderer, lookout=ScriptedLookout(), policy=policy, on_event=lambda text: None)


def test_a_pipeline_without_a_session_counts_its_results() -> None:
    swapper = ScriptedSwapper("swap raises", [1])
    pipeline = pipeline_of(ScriptedTracker("empty", [2]), swapper, Policy(empty_after_s=1.0))
    outcomes: list[Outcome] = [pipeline.process(Frame(picture(i), i, 0.0, i / 30), Quality()) for i in range(4)]
    assert [(outcome.swapped, outcome.covered) for outcome in outcomes] == [(1, 0), (0, 1), (0, 1), (1, 0)]
    assert swapper.forgotten == [1]
    assert {"track", "crop", "swap", "paste"} <= outcomes[0].stages.keys()


def test_following_anew_forgets_the_earlier_person() -> None:
    tracker = ScriptedTracker()
    pipeline = pipeline_of(tracker, ScriptedSwapper(), Policy())
    pipeline.process(Frame(picture(0), 0, 0.0, 0.0), Quality())
    pipeline.follow_anew()
    for i in (1, 2):
        assert pipeline.process(Frame(picture(i), i, 0.0, i / 30), Quality()).swapped == 1
    assert tracker.resets == 1


def test_pixels_away_from_the_face_keep_every_bit() -> None:
    pipeline = pipeline_of(ScriptedTracker(), ScriptedSwapper(), Policy())
    outcome = pipeline.process(Frame(picture(0), 0, 0.0, 0.0), Quality())
    assert outcome.image is not None
    np.testing.assert_array_equal(outcome.image[:, 80:], picture(0)[:, 80:])
    assert not np.array_equal(outcome.image, picture(0))


class Hanging(Recorder):
    """Takes a frame, or closes, only once ``released``."""

    def __init__(self, where: str) -> None:
        super().__init__(name="hanging")
        self.where, self.released = where, threading.Event()

    def send(self, image):  # type: ignore[no-untyped-def]
        if self.where == "send":
            self.released.wait(20)
        super().send(image)

    def close(self) -> None:
        if self.where == "close":
            self.released.wait(20)
        super().close()


def test_a_second_ctrl_c_abandons_an_output_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOIN_S", 20.0)
    monkeypatch.setattr(module, "HURRY_S", 0.1)
    hanging, twice = Hanging("close"), threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])

    def tick(session: Session) -> None:
        if not twice.is_alive():
            signal.raise_signal(signal.SIGINT)
            twice.start()

    before, began = signal.signal(signal.SIGINT, signal.default_int_handler), time.perf_counter()
    played = play(ScriptedInput(10_000, live=True), outputs=[hanging], tick=tick)
    hanging.released.set()
    assert isinstance(played.error, KeyboardInterrupt)
    assert time.perf_counter() - began < 5
    assert [event for event in played.events if "interrupted" in event] == [
        "interrupted: finishing the recordings",
        "interrupted again: an unfinished recording keeps the name NAME.partial.SUFFIX",
    ]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_slow_end_speaks_of_ctrl_c_only_after_one(monkeypatch: pytest.MonkeyPatch, interrupted: bool) -> None:
    monkeypatch.setattr(module, "SLOW_S", 0.05)
    slow = Hanging("close")
    threading.Timer(0.6, slow.released.set).start()

    def tick(session: Session) -> None:
        signal.raise_signal(signal.SIGINT) if interrupted else session.stop()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    events = play(ScriptedInput(10_000, live=True), outputs=[slow], tick=tick).events
    signal.signal(signal.SIGINT, before)
    again = "; Ctrl-C again leaves them unfinished" if interrupted else ""
    assert [event for event in events if "still" in event] == [f"still finishing the outputs{again}"]


def test_an_input_that_hangs_does_not_keep_the_recordings_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a stream that is lost, which answers only after its own time limit; a second Ctrl-C would leave them
    unfinished."""
    monkeypatch.setattr(module, "SLOW_S", 0.5)
    lost, released = threading.Event(), threading.Event()

    def hang(index: int) -> None:
        if index == 3:
            lost.set()
            released.wait(20)

    def tick(session: Session) -> None:
        if lost.is_set():
            session.stop()

    recorder = Recorder()
    played = play(ScriptedInput(10_000, live=True, before=hang), outputs=[recorder], tick=tick)
    released.set()
    assert played.error is None
    assert recorder.closes == 1
    assert [event for event in played.events if "finishing" in event] == []
    assert "input does not respond, continuing without it" in played.events


def test_a_hanging_output_is_reported_once_and_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW_S", 0.05)
    hanging = Hanging("send")
    events: list[str] = []
    began = time.perf_counter()

    def tick(session: Session) -> None:
        if time.perf_counter() - began > 0.3:
            hanging.released.set()
            session.stop()

    events = play(ScriptedInput(10_000, live=True), outputs=[hanging], tick=tick).events
    assert [event for event in events if "hanging" in event] == ["hanging accepts no frames; waiting for it"]
