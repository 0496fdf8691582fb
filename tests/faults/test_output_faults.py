"""Whatever the outputs, the canvas and the disclosure do, and whatever keys are pressed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from face_stream import shows_face
from faulty_outputs import FaultyDisclosure, Recorder, canvases, is_tagged
from faulty_parts import ScriptedInput, ScriptedSwapper, ScriptedTracker
from faulty_sessions import MOMENTS, assert_closed, play
from prepared_sources import ready  # noqa: F401

from rtswap.core.errors import OutputError
from rtswap.runtime.budget import Budget
from rtswap.runtime.pipeline import Policy
from rtswap.runtime.session import Session

COUNT = 12
ERRORS = {"OutputError": OutputError, "ValueError": ValueError, "TimeoutError": TimeoutError}


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("at", [0, 5])
@pytest.mark.parametrize("kind", ERRORS)
def test_the_only_output_fails(kind: str, at: int, live: bool) -> None:
    played = play(ScriptedInput(COUNT, live=live), outputs=[Recorder(kind, [at])])
    assert_closed(played)
    assert isinstance(played.error, ERRORS[kind])
    assert played.output.sends == at, "nothing is sent to what has failed"


@pytest.mark.parametrize("order", ["first", "second"])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("at", [0, 5])
def test_one_of_two_fails(at: int, live: bool, order: str) -> None:
    bad, good = Recorder("OutputError", [at], name="bad"), Recorder(name="good")
    played = play(ScriptedInput(COUNT, live=live), outputs=[bad, good] if order == "first" else [good, bad])
    assert_closed(played)
    assert isinstance(played.error, OutputError), "it is raised in the end"
    assert good.indices[-1] == COUNT - 1, "the other one got everything to the last"
    assert len(good.indices) == COUNT or live
    assert any("bad failed and was closed" in event for event in played.events)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("kind", ["close: OutputError", "close: OSError"])
def test_one_that_cannot_finish_is_no_success(kind: str, others: int, live: bool) -> None:
    outputs = [Recorder(kind), *[Recorder() for _ in range(others)]]
    played = play(ScriptedInput(COUNT, live=live), outputs=outputs)
    assert_closed(played)
    assert isinstance(played.error, OutputError if "Output" in kind else OSError)


@pytest.mark.parametrize("live", [True, False])
def test_a_slow_one_gets_all_of_a_file(live: bool) -> None:
    slow = Recorder("slow", range(COUNT))
    played = play(ScriptedInput(COUNT, live=live), outputs=[slow])
    assert_closed(played)
    assert played.error is None
    assert slow.indices[-1] == COUNT - 1
    assert slow.indices == list(range(COUNT)) or live


def test_one_that_hangs_holds_up_neither_the_others_nor_the_end() -> None:
    stuck, good = Recorder("hang", [2], name="stuck"), Recorder()
    played = play(ScriptedInput(COUNT, live=True), outputs=[stuck, good])
    stuck.release.set()
    assert good.indices[-1] == COUNT - 1
    assert good.closes == 1
    assert isinstance(played.error, OutputError)
    assert "stuck does not respond" in str(played.error)
    assert played.bare() == []


@pytest.mark.parametrize("policy", ["blur", "pixelate", "hold"])
@pytest.mark.parametrize("moment", ["first frame", "mid-stream", "two in a row"])
@pytest.mark.parametrize("kind", ["make", "crop", "paste", "cover", "image"])
def test_canvas(kind: str, moment: str, policy: str) -> None:
    """A crop that fails is a face that cannot be swapped. Whatever else fails: the frame is covered, or the last safe
    one held, and the session goes on."""
    count, faults = MOMENTS[moment]
    tracker = ScriptedTracker("empty", faults if kind == "cover" else ())
    played = play(ScriptedInput(count), tracker=tracker, canvas=canvases(kind, faults), policy=policy)
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == count
    assert sum(swapped == 0 for swapped in played.output.swapped) <= len(faults)
    held = kind == "cover" and policy == "hold" and moment != "first frame"
    assert any("failed" in event for event in played.events) is not held
    assert played.metrics.summary()["frames_covered"] >= 1


STAMPS = ("raises", "forged", "another picture", "another stamp")


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("moment", ["first frame", "mid-stream"])
@pytest.mark.parametrize("kind", STAMPS)
def test_what_was_not_stamped_does_not_leave(kind: str, moment: str, live: bool) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count, live=live), disclosure=FaultyDisclosure(kind, faults))
    assert_closed(played)
    assert played.error is None, "the last one that was is sent instead"
    assert played.output.indices[-1] == count - 1
    assert sum("failed" in event for event in played.events) == 1


@pytest.mark.parametrize("policy", [Policy("blur"), Policy("hold"), Policy(pass_through=True)], ids=str)
@pytest.mark.parametrize("tracked", ["coasting", "empty", "exception"])
def test_frames_without_a_swap_are_stamped_too(tracked: str, policy: Policy) -> None:
    """Covered ones, and plain ones."""
    tracker = ScriptedTracker(tracked, range(20))
    played = play(
        ScriptedInput(20), tracker=tracker, swappers=[ScriptedSwapper("swap raises", range(99))], policy=policy
    )
    assert len(played.output.images) == 20
    assert all(is_tagged(image) for image in played.output.images)
    assert set(played.output.swapped) == {0}


KEYS: dict[str, Callable[[Session, int], None]] = {
    "swap off": lambda session, i: setattr(session.pipeline, "swapping", i < 5),
    "swap off and on": lambda session, i: setattr(session.pipeline, "swapping", i % 3 > 0),
    "another source": lambda session, i: session.pipeline.mapping.select(int(i > 5)),
    "source after source": lambda session, i: session.pipeline.mapping.select(i % 2),
    "quit": lambda session, i: session.stop() if i == 5 else None,
}


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("policy", ["blur", "pixelate", "hold", "stop"])
@pytest.mark.parametrize("keys", KEYS)
def test_keys(keys: str, policy: str, live: bool) -> None:
    seen: list[Session] = []

    def before(index: int) -> None:
        until = time.perf_counter() + 5
        while not seen and time.perf_counter() < until:
            time.sleep(0.001)
        KEYS[keys](seen[0], index)

    played = play(
        ScriptedInput(COUNT, live=live, before=before),
        swappers=[ScriptedSwapper(), ScriptedSwapper(put_on=7)],
        policy=policy,
        tick=lambda session: seen.append(session),
    )
    assert_closed(played)
    assert played.error is None, "switching the swap off is no failure"
    if keys != "quit" and not live:
        assert played.output.indices == list(range(COUNT)), "and costs no frame"
    if keys == "another source":
        assert shows_face(played.output.images[0], 9)
        assert shows_face(played.output.images[-1], 7)
        assert not shows_face(played.output.images[-1], 9)


@pytest.mark.parametrize("faults", [(), range(0, 30, 4)])
def test_age_does_not_grow_under_twice_the_load(faults: range) -> None:
    """Frames come every 5 ms and take 10: half are dropped, and none waits longer than those before it."""
    input = ScriptedInput(60, live=True, pause_s=0.005)
    swapper = ScriptedSwapper("slow", range(1000))
    tracker = ScriptedTracker("empty", faults)

    def tick(session: Session) -> None:
        input.waiting = lambda: 0

    played = play(input, swappers=[swapper], tracker=tracker, budget=Budget(0.005), tick=tick)
    assert_closed(played)
    ages = played.output.ages
    assert played.session.dropped > 5
    third = len(ages) // 3
    assert sorted(ages[-third:])[third // 2] < 2 * sorted(ages[1 : third + 1])[third // 2] + 0.02
    assert played.metrics.recent()["level"] > 0, "the budget has stepped down"
