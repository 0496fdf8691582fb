"""Who gets whose face, and keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from face_stream import track_at

from rtswap.core.types import Image, Points, Tensor, Track
from rtswap.networks.recognition import LEARN_EVERY_S, LOOK_EVERY_S, SAME
from rtswap.runtime.mapping import LOOKS, Assignment, Example, Person, SourceMapping
from rtswap.tracking.tracker import HOLD_S

WIDTH, HEIGHT = 640, 240
MAIN, A, B = 0, 1, 2
STEP_S = LEARN_EVERY_S


def person(id: int, x: float, *, px: float = 60, confidence: float = 1.0) -> Track:
    return track_at(x, 120, id=id, px=px, confidence=confidence)


def looks_of(who: int) -> Tensor:
    return np.eye(8, dtype=np.float32)[who]


class Recogniser:
    """Sees who it is in the pixel in the middle of the face."""

    def __init__(self) -> None:
        self.looks = 0

    def embed(self, image: Image, keypoints: Points) -> Tensor:
        self.looks += 1
        x, y = keypoints[:, :2].mean(0).astype(int)
        return looks_of(int(image[y, x, 0]))


class Scene:
    """Frames of people who stand at places; who each of them is can be seen there."""

    def __init__(self, *assignments: tuple[Person, int], **rest: Any) -> None:
        self.recogniser = Recogniser()
        rest = {"recogniser": self.recogniser, "choices": 1} | rest
        self.mapping = SourceMapping([Assignment(*one) for one in assignments], **rest)
        self.now_s = 0.0

    def frame(self, *tracks: Track, who: Sequence[int] = (), width: int = WIDTH) -> dict[int, int | None]:
        """Id -> source, or None for those who are covered; the others are left out."""
        image = np.zeros((HEIGHT, width, 3), np.uint8)
        for track, one in zip(tracks, who, strict=False):
            x, y = track.landmarks[:, :2].mean(0).astype(int)
            image[y - 5 : y + 5, x - 5 : x + 5] = one
        self.now_s += STEP_S
        return {track.id: source for track, source in self.mapping.assign(image, tracks, self.now_s)}


def known(who: int) -> Example:
    return Example((looks_of(7), looks_of(who)))


def test_without_assignments_everybody_gets_the_main_source() -> None:
    scene = Scene(choices=3, everyone=False)
    assert scene.frame(person(1, 100), person(2, 300)) == {1: MAIN, 2: MAIN}
    scene.mapping.select(2)
    assert scene.frame(person(1, 100), person(2, 300)) == {1: 2, 2: 2}
    assert not scene.mapping.assigned
    assert scene.recogniser.looks == 0


def test_several_sources_are_spread_from_left_to_right() -> None:
    said: list[str] = []
    scene = Scene(choices=3, spread=True, on_event=said.append)
    assert scene.frame(person(1, 500), person(2, 100)) == {2: 0, 1: 1}
    assert scene.frame(person(1, 50), person(2, 400)) == {2: 0, 1: 1}, "they keep their sources"
    assert scene.frame(person(1, 50), person(2, 400), person(3, 20)) == {2: 0, 1: 1, 3: 2}
    assert said == []
    assert scene.frame(person(1, 50), person(2, 400), person(3, 20), person(4, 600))[4] == 0
    assert said == ["4 faces, but 3 sources: the sources repeat. --swap chooses who gets which"]
    scene.mapping.select(1)
    assert scene.frame(person(1, 50), person(2, 400)) == {1: 1, 2: 1}
    scene.mapping.select(None)
    assert scene.frame(person(1, 50), person(2, 400)) == {2: 0, 1: 1}


@pytest.mark.parametrize("everyone", [True, False])
def test_different_people_get_different_faces_and_keep_them_when_they_cross(everyone: bool) -> None:
    scene = Scene(("left", A), ("right", B), everyone=everyone)
    for step in range(21):
        x = 100 + 20 * step
        assert scene.frame(person(5, x), person(4, 600 - x)) == {5: A, 4: B}
    assert scene.mapping.assigned
    assert scene.mapping.unmet == []


def test_assignments_work_in_any_order() -> None:
    assert Scene(("right", A), ("left", B)).frame(person(1, 500), person(2, 100)) == {1: A, 2: B}
    assert Scene(("largest", A)).frame(person(1, 500), person(2, 100, px=80)) == {1: MAIN, 2: A}
    assert Scene(("largest", A), ("left", B)).frame(person(1, 500), person(2, 100, px=80)) == {1: B, 2: A}


def test_numbers_go_from_left_to_right_and_on_as_people_come() -> None:
    scene = Scene((1, A), (3, B))
    assert scene.frame(person(1, 500), person(2, 100)) == {1: MAIN, 2: A}
    assert scene.mapping.unmet == [1]
    assert scene.frame(person(1, 500), person(2, 600), person(3, 50)) == {1: MAIN, 2: A, 3: B}
    assert scene.frame(person(3, 600), person(1, 100)) == {3: B, 1: MAIN}


@pytest.mark.parametrize(("x", "first", "second"), [(100, A, B), (500, B, A)])
def test_with_one_person_there_left_and_right_are_halves_of_the_picture(x: float, first: int, second: int) -> None:
    scene = Scene(("left", A), ("right", B))
    assert scene.frame(person(1, x)) == {1: first}
    assert scene.mapping.unmet == [second - 1]
    assert scene.frame(person(1, x), person(2, 300)) == {1: first, 2: second}, "the other one comes"
    assert scene.frame(person(1, x), person(2, 300), person(3, 250)) == {1: first, 2: second, 3: MAIN}


def test_a_person_who_leaves_and_comes_back_has_the_same_face_again() -> None:
    scene = Scene(("left", A), everyone=False, choices=0, others_shown=True)
    assert scene.frame(person(1, 100), person(2, 500)) == {1: A}
    for _ in range(int(0.9 * HOLD_S / STEP_S)):
        assert scene.frame(person(2, 90), person(3, 300)) == {}, "nobody else gets it"
    assert scene.frame(person(1, 400), person(2, 90)) == {1: A}


def test_after_a_while_only_a_newcomer_takes_the_place_and_gives_it_back() -> None:
    """So it goes on for a person whose id did not come back; those who were there all along stay who they are."""
    scene = Scene(("left", A))
    scene.frame(person(1, 100), person(2, 500))
    for _ in range(int(HOLD_S / STEP_S) + 2):
        assert scene.frame(person(2, 500)) == {2: MAIN}
    assert scene.frame(person(2, 50), person(3, 300)) == {2: MAIN, 3: A}
    assert scene.frame(person(2, 50), person(3, 300), person(1, 500)) == {2: MAIN, 3: MAIN, 1: A}
    assert scene.frame(person(2, 50), person(3, 300)) == {2: MAIN, 3: A}


def test_a_face_that_coasts_keeps_its_source_and_decides_nothing() -> None:
    scene = Scene(("left", A))
    assert scene.frame(person(1, 100, confidence=0.5), person(2, 300)) == {1: MAIN, 2: A}
    assert scene.frame(person(1, 100), person(2, 300, confidence=0.2)) == {1: MAIN, 2: A}


def test_with_faces_one_one_more_person_is_swapped_and_others_can_be_shown() -> None:
    scene = Scene(("left", A), everyone=False, others_shown=True)
    people = person(1, 100), person(2, 300), person(3, 500, px=90)
    assert scene.frame(*people) == {1: A, 3: MAIN}
    assert scene.frame(person(1, 100), person(2, 300, px=99), person(3, 500)) == {1: A, 3: MAIN}, "it sticks"
    for _ in range(int(HOLD_S / STEP_S) + 2):
        last = scene.frame(person(1, 100), person(2, 300))
    assert last == {1: A, 2: MAIN}, "after a while somebody else is followed"
    assert scene.frame(*people) == {1: A, 3: MAIN}, "and gives way"
    scene.mapping.select(5)
    assert scene.frame(*people) == {1: A, 3: 5}


def test_without_a_main_source_everybody_else_is_covered_or_left_alone() -> None:
    assert Scene(("left", A), choices=0).frame(person(1, 100), person(2, 300)) == {1: A, 2: None}
    people = person(1, 100), person(2, 300)
    assert Scene(("left", A), choices=0, everyone=False, others_shown=True).frame(*people) == {1: A}


def test_with_faces_one_others_are_covered_unless_they_are_to_be_shown() -> None:
    people = person(1, 100), person(2, 300), person(3, 500, px=90)
    assert Scene(("left", A), everyone=False).frame(*people) == {1: A, 2: None, 3: MAIN}


@pytest.mark.parametrize("everyone", [True, False])
def test_an_example_is_recognised_anywhere_in_the_picture(everyone: bool) -> None:
    scene = Scene((known(3), B), ("left", A), everyone=everyone)
    assert scene.frame(person(1, 100), person(2, 500), who=(3, 4)) == {1: B, 2: A}, "left is left of the others"
    looked = scene.recogniser.looks
    for _ in range(5):
        assert scene.frame(person(1, 500), person(2, 100), who=(3, 4)) == {1: B, 2: A}
    assert scene.recogniser.looks == looked, "who is found is not looked for"
    assert scene.frame(person(2, 100), person(9, 300), who=(4, 3)) == {2: A, 9: B}, "under another id as well"


def test_an_example_who_comes_later_gets_their_own_source() -> None:
    scene = Scene(("left", A), (known(3), B))
    assert scene.frame(person(1, 100), who=(0,)) == {1: A}
    assert scene.frame(person(1, 100), who=(3,)) == {1: B}
    assert scene.frame(person(1, 100), person(2, 500), who=(3, 0)) == {1: B, 2: A}


@pytest.mark.parametrize(("everyone", "told"), [(True, {1: MAIN, 2: MAIN}), (False, {2: MAIN})])
def test_nobody_matches_an_absent_example(everyone: bool, told: dict[int, int]) -> None:
    """Until that has been seen of somebody they are covered: they could be the one."""
    scene = Scene((known(3), B), everyone=everyone, others_shown=True)
    people = person(1, 100), person(2, 500, px=80)
    for _ in range(LOOKS - 1):
        assert scene.frame(*people, who=(1, 2)) == {1: None, 2: None}
    for _ in range(20):
        assert scene.frame(*people, who=(1, 2)) == told
    assert scene.recogniser.looks <= 2 * (LOOKS + 20 * STEP_S / LOOK_EVERY_S + 1), (
        "strangers are looked at less often"
    )
    assert scene.mapping.unmet == [0]


def test_a_person_turned_away_matches_nobody() -> None:
    scene = Scene((known(3), B), everyone=False, choices=0)
    hidden = person(1, 100, px=20)
    for _ in range(10):
        assert scene.frame(hidden, who=(1,)) == {1: None}
    assert scene.frame(person(1, 100), who=(3,)) == {1: B}


def test_a_picture_is_looked_at_once() -> None:
    scene = Scene((known(3), B), looks=1)
    assert scene.frame(person(1, 100), person(2, 300), who=(1, 3)) == {1: MAIN, 2: B}


def test_the_more_similar_of_two_people_matches() -> None:
    scene = Scene((known(3), B))
    near = looks_of(3) * np.float32(0.8) + looks_of(1) * np.float32(0.6)
    vectors = iter([near, looks_of(3)])
    scene.recogniser.embed = lambda image, keypoints: next(vectors)  # type: ignore[method-assign]
    assert scene.frame(person(1, 100), person(2, 300))[2] == B


@pytest.mark.parametrize(("alike", "source"), [(SAME - 0.01, MAIN), (SAME + 0.01, B)])
def test_a_slightly_similar_person_does_not_match(alike: float, source: int) -> None:
    scene = Scene((known(3), B), looks=1)
    vector = looks_of(3) * np.float32(alike) + looks_of(1) * np.float32((1 - alike**2) ** 0.5)
    scene.recogniser.embed = lambda image, keypoints: vector  # type: ignore[method-assign]
    assert scene.frame(person(1, 100)) == {1: source}


@pytest.mark.parametrize("how", ["asked", "another size"])
def test_begins_anew(how: str) -> None:
    scene = Scene(("left", A), (2, B))
    scene.frame(person(1, 100), person(2, 500))
    if how == "asked":
        scene.mapping.reset()
    width = WIDTH if how == "asked" else 700
    assert scene.frame(person(3, 500), person(4, 100), width=width) == {3: B, 4: A}


def test_a_track_without_finite_numbers_matches_nobody() -> None:
    scene = Scene(("left", A))
    lost = replace(person(1, 10), box=np.full(4, np.nan, np.float32))
    assert scene.frame(lost, person(2, 300)) == {1: MAIN, 2: A}


@pytest.mark.parametrize("everyone", [True, False])
def test_a_person_can_be_chosen_while_it_runs(everyone: bool) -> None:
    scene = Scene(choices=2, everyone=everyone, choosing=True)
    rest = MAIN if everyone else None
    here = (person(1, 100), person(2, 300, px=90))
    assert scene.mapping.assigned, "everybody must be followed, to be chosen"
    assert scene.frame(*here) == {1: rest, 2: MAIN}
    scene.mapping.choose(1, 1)
    assert scene.frame(*here) == {1: 1, 2: MAIN}
    scene.mapping.choose(2, None)
    assert scene.frame(person(2, 100, px=90))[2] is None, "covered, wherever they are"
    scene.mapping.leave(2)
    assert scene.frame(*here) == {1: 1, 2: MAIN}
    assert dict(scene.mapping.chosen) == {1: 1}
    assert scene.frame(*here, width=320)[1] == 1, "chosen people stay chosen when the picture's shape changes"


def test_not_endlessly_many_people_are_remembered_as_chosen() -> None:
    scene = Scene(choosing=True)
    for id in range(1, 400):
        scene.mapping.choose(id, None)
    assert len(scene.mapping.chosen) <= 256
    assert 399 in scene.mapping.chosen
