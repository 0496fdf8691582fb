"""The second detector as it watches a stream."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from face_stream import track_at
from fake_heads import FromAfar, Marked, scene

from rtswap.core.errors import ModelError
from rtswap.networks.heads import HeadModel, decode
from rtswap.tracking.close_look_queue import MOST, MOST_AT_FIRST
from rtswap.tracking.lookout import (
    AT_FIRST,
    CONFIRMED,
    FAINT,
    MOST_SKIPPED,
    SHADE_EVERY,
    SURER_IN_SHADE,
    UNSURE,
    Sentinel,
)
from rtswap.tracking.neighbours import SIDE
from rtswap.tracking.reduced_picture import AREA, is_clear, reduced
from rtswap.tracking.second_look import SecondLook

pytestmark = pytest.mark.usefixtures("coarse")


def sentinel(model: HeadModel) -> Sentinel:
    return Sentinel(model, HeadModel(Marked()), model)


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (480, 640), (3840, 2160), (64, 64), (33, 500), (1, 1)])
def test_pictures_are_reduced_to_whole_cells(size: tuple[int, int]) -> None:
    small = reduced(np.zeros((*size[::-1], 3), np.uint8))
    assert small.shape[0] % 32 == small.shape[1] % 32 == 0
    assert small.shape[0] * small.shape[1] <= 1.25 * AREA
    assert small.flags.c_contiguous


def test_heads_come_in_pixels_of_the_frame() -> None:
    image = scene(1, (1280, 720))
    (head,) = sentinel(HeadModel(Marked())).look(image).heads
    scale = np.divide(image.shape[1::-1], reduced(image).shape[1::-1])
    middle = (head.box[:2] + head.box[2:]) / 2
    np.testing.assert_allclose(middle, np.array([3.5 + 0.25, 2.5 - 0.5]) * 8 * scale, rtol=1e-5)
    np.testing.assert_allclose(head.box[2:] - head.box[:2], 16 * scale, rtol=1e-5)
    assert head.score == pytest.approx(0.9)


def test_a_faint_head_is_looked_at_more_closely_by_three_networks() -> None:
    image = scene(1, (1280, 720))
    (head,) = Sentinel(FromAfar(0.94), FromAfar(0.98), FromAfar(0.92)).look(image).heads
    assert head.score == pytest.approx(0.94)
    fainter = FromAfar(0.95, afar=UNSURE[0] + 0.05)
    (head,) = Sentinel(fainter, fainter, fainter).look(image).heads
    assert head.score == pytest.approx(0.95), "also one that is too faint to be told"
    refusing = [(0.99, 2 * CONFIRMED - 1.04), (2 * CONFIRMED - 1.04, 0.99), (CONFIRMED - 0.01, CONFIRMED - 0.01)]
    models = [(FromAfar(one), FromAfar(other)) for one, other in refusing]
    for beside, close in [*models, (FromAfar(0.95, middle=SIDE - 20),) * 2]:
        (head,) = Sentinel(beside, beside, close).look(image).heads
        assert head.score == pytest.approx(FAINT + 0.05)
        assert beside.close_ups >= 1


@pytest.mark.usefixtures("lit")
def test_in_the_first_frame_of_a_scene_fainter_heads_are_looked_at_too() -> None:
    """Somebody small in soft light stood bare beside the swapped person until something moved."""
    faint = FromAfar(0.95, afar=(AT_FIRST + UNSURE[0]) / 2)
    watch = Sentinel(faint, faint, faint)
    (head,) = watch.look(scene(1, (1280, 720))).heads
    assert head.score == pytest.approx(0.95)
    before = faint.close_ups
    faint.heads = [*faint.heads, (200, 120)]
    watch.look(scene(1, (1280, 720)) // 2)
    assert faint.close_ups == before, "later it is as likely a leaf"


@pytest.mark.usefixtures("lit")
def test_in_the_first_frame_many_heads_are_looked_at_then_new_ones_while_those_that_were_none_wait() -> None:
    model = FromAfar(0.0)
    watch = Sentinel(model, model, model)
    model.heads = [(20 + 25 * n, 60) for n in range(MOST + 2)]
    images = [scene(1, (1280, 720)) // divisor for divisor in (1, 2, 1)]
    counts = []
    for number, image in enumerate(images):
        if number == 2:
            model.heads += [(20 + 25 * n, 120) for n in range(MOST + 1)]
        before = model.close_ups
        watch.look(image)
        counts.append(model.close_ups - before)
    assert counts == [MOST + 2, 0, MOST]
    assert MOST + 2 <= MOST_AT_FIRST


def test_heads_of_those_who_are_swapped_need_no_closer_look_but_small_ones_before_them() -> None:
    image, model = scene(1, (1280, 720)), FromAfar(0.95)
    Sentinel(model, model, model).look(image, [np.array([150, 210, 250, 310], np.float32)])
    assert model.close_ups == 0
    Sentinel(model, model, model).look(image, [np.array([100, 150, 310, 400], np.float32)])
    assert model.close_ups == 0, "the nose and mouth of dark skin look like a head"
    Sentinel(model, model, model).look(image, [np.array([100, 60, 310, 310], np.float32)])
    assert model.close_ups == 3


@pytest.mark.usefixtures("lit")
@pytest.mark.parametrize(("moved", "came"), [("there", 1), ("elsewhere", 0), ("everywhere", 0)])
def test_what_comes_into_an_empty_room_is_doubted_if_it_looks_but_faintly_like_a_head(moved: str, came: int) -> None:
    """Half a face between curtains, say. Not if it stood there before, and not while the camera moves."""
    image, model = scene(1, (1280, 720)), FromAfar(0.0, afar=FAINT + 0.05)
    watch = Sentinel(model, HeadModel(Marked()), model)
    watch.look(image)
    assert watch.look_beside(image, []).beside == ()
    x, y = {"there": (160, 240), "elsewhere": (800, 500), "everywhere": (0, 0)}[moved]
    changed = image.copy()
    part = changed[y : y + 64, x : x + 64] if moved != "everywhere" else changed
    part[:] = 255 - part
    watch.look(changed)
    assert len(watch.look_beside(changed, []).beside) == came
    beside = watch.look_beside(changed, [track_at(900, 300, px=140)]).beside
    assert beside == (), "somebody is swapped: hands come, too"
    watch.look(changed)
    assert watch.look_beside(changed, []).beside == ()


def test_where_nobody_is_swapped_both_networks_are_asked_about_the_whole_picture() -> None:
    image, faint, sure = scene(1, (1280, 720)), FromAfar(0.0, afar=0.6), FromAfar(0.0, afar=0.96)
    (head,) = Sentinel(faint, sure, faint).look(image).heads
    assert head.score == pytest.approx(0.78)
    (head,) = Sentinel(faint, sure, faint).look(image, [np.array([800, 400, 900, 500], np.float32)]).heads
    assert head.score == pytest.approx(0.6)


def test_a_head_that_the_other_network_alone_sees_keeps_a_cover_while_nobody_is_swapped() -> None:
    """In stripes of light the first one sees nobody, and after three seconds the picture was sent as it was."""
    image, blind, sees = scene(1, (1280, 720)), FromAfar(0.0, afar=0.05), FromAfar(0.0, afar=0.42)
    (head,) = Sentinel(blind, sees, blind).look(image).heads
    assert head.score == pytest.approx(FAINT)
    assert Sentinel(blind, FromAfar(0.0, afar=0.38), blind).look(image).heads == ()
    assert Sentinel(blind, sees, blind).look(image, [np.array([800, 400, 900, 500], np.float32)]).heads == ()


def test_of_single_pictures_more_pixels_are_seen_and_less_is_doubted() -> None:
    """Buttons on shirts score 0.3 there."""
    image, model = scene(1, (1280, 720)), FromAfar(0.95, afar=0.4)
    watch = Sentinel(model, model, model, photos=True)
    assert [head.score for head in watch.look(image).heads] == pytest.approx([0.4])
    assert model.close_ups == 0


def test_of_squares_that_lie_on_each_other_the_best_is_kept() -> None:
    maps = [np.zeros((4, 24, 40), np.float32), np.zeros((4, 12, 20), np.float32), np.zeros((4, 6, 10), np.float32)]
    maps[0][:, 5, 5] = (0.6, 0, 0, 3)
    maps[1][:, 2, 2] = (0.8, 0.1, 0.1, 1.5)
    maps[2][:, 4, 8] = (0.7, 0, 0, 2)
    found = decode(maps, 0.5)
    assert found[:, 4].tolist() == pytest.approx([0.8, 0.7])


def test_a_much_smaller_head_before_another_is_kept() -> None:
    """As a picture is that somebody holds before their face."""
    maps = [np.zeros((4, 24, 40), np.float32), np.zeros((4, 12, 20), np.float32), np.zeros((4, 6, 10), np.float32)]
    maps[1][:, 4, 8] = (0.8, 0, 0, 2.5)
    maps[2][:, 2, 4] = (0.9, 0, 0, 4)
    assert decode(maps, 0.5)[:, 4].tolist() == pytest.approx([0.9, 0.8])
    maps[1][3, 4, 8] = 4.5
    assert decode(maps, 0.5)[:, 4].tolist() == pytest.approx([0.9])


@pytest.mark.parametrize("spoil", ["nan", "constant", "shape", "missing"])
def test_a_network_that_answers_nonsense_is_a_failure_not_an_empty_picture(spoil: str) -> None:
    with pytest.raises(ModelError, match="second detector"):
        sentinel(HeadModel(Marked(spoil))).look(scene(1))


def test_cuts_are_seen_motion_and_light_are_none() -> None:
    watch = sentinel(HeadModel(Marked()))
    first = scene(1)
    assert not watch.look(first).cut
    for image in (
        np.roll(first, 12, 1),
        (first * 0.4).astype(np.uint8),
        np.clip(first * 1.6, 0, 255).astype(np.uint8),
    ):
        assert not watch.look(image).cut
    assert watch.look(scene(2)).cut
    assert not watch.look(scene(2)).cut
    watch.reset()
    assert not watch.look(first).cut


def test_one_grey_value_is_nobody_whatever_the_network_sees_in_it() -> None:
    """A closed lens: what the network says of it must not keep the picture covered for ever."""
    seen = sentinel(HeadModel(Marked())).look(np.full((360, 640, 3), 90, np.uint8))
    assert not seen.heads
    assert seen.sure


def test_dark_and_noise_do_not_show_that_nobody_is_there() -> None:
    gray = cv2.cvtColor(scene(3), cv2.COLOR_BGR2GRAY)
    noise = np.random.default_rng(1).normal(0, 60, gray.shape)
    assert is_clear(gray)
    assert not is_clear((gray * 0.015).astype(np.uint8))
    assert not is_clear(np.clip(128 + noise, 0, 255).astype(np.uint8))


@pytest.mark.usefixtures("lit")
def test_where_nothing_changes_not_every_frame_is_looked_at_and_none_is_forgotten() -> None:
    network = Marked()
    watch = sentinel(HeadModel(network))
    heads = [watch.look(scene(1)).heads for _ in range(4 * (MOST_SKIPPED + 1))]
    assert network.runs == 4
    assert all(len(found) == 1 for found in heads)


@pytest.mark.usefixtures("lit")
@pytest.mark.parametrize("light", [1.0, 0.1])
def test_whoever_comes_in_is_looked_at_in_the_first_frame(light: float) -> None:
    network, rng = Marked(), np.random.default_rng(2)
    watch, empty = sentinel(HeadModel(network)), scene(1) * light
    for _ in range(2):
        watch.look(np.clip(empty + rng.normal(0, 1, empty.shape), 0, 255).astype(np.uint8))
    before = network.runs
    empty[200:230, 400:424] = 240 * light
    watch.look(np.clip(empty + rng.normal(0, 1, empty.shape), 0, 255).astype(np.uint8))
    assert network.runs == before + 1


@pytest.mark.usefixtures("lit")
def test_a_slow_change_adds_up() -> None:
    network = Marked()
    watch, first, second = sentinel(HeadModel(network)), scene(1), scene(1)
    second[200:230, 400:424] = 255
    for share in np.linspace(0, 1, 40):
        watch.look(cv2.addWeighted(first, 1 - share, second, float(share), 0))
    assert network.runs > 20


@pytest.mark.usefixtures("lit")
def test_what_moves_within_a_swapped_face_calls_for_no_look_what_moves_beside_it_does() -> None:
    network = Marked()
    watch, image = sentinel(HeadModel(network)), scene(1)
    face = np.array([100, 100, 180, 200], np.float32)
    watch.look(image, [face])
    image = image.copy()
    image[130:170, 120:160] += np.uint8(25)
    watch.look(image, [face])
    assert network.runs == 1
    watch.look(np.roll(image, 60, 1), [face])
    assert network.runs == 2


@pytest.mark.usefixtures("lit")
def test_what_pops_up_within_a_swapped_face_is_looked_at_at_once() -> None:
    network = Marked()
    watch, image = sentinel(HeadModel(network)), scene(1)
    face = np.array([100, 100, 180, 200], np.float32)
    watch.look(image, [face])
    image = image.copy()
    image[130:170, 120:160] = 255 * (image[130:170, 120:160].mean() < 128)
    watch.look(image, [face])
    assert network.runs == 2
    watch.look(image, [face])
    assert network.runs == 2, "it has been seen"


@pytest.mark.usefixtures("lit")
@pytest.mark.parametrize(("beyond", "runs"), [(0.05, 1), (0.4, 2)])
def test_what_appears_beside_a_swapped_face_is_looked_at_at_once(beyond: float, runs: int) -> None:
    """``beyond``: the margin, in faces; its own head changes the picture close by."""
    image, face = scene(1, (1280, 720)), np.array([500, 200, 800, 500], np.float32)
    watch = sentinel(HeadModel(network := Marked()))
    watch.look(image, [face])
    changed, x = image.copy(), round(800 + beyond * 300)
    changed[300:360, x : x + 40] = 255 - changed[300:360, x : x + 40]
    watch.look(changed, [face])
    assert network.runs == runs


@pytest.mark.parametrize(("surer", "found"), [(SURER_IN_SHADE / 2, 0), (2 * SURER_IN_SHADE, 1)])
def test_heads_in_shade_must_be_surer_while_somebody_is_swapped(
    surer: float, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equalised, hands look like heads."""
    dim = np.array([[40, 60, 56, 76, 0.4]], np.float32)
    monkeypatch.setattr(SecondLook, "in_shade", lambda self, picture: dim.copy())
    model = FromAfar(CONFIRMED + surer)
    model.heads = []
    assert len(Sentinel(model, model, model).look(scene(1)).heads) == 1
    watch, settled = Sentinel(model, model, model), [np.array([400, 100, 500, 220], np.float32)]
    for number in range(SHADE_EVERY):
        heads = watch.look(scene(1) // (1 + number % 2), settled).heads
    assert len(heads) == found
