"""A system that allows no more threads ends a session, and leaves nothing open."""

from __future__ import annotations

import threading

import pytest
from faulty_outputs import Recorder
from faulty_parts import ScriptedInput
from faulty_sessions import assert_closed, play

from rtswap.core.errors import OutputError
from rtswap.runtime.session import Session

pytestmark = pytest.mark.usefixtures("impatient")


def test_an_output_that_is_added_without_a_thread_is_closed_and_the_session_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file's other outputs waited for it for ever."""
    start, added = threading.Thread.start, Recorder(name="added")

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "rtswap-added":
            raise RuntimeError("can't start new thread")
        start(thread)

    def tick(session: Session) -> None:
        if not added.closes:
            with pytest.raises(OutputError, match="can't start new thread"):
                session.add_output(added)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    played = play(ScriptedInput(20), outputs=[Recorder(name="output")], tick=tick)
    assert_closed(played)
    assert added.closes == 1
    assert played.error is None
    assert played.output.indices == list(range(20))


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
