"""Frames wait or are dropped in one place only, in order, and a failure on one side is heard on the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtswap.runtime.mailbox import Closed, Mailbox

SOON_S = 5.0
"""Far longer than anything here takes; a hang fails instead of lasting."""


class Thread(threading.Thread):
    """Keeps what its function returned or raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.result: object = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.work()
        except (OSError, ValueError, Closed) as error:
            self.error = error

    def finish(self) -> Thread:
        self.join(SOON_S)
        assert not self.is_alive(), "still waiting"
        return self


def test_newest_wins_and_counts_what_it_drops() -> None:
    box = Mailbox[int](1, newest_wins=True)
    for number in range(5):
        box.put(number)
    assert box.dropped == 4
    assert box.get() == 4
    assert len(box) == 0


@given(st.lists(st.integers() | st.none(), max_size=60), st.integers(1, 4), st.booleans())
def test_order_is_kept_and_nothing_is_counted_twice(
    steps: list[int | None], capacity: int, newest_wins: bool
) -> None:
    """None takes, a number is put: as a plain list model would have it."""
    box = Mailbox[int](capacity, newest_wins=newest_wins)
    model: list[int] = []
    dropped = 0
    for step in steps:
        if step is None:
            if model:
                assert box.get(0) == model.pop(0)
            else:
                with pytest.raises(TimeoutError):
                    box.get(0)
        elif len(model) < capacity:
            box.put(step)
            model.append(step)
        elif newest_wins:
            box.put(step)
            model = [*model[1:], step]
            dropped += 1
        else:
            with pytest.raises(TimeoutError):
                box.put(step, 0)
        assert (len(box), box.dropped) == (len(model), dropped)


def test_lossless_delivers_everything_in_order_to_a_slow_taker() -> None:
    box = Mailbox[int](2, newest_wins=False)

    def produce() -> None:
        for number in range(2000):
            box.put(number)
        box.close()

    producer = Thread(produce)
    taken = Thread(lambda: list(box))
    assert producer.finish().error is None
    assert taken.finish().result == list(range(2000))
    assert box.dropped == 0


def test_live_taker_sees_rising_numbers_and_every_put_is_taken_or_counted() -> None:
    box = Mailbox[int](1, newest_wins=True)
    taker = Thread(lambda: list(box))
    for number in range(5000):
        box.put(number)
    box.close()
    taken = taker.finish().result
    assert isinstance(taken, list)
    assert taken == sorted(set(taken))
    assert taken[-1] == 4999
    assert len(taken) + box.dropped == 5000


@pytest.mark.parametrize("newest_wins", [True, False])
def test_close_delivers_what_waits_then_ends(newest_wins: bool) -> None:
    box = Mailbox[str](3, newest_wins=newest_wins)
    box.put("a")
    box.put("b")
    box.close()
    box.close()
    assert [box.get(), box.get()] == ["a", "b"]
    with pytest.raises(Closed):
        box.get()
    with pytest.raises(Closed):
        box.put("c")


@pytest.mark.parametrize("newest_wins", [True, False])
def test_close_wakes_a_waiting_taker(newest_wins: bool) -> None:
    box = Mailbox[int](1, newest_wins=newest_wins)
    taker = Thread(box.get)
    box.close()
    assert isinstance(taker.finish().error, Closed)


def test_close_wakes_a_producer_that_waits_for_room() -> None:
    box = Mailbox[int](1, newest_wins=False)
    box.put(1)
    producer = Thread(lambda: box.put(2))
    box.close()
    assert isinstance(producer.finish().error, Closed)
    assert list(box) == [1], "an item whose put raised was not taken over"


def test_failure_of_the_taker_reaches_the_producer() -> None:
    box = Mailbox[int](1, newest_wins=False)
    box.put(1)
    producer = Thread(lambda: box.put(2))
    failure = OSError("virtual camera is gone")
    box.fail(failure)
    assert producer.finish().error is failure


def test_failure_of_a_file_input_comes_after_the_frames_it_had_read() -> None:
    box = Mailbox[int](3, newest_wins=False)
    box.put(1)
    box.put(2)
    box.fail(OSError("corrupt packet"))
    assert [box.get(), box.get()] == [1, 2]
    with pytest.raises(OSError, match="corrupt packet"):
        box.get()


def test_failure_of_a_live_input_overtakes_its_last_frame() -> None:
    box = Mailbox[int](1, newest_wins=True)
    box.put(1)
    box.fail(OSError("unplugged"))
    with pytest.raises(OSError, match="unplugged"):
        box.get()


def test_first_failure_counts_and_its_traceback_does_not_grow() -> None:
    box = Mailbox[int](1, newest_wins=True)
    box.close()
    box.fail(ValueError("first"))
    box.fail(ValueError("second"))
    depths = []
    for _ in range(20):
        with pytest.raises(ValueError, match="first") as caught:
            box.get()
        depths.append(len(caught.traceback))
    assert depths[0] == depths[-1]


def test_get_waits_for_its_timeout_and_no_longer() -> None:
    box = Mailbox[int](1, newest_wins=True)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        box.get(0.05)
    assert 0.04 <= time.monotonic() - began < 10


def test_waiting_costs_no_cpu() -> None:
    box = Mailbox[int](1, newest_wins=True)
    used = time.thread_time()
    with pytest.raises(TimeoutError):
        box.get(0.3)
    assert time.thread_time() - used < 0.1


def test_room_made_by_the_taker_lets_the_producer_go_on() -> None:
    box = Mailbox[int](1, newest_wins=False)
    box.put(1)
    producer = Thread(lambda: box.put(2))
    assert box.get(SOON_S) == 1
    assert box.get(SOON_S) == 2
    producer.finish()


def test_capacity_must_hold_something() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox[int](0, newest_wins=True)
