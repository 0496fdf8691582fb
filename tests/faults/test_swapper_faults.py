"""Whatever a swapper answers, the face is swapped or covered."""

from __future__ import annotations

import time

import pytest
from faulty_parts import ScriptedInput, ScriptedSwapper
from faulty_sessions import MOMENTS, assert_closed, assert_survived, play
from prepared_sources import ready  # noqa: F401

from rtswap.runtime.session import Session

KINDS = [
    *("view raises", "swap raises", "nothing"),
    *("nan matrix", "singular matrix", "view of elsewhere", "view of no size"),
    *("float crop", "nan crop", "crop shape", "gray crop", "mask dtype", "mask shape"),
    *("zero mask", "faint mask", "target back", "copy of the target", "writes into the target"),
]
CASES = [
    (kind, policy, moment)
    for kind in KINDS
    for policy in ("blur", "pixelate", "hold", "stop")
    for moment in MOMENTS
    if not (policy == "pixelate" and moment != "mid-stream")
    and not (policy == "stop" and moment in ("two in a row", "every other"))
    and not (moment == "seventy in a row" and (policy != "blur" or kind not in ("swap raises", "zero mask")))
]


@pytest.mark.parametrize(("kind", "policy", "moment"), CASES)
def test_file(kind: str, policy: str, moment: str) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count), swappers=[ScriptedSwapper(kind, faults)], policy=policy)
    assert_survived(played, policy, count, faults)
    if policy != "stop":
        assert all(played.output.swapped[i] == 0 for i in faults) or policy == "hold"
        assert all(played.output.swapped[i] == 1 for i in range(count) if i not in faults)


@pytest.mark.parametrize("policy", ["blur", "hold"])
@pytest.mark.parametrize("kind", KINDS)
def test_live(kind: str, policy: str) -> None:
    count, faults = MOMENTS["every other"]
    played = play(ScriptedInput(count, live=True), swappers=[ScriptedSwapper(kind, faults)], policy=policy)
    assert_closed(played)
    assert played.error is None
    assert played.events, "somebody is told"


@pytest.mark.parametrize("live", [True, False])
def test_slow_is_no_failure(live: bool) -> None:
    played = play(ScriptedInput(12, live=live), swappers=[ScriptedSwapper("slow", range(12))])
    assert_closed(played)
    assert played.error is None
    assert set(played.output.swapped) == {1}


@pytest.mark.parametrize("policy", ["blur", "hold", "stop"])
def test_one_that_hangs_lets_the_last_safe_picture_stand(policy: str) -> None:
    """Live outputs get the last picture again; ``stop`` ends the session although the network never answers."""
    swapper = ScriptedSwapper("hang", [3])
    until = time.perf_counter() + 0.7

    def tick(session: Session) -> None:
        if time.perf_counter() > until:
            session.stop()

    played = play(ScriptedInput(10_000, live=True), swappers=[swapper], policy=policy, tick=tick)
    swapper.release.set()
    assert played.bare() == []
    assert played.left_behind == ["rtswap-work"]
    assert any("does not respond" in event for event in played.events)
    assert played.output.closes == 1
    assert played.output.indices.count(played.output.indices[-1]) >= 2, "the last one was repeated"


def test_one_face_that_works_keeps_the_session_alive() -> None:
    """A face that never can be swapped stays covered; it is no reason to end while another one works."""
    from face_stream import draw, face, picture, track_at

    from rtswap.core.types import Frame, Image, Quality, Track

    def two(index: int) -> Image:
        image = picture(index, at=(35, 40))
        draw(image, face(1), (105, 40))
        return image

    class Both:
        others = ()

        def update(self, frame: Frame, quality: Quality, sighting: object = None) -> list[Track]:
            return [track_at(35, 40), track_at(105, 40, id=2)]

        def reset(self) -> None: ...

    swapper = ScriptedSwapper("swap raises", range(1, 1000, 2))
    played = play(ScriptedInput(100, make=two), tracker=Both(), swappers=[swapper])
    assert played.error is None
    assert played.bare(0) == played.bare(1) == []
    assert len(played.output.images) == 100
    assert sum("swapping failed" in event for event in played.events) <= 100
