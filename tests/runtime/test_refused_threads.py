"""A system that allows no more threads ends a session, and leaves nothing open."""

from __future__ import annotations

import threading

import pytest
from faulty_outputs import Recorder
from faulty_parts import ScriptedInput
from faulty_sessions import assert_closed, play

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.parametrize("name", ["rtswap-output", "rtswap-input", "rtswap-work", "rtswap-closing"])
def test_where_the_system_refuses_a_thread_it_ends_closed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    output = Recorder(name="output")
    played = play(ScriptedInput(5), outputs=[output, Recorder(name="other")])
    assert_closed(played)
    assert [one.closes for one in played.outputs] == [1, 1]
    if name == "rtswap-closing":
        assert played.error is None
        assert output.indices == list(range(5))
    else:
        assert "can't start new thread" in str(played.error)
