"""The mark changes luminance a little, the same way every time, and nothing else."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtswap.disclosure.error_correction import encode
from rtswap.disclosure.watermark import Kind, Payload, Watermark

PAYLOAD = Payload((0, 6), Kind.SWAPPED_FACE, 10)


def delta(image: NDArray[np.uint8], payload: Payload = PAYLOAD) -> NDArray[np.int16]:
    marked = image.copy()
    Watermark(payload).embed(marked)
    return marked.astype(np.int16) - image


def gray(width: int, height: int, level: int = 120) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def grainy(width: int, height: int) -> NDArray[np.uint8]:
    """Grey under a camera's noise: neither smooth nor textured."""
    noise = np.random.default_rng(1).normal(0, 3, (height, width, 1))
    return np.clip(np.rint(120 + noise), 0, 255).astype(np.uint8).repeat(3, 2)


def test_payload_goes_through_its_bits() -> None:
    for payload in (PAYLOAD, Payload((15, 255), Kind.SWAPPED_FACE, 255), Payload((0, 0), Kind.SWAPPED_FACE, 0)):
        assert Payload.from_message(payload.message()) == payload
    assert Payload((1, 2), Kind.SWAPPED_FACE, 3).message() == 0b0001_00000010_0001_00000011


@pytest.mark.parametrize(
    ("version", "month"), [((16, 0), 0), ((0, 256), 0), ((-1, 0), 0), ((0, 0), 256), ((0, 0), -1)]
)
def test_payload_that_does_not_fit_is_refused(version: tuple[int, int], month: int) -> None:
    with pytest.raises(ValueError, match="must be 0"):
        Payload(version, Kind.SWAPPED_FACE, month)


def test_unknown_kind_says_nothing() -> None:
    assert Payload.from_message(PAYLOAD.message() | 15 << 8) is None


def test_pattern_is_the_documented_one() -> None:
    """Wave by wave, as docs/watermark.md says, without the program's own tables."""
    kept = [
        (x, y)
        for y in range(1, 22)
        for x in range(-21, 22)
        if x and (256 / 40) ** 2 <= x * x + y * y <= (256 / 12) ** 2
    ]
    drawn = hashlib.shake_256(b"rtswap mark 1").digest(5 * len(kept))
    keys = [int.from_bytes(drawn[5 * i + 1 : 5 * i + 5], "big") for i in range(len(kept))]
    carriers = sorted(range(len(kept)), key=keys.__getitem__)[:320]
    signs = encode(PAYLOAD.message())
    place = np.arange(256) / 256
    plane = np.zeros((256, 256))
    for i, (x, y) in enumerate(kept):
        value = np.exp(2j * np.pi * drawn[5 * i] / 256)
        if i in carriers:
            at = 2 * carriers.index(i)
            value *= (signs[at % 160] + 1j * signs[(at + 1) % 160]) / np.sqrt(2)
        plane += (value * np.outer(np.exp(2j * np.pi * y * place), np.exp(2j * np.pi * x * place))).real
    plane /= plane.std()
    got = delta(grainy(1280, 720))[..., 1]
    assert np.mean(got[:256, :256] != np.rint(0.7 * plane)) < 1e-3  # where rounding is undecided
    assert np.array_equal(got[256:512, 512:768], got[:256, :256])
    rows, columns = np.mgrid[:256, :256] % 8
    order = sum((2 * (columns >> bit & 1 ^ rows >> bit & 1) + (rows >> bit & 1)) << 2 * (2 - bit) for bit in range(3))
    faint = np.rint(0.15 * plane + (order + 0.5) / 64 - 0.5)
    assert np.mean(delta(gray(1280, 720))[:256, :256, 1] != faint) < 1e-3


@pytest.mark.parametrize("size", [(1280, 720), (160, 160), (161, 1001), (641, 359), (1920, 1080), (720, 1280)])
def test_same_change_on_every_channel_every_time(size: tuple[int, int]) -> None:
    for picture, least, most in ((gray(*size), 0.3, 0.35), (grainy(*size), 0.6, 1.0)):
        change = delta(picture)
        assert np.array_equal(change[..., 0], change[..., 1])
        assert np.array_equal(change[..., 0], change[..., 2])
        assert np.array_equal(change, delta(picture))
        assert least < change.std() <= most
        assert abs(float(change.mean())) < 0.1


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_do_not_wrap(level: int) -> None:
    assert np.abs(delta(gray(320, 240, level))).max() < 10


@pytest.mark.parametrize("size", [(159, 400), (400, 159), (1, 900), (900, 1), (0, 0), (16, 16)])
def test_small_frames_pass_unchanged(size: tuple[int, int]) -> None:
    assert not delta(gray(*size)).any()


def smooth(kind: str, noise: float) -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    picture = np.full((720, 1280, 3), {"grey": (128,) * 3, "green": (64, 177, 20)}.get(kind, (0, 0, 0)), np.float32)
    if kind == "sky":
        picture = np.linspace((230, 170, 110), (245, 215, 190), 720)[:, None].repeat(1280, 1)
        picture += rng.uniform(-0.5, 0.5, picture.shape)
    return np.clip(np.rint(picture + rng.normal(0, noise, (720, 1280, 1))), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["grey", "green", "sky"])
def test_smooth_places_show_nothing(kind: str, noise: float) -> None:
    """Alone and beside something else."""
    assert delta(smooth(kind, noise)).std() <= 0.35
    mixed = smooth(kind, noise)
    mixed[:, 900:] = np.random.default_rng(2).integers(0, 256, (720, 380, 1))
    change = delta(mixed)
    assert change[:, :832].std() <= 0.35
    assert change[:, 960:].std() > 1.7


def test_a_smooth_mark_has_no_waves_to_see() -> None:
    """What remains of it for eyes that see 4 px at once, against that of a plain mark."""
    seen = [cv2.GaussianBlur(delta(picture)[..., 1].astype(np.float32), (0, 0), 4).std()
            for picture in (gray(1280, 720), grainy(1280, 720))]  # fmt: skip
    assert seen[0] < 0.15
    assert seen[1] > 3 * seen[0]


def test_a_smooth_face_between_hair_and_beard_does_not_count_as_smooth() -> None:
    """Gaps of two blocks between textured ones count as textured; wider ones do not."""
    scene, rng = smooth("grey", 0), np.random.default_rng(2)
    for left in (64, 256, 640):
        scene[:, left : left + 64] = rng.integers(0, 256, (720, 64, 1))
    change = delta(scene)
    assert change[:, 128:256].std() > 0.6
    assert change[:, 384:576].std() <= 0.35


def test_texture_is_marked_more_strongly() -> None:
    """On the left a wall, on the right gravel; and what it costs where nothing else hides it."""
    scene = gray(1280, 720)
    rng = np.random.default_rng(7)
    scene[:, 640:] = np.clip(rng.normal(120, 40, (720, 640, 1)), 0, 255).astype(np.uint8)
    change = delta(scene)
    assert change[:, :576].std() < 0.35
    assert change[:, 704:].std() > 1.7
    marked = scene.copy()
    Watermark(PAYLOAD).embed(marked)
    assert cv2.PSNR(np.ascontiguousarray(scene[:, 704:]), np.ascontiguousarray(marked[:, 704:])) >= 42


def test_mark_does_not_flicker() -> None:
    """A texture near the limit, under fresh noise: after some frames hardly a block changes its strength."""
    rng = np.random.default_rng(8)
    texture = cv2.GaussianBlur(rng.normal(0, 60, (360, 640)), (0, 0), 1.5)[..., None] + 120
    mark, changes = Watermark(PAYLOAD), []
    for _ in range(24):
        picture = np.clip(texture + rng.normal(0, 2, (360, 640, 1)), 20, 235).astype(np.uint8).repeat(3, 2)
        marked = picture.copy()
        mark.embed(marked)
        changes.append(marked.astype(np.int16) - picture)
    moved = [np.mean(a != b) for a, b in pairwise(changes)]
    assert moved[0] > 0  # it is near the limit
    assert max(moved[-8:]) < 0.01


def test_change_of_size_and_back() -> None:
    mark, first = Watermark(PAYLOAD), []
    for size in ((640, 480), (320, 240), (640, 480)):
        image = gray(*size)
        mark.embed(image)
        first.append(image)
    assert np.array_equal(first[0], first[2])


@given(
    st.integers(160, 400), st.integers(160, 400), st.sampled_from(["rows", "columns", "channels", "flipped", "part"])
)
@settings(deadline=None, max_examples=25)
def test_views_are_marked_like_copies(width: int, height: int, how: str) -> None:
    base = np.random.default_rng(width).integers(0, 256, (2 * height, 2 * width, 4), np.uint8)
    view = {
        "rows": base[::2, :width, :3],
        "columns": base[:height, ::2, :3],
        "channels": base[:height, :width, :3][..., ::-1],
        "flipped": base[:height, :width, 1:][::-1, ::-1],
        "part": np.ascontiguousarray(base[..., :3])[5 : 5 + height, 7 : 7 + width],
    }[how]
    want = np.ascontiguousarray(view)
    outside = base.copy()
    Watermark(PAYLOAD).embed(want)
    Watermark(PAYLOAD).embed(view)
    assert np.array_equal(view, want)
    assert how == "part" or (base != outside).any()


def test_invalid_images_are_refused() -> None:
    frozen = gray(320, 240)
    frozen.flags.writeable = False
    for bad in (np.zeros((240, 320), np.uint8), np.zeros((240, 320, 4), np.uint8), frozen):
        with pytest.raises(ValueError, match="uint8 image"):
            Watermark(PAYLOAD).embed(bad)
    with pytest.raises(ValueError, match="float64"):
        Watermark(PAYLOAD).embed(np.zeros((240, 320, 3)))  # type: ignore[arg-type]


def test_what_it_costs_in_quality() -> None:
    """On what forgives least: a plain wall, with the noise of a camera."""
    rng = np.random.default_rng(3)
    wall = np.clip(np.linspace(90, 160, 1280)[None, :, None] + rng.normal(0, 2, (720, 1280, 3)), 0, 255).astype(
        np.uint8
    )
    marked = wall.copy()
    Watermark(PAYLOAD).embed(marked)
    assert cv2.PSNR(wall, marked) >= 42
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    assert structural_similarity(wall, marked, channel_axis=2) >= 0.99
