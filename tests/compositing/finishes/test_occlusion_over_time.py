"""The occlusion mask from frame to frame: quick to see a hand, steady when in doubt, not looking at every frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from occluded_target import FixedAnswer, answer, hide_corner, mesh, place_of, swapped_face, target

from rtswap.compositing.finishes.occlusion import GAP_S, OcclusionMask
from rtswap.core.types import Quality, Tensor
from rtswap.networks.occlusion import OcclusionModel


def spot_over_time(answers: list[np.ndarray], times: list[float], tracks: list[int] | None = None) -> list[int]:
    engine = FixedAnswer(answers[0])
    step, values = OcclusionMask(OcclusionModel(engine)), []
    for number, (said, time_s) in enumerate(zip(answers, times, strict=True)):
        engine.answer = said
        face = target(time_s=time_s, track=tracks[number] if tracks else 1)
        values.append(int(step.apply(swapped_face(), face, Quality()).mask[place_of(47, 23, face.landmarks)]))
    return values


def test_a_hand_is_there_in_one_frame_and_gone_in_a_few() -> None:
    times = [k / 30 for k in range(10)]
    values = spot_over_time([answer()] * 2 + [answer(hide_corner())] * 3 + [answer()] * 5, times)
    assert values[:2] == [255, 255]
    assert values[2] < 64
    assert values[4] == 0
    assert values[-2:] == [255, 255]


def test_a_single_weak_answer_does_not_flicker() -> None:
    times = [k / 30 for k in range(6)]
    answers = [answer(hide_corner())] * 3 + [answer(0.55 * hide_corner())] + [answer(hide_corner())] * 2
    assert max(spot_over_time(answers, times)[3:]) < 64


def test_after_a_gap_or_backwards_in_time_the_past_says_nothing() -> None:
    for times in ([0.0, GAP_S + 0.1], [5.0, 4.9]):
        assert spot_over_time([answer(hide_corner()), answer()], times)[1] == 255


def test_tracks_are_apart_and_can_be_forgotten() -> None:
    assert spot_over_time([answer(hide_corner()), answer()], [0.0, 0.01], [1, 2])[1] == 255
    engine = FixedAnswer(answer(hide_corner()))
    step = OcclusionMask(OcclusionModel(engine))
    step.apply(swapped_face(), target(time_s=0.0), Quality())
    engine.answer = answer()
    assert step.apply(swapped_face(), target(time_s=0.01), Quality()).mask.min() < 128
    step.apply(swapped_face(), target(time_s=0.0), Quality())
    step.forget(1)
    step.forget(77)
    assert step.apply(swapped_face(), target(time_s=0.01), Quality()).mask.min() == 255


def test_what_was_seen_moves_with_the_face() -> None:
    """A hand that lies on the cheek of a face that has moved since is where the cheek is now."""
    engine = FixedAnswer(answer(hide_corner()))
    step = OcclusionMask(OcclusionModel(engine))
    step.apply(swapped_face(), target(time_s=0.0), Quality())
    engine.answer = answer(0.55 * hide_corner())
    moved = mesh()
    moved[:, 0] += 20
    mask = step.apply(swapped_face(), target(moved, time_s=0.02), Quality()).mask
    assert mask[place_of(47, 23, moved)] < 64


def test_without_time_it_looks_seldom_and_what_it_saw_stays() -> None:
    looks = 0

    def told() -> Mapping[str, Tensor]:
        nonlocal looks
        looks += 1
        return {"visible": answer(hide_corner())}

    mask, hurried = OcclusionMask(OcclusionModel(FixedAnswer(told))), Quality(match_color=False)
    found = [mask.apply(swapped_face(), target(time_s=n / 30), hurried).mask for n in range(30)]
    assert 9 <= looks <= 11
    assert all((one == 0).any() for one in found)
    assert np.array_equal(found[0], found[1])


def test_several_faces_are_looked_at_in_turn() -> None:
    looks: list[int] = []

    def told() -> Mapping[str, Tensor]:
        looks[-1] += 1
        return {"visible": answer(hide_corner())}

    mask = OcclusionMask(OcclusionModel(FixedAnswer(told)), every_s=0.06)
    for n in range(90):
        looks.append(0)
        for track in (1, 2, 3):
            face = target(time_s=n / 30)
            mask.apply(swapped_face(), replace(face, track_id=track), Quality())
    assert looks[0] == 3
    assert max(looks[1:]) == 1
    assert sum(looks[1:]) >= 3 * 10
