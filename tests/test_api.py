"""rtswap from Python: single pictures, live pictures, and sessions with custom parts."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import group
from PIL import Image
from prepared_sources import ready  # noqa: F401
from python_api import badge_of, find_changes, open_networks_once, photo, swap_pixels  # noqa: F401
from scripts_loader import load_script

import rtswap
from rtswap import api
from rtswap.app.config import Config
from rtswap.app.sections import BadgeConfig, MarksConfig, SafetyConfig
from rtswap.core.errors import FaceLost, InputError, SourceError, UsageError
from rtswap.vision.talking_head import persona


def test_what_the_package_offers() -> None:
    errors = {"RtswapError", "UsageError", "SourceError", "InputError", "FaceLost"}
    objects = {"swap", "Swapper", "LiveSwap", "SwapSession", "run_session", "verify", "MarkedImage"}
    assert set(dir(rtswap)) == set(rtswap.__all__) == errors | objects | {"__version__"}
    assert all(getattr(rtswap, name) is not None for name in dir(rtswap))
    assert rtswap.swap is api.swap
    with pytest.raises(AttributeError, match="has no attribute 'swop'"):
        rtswap.swop  # noqa: B018


def test_swap_gives_a_new_labelled_picture_and_leaves_the_old_one() -> None:
    picture = persona("ben")
    before = picture.copy()
    result = rtswap.swap(picture, photo("ada"))
    found = result.image
    assert (result.swapped, result.covered, result.reasons) == (1, 0, frozenset())
    assert np.array_equal(picture, before)
    assert not np.shares_memory(found, picture)
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    face = find_changes(before, found)[150:400, 150:360]
    assert face.mean() > 0.15
    assert badge_of(before, found) > 50


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """The same swap. OpenVINO compiles networks anew for shapes that recur, and rounds otherwise from then on."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 8


def test_swap_takes_paths_and_several_photos(tmp_path: Path) -> None:
    path = tmp_path / "bén.png"
    cv2.imencode(".png", persona("ben"))[1].tofile(path)
    by_path = swap_pixels(str(path), str(photo("ada")))
    assert alike(by_path, swap_pixels(persona("ben"), [photo("ada")]))
    upright = Image.fromarray(persona("ben")[..., ::-1])
    assert alike(by_path, swap_pixels(upright, photo("ada")))
    assert alike(by_path, swap_pixels(path, Image.open(photo("ada")), consent=True))
    assert alike(by_path, swap_pixels(path, cv2.imread(str(photo("ada"))), consent=True))


def test_swap_takes_what_arrays_are_like() -> None:
    """Read-only pictures, parts of others, mirrored ones."""
    wide = group("-", "ben", "-", size=300)
    part = wide[:, 300:600]
    locked = part.copy()
    locked.flags.writeable = False
    goal = swap_pixels(part.copy(), photo("ada"))
    assert alike(swap_pixels(part, photo("ada")), goal)
    assert alike(swap_pixels(locked, photo("ada")), goal)
    assert np.array_equal(wide, group("-", "ben", "-", size=300))
    assert find_changes(part[:, ::-1], swap_pixels(part[:, ::-1], photo("ada"))).mean() > 0.02


def test_swap_replaces_every_face() -> None:
    picture = group("ben", "carl", "dan")
    found = swap_pixels(picture, photo("ada"))
    for number in range(3):
        part = np.s_[90:260, 320 * number + 90 : 320 * number + 230]
        assert find_changes(picture[part], found[part]).mean() > 0.1


def test_unmarked_nothing_but_the_face_changes() -> None:
    picture = persona("ben")
    unmarked = replace(Config(), marks=MarksConfig(unmarked=True, reason="this test compares pixels"))
    found = swap_pixels(picture, photo("ada"), config=unmarked)
    assert np.array_equal(found[:40], picture[:40])
    assert badge_of(picture, found) == 0


def test_without_a_badge_the_invisible_mark_is_there() -> None:
    picture = persona("ben")
    found = swap_pixels(picture, photo("ada"), config=replace(Config(), badge=BadgeConfig(hide=True)))
    assert 0 < np.abs(found[:40].astype(int) - picture[:40]).max() <= 8


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((64, 64, 3), np.uint16),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
        np.zeros((2, 64, 64, 3), np.uint8),
    ],
    ids=lambda bad: f"{bad.dtype} {bad.shape}",
)
def test_wrong_array_type_is_reported(bad: np.ndarray) -> None:
    with pytest.raises(UsageError, match="expected uint8, height x width x 3, BGR; got"):
        rtswap.swap(bad, photo("ada"))


def test_errors_name_the_missing_part(tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((200, 200, 3), 120, np.uint8))
    with pytest.raises(SourceError, match=r"no face found in .*grey\.png"):
        rtswap.swap(persona("ben"), grey, consent=True)
    with pytest.raises(InputError, match="no face was found in the picture"):
        rtswap.swap(np.full((200, 200, 3), 120, np.uint8), photo("ada"))
    with pytest.raises(InputError, match="no such file"):
        rtswap.swap(tmp_path / "absent.png", photo("ada"))
    with pytest.raises(SourceError, match="no such file"):
        rtswap.swap(persona("ben"), tmp_path / "absent.png")
    with pytest.raises(SourceError, match="no source"):
        rtswap.swap(persona("ben"), [])


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 400), (31, 17)])
def test_tiny_pictures_hold_no_face(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="no face"):
        rtswap.swap(np.full((*size, 3), 90, np.uint8), photo("ada"))


def test_live_swap() -> None:
    live = rtswap.LiveSwap(photo("ada"))
    began = time.perf_counter()
    for index in range(4):
        image = persona("ben")
        found = live.process(image.copy(), captured_at=began + index / 30).image
        assert found.shape == image.shape
        assert find_changes(image, found)[150:400, 150:360].mean() > 0.15
        assert badge_of(image, found) > 50
    for wrong in (np.zeros((4, 4), np.uint8), "frame.png", None):
        with pytest.raises(UsageError, match="the frame is"):
            live.process(wrong)
    for wrong in (float("nan"), 1j, 10**400):
        with pytest.raises(UsageError, match="wrong value for captured_at"):
            live.process(persona("ben"), captured_at=wrong)


def test_live_swap_holds_or_stops_when_the_face_is_lost() -> None:
    empty = np.full((512, 512, 3), 90, np.uint8)
    holding = rtswap.LiveSwap(photo("ada"), config=replace(Config(), safety=SafetyConfig(on_failure="hold")))
    first = holding.process(persona("ben"), captured_at=1.0)
    shown = first.image.copy()
    first.image[:] = 0  # the caller's own
    held = holding.process(empty.copy(), captured_at=1.1)
    assert np.array_equal(held.image, shown)
    assert (held.index, held.captured_at, held.swapped) == (1, 1.1, 1)
    assert held.reasons
    stopping = rtswap.LiveSwap(photo("ada"), config=replace(Config(), safety=SafetyConfig(on_failure="stop")))
    stopping.process(persona("ben"), captured_at=1.0)
    rest = (stopping.process(empty.copy(), captured_at=1.1 + index / 30) for index in range(90))
    with pytest.raises(FaceLost):
        list(rest)


def test_a_session_over_parts_of_one_s_own(tmp_path: Path) -> None:
    given = load_script("docs/examples/rtswap_example/drifting_picture.py").DriftingPicture(
        persona("ben"), seconds=0.5
    )
    kept = load_script("docs/examples/rtswap_example/stills.py").Stills(tmp_path, every=1)
    figures = rtswap.run_session(given, [kept], photo("ada"))
    pictures = sorted(tmp_path.iterdir())
    assert pictures
    assert figures["frames"] >= len(pictures) > 0
    assert figures["frames_with_swap"] > 0
    assert find_changes(persona("ben"), cv2.imread(str(pictures[-1])))[150:400, 130:380].mean() > 0.1
