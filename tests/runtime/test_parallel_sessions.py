"""Several sessions at once: all run, the first failure ends all, nobody is left behind."""

from __future__ import annotations

import itertools
import threading

import pytest

from rtswap.core.errors import InputError
from rtswap.runtime.parallel_sessions import run_together


class Scripted:
    """A session that runs for so long, or until it is stopped, and then fails if it is to."""

    def __init__(
        self, lasts_s: float, error: BaseException | None = None, meet: threading.Barrier | None = None
    ) -> None:
        self.lasts_s, self.error, self.meet = lasts_s, error, meet
        self.stopped = threading.Event()
        self.thread = ""
        self.ended = False

    def run(self) -> None:
        self.thread = threading.current_thread().name
        if self.meet is not None:
            self.meet.wait(20)
        self.stopped.wait(self.lasts_s)
        self.ended = True
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        self.stopped.set()


pytestmark = pytest.mark.usefixtures("impatient")


def test_all_run_at_once_and_to_their_end() -> None:
    meet = threading.Barrier(5)
    sessions = [Scripted(60, meet=meet) for _ in range(5)]
    ticks = itertools.count(1)

    def tick() -> None:
        if next(ticks) == 3:
            for session in sessions:
                session.stop()

    run_together(sessions, on_tick=tick)
    assert all(session.ended for session in sessions)
    assert len({session.thread for session in sessions}) == 5
    assert next(ticks) > 3, "ticks go on while they run"


def test_the_first_failure_stops_the_others_and_is_raised() -> None:
    sessions = [Scripted(60), Scripted(0.02, InputError("the camera was unplugged")), Scripted(60)]
    with pytest.raises(InputError, match="unplugged"):
        run_together(sessions)
    assert all(session.ended for session in sessions)


def test_ctrl_c_stops_all() -> None:
    sessions = [Scripted(60), Scripted(60)]

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_together(sessions, on_tick=interrupt)
    assert all(session.ended for session in sessions)
