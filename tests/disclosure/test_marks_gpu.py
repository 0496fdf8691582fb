"""A frame marked on the GPU equals one marked on the host, to the bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.compositing.canvas.gpu import Compositor  # noqa: E402
from rtswap.core.types import Frame, Image  # noqa: E402
from rtswap.disclosure.badge import PATIENCE, Badge, render  # noqa: E402
from rtswap.disclosure.gpu import GpuBadge, GpuWatermark  # noqa: E402
from rtswap.disclosure.stamp import Disclosure, Stamp  # noqa: E402
from rtswap.disclosure.watermark import Payload, Watermark  # noqa: E402

PAYLOAD = Payload((1, 5), month=10)
SIZES = [(640, 360), (421, 243), (250, 400)]


def scene(seed: int, width: int, height: int, grey: int = 128, noisy: float = 1.0, smooth: bool = False) -> Image:
    """Plain at the left, textured at the right. ``smooth``: the left half has no grain."""
    rng = np.random.default_rng(seed)
    strength = np.linspace(-60 * noisy if smooth else 0, 60 * noisy, width).clip(0)
    noise = rng.normal(0, 1, (height, width, 1)) * strength[None, :, None]
    tint = rng.normal(0, 0 if smooth else 3, (height, width, 3))
    return np.clip(grey + noise + tint, 0, 255).astype(np.uint8)


class Stream:
    """Pictures that go up to a device and come down stamped."""

    def __init__(self, stamp: Stamp) -> None:
        self._stamp, self._compositor = stamp, Compositor("cpu")

    def through(self, image: Image) -> Image:
        return self._compositor.begin(image).deliver(self._stamp).image


def marking() -> Stream:
    return Stream(Stamp(None, Watermark(PAYLOAD)))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_invisible_mark_is_the_same_to_the_bit(size: tuple[int, int]) -> None:
    """Over frames whose texture comes and goes: blocks change their strength, and keep it, as on the host."""
    host, device = Watermark(PAYLOAD), marking()
    levels, strengths = GpuWatermark(PAYLOAD, size, torch.device("cpu")), set()
    for frame, noisy in enumerate((1.0, 0.75, 0.5, 0.2, 1.2, 0.0, 0.9)):
        image = scene(frame, *size, noisy=noisy, smooth=frame >= 5)
        wanted = image.copy()
        host.embed(wanted)
        np.testing.assert_array_equal(device.through(image), wanted)
        levels.look_at(torch.from_numpy(image))
        strengths |= set(np.unique(levels.levels.numpy()).tolist())
        assert not np.array_equal(wanted, image)
    assert strengths == {0, 1, 2, 3, 4}


def test_black_and_white_stay_within_their_limits() -> None:
    for value in (0, 255):
        image = np.full((300, 400, 3), value, np.uint8)
        wanted = image.copy()
        Watermark(PAYLOAD).embed(wanted)
        np.testing.assert_array_equal(marking().through(image), wanted)


def test_frames_too_small_for_the_mark_are_as_on_the_host() -> None:
    """They get the badge in its place."""
    image = scene(1, 150, 300)
    wanted = Stamp(None, Watermark(PAYLOAD)).apply(image.copy()).image
    np.testing.assert_array_equal(marking().through(image), wanted)
    assert not np.array_equal(wanted, image)


@pytest.mark.parametrize("style", ["auto", "dark", "light", "outline"])
@pytest.mark.parametrize("position", ["bl", "tr"])
def test_the_badge_is_the_same_to_the_bit(style: str, position: str) -> None:
    badge = Badge(style, position)
    for size in SIZES:
        image = scene(3, *size, grey=90)
        wanted = image.copy()
        render(badge, *size).blend_into(wanted)
        np.testing.assert_array_equal(Stream(Stamp(badge)).through(image), wanted)


def test_the_badge_chooses_and_thinks_again_when_the_host_s_does() -> None:
    badge = Badge("auto", "bl")
    patch, device = render(badge, 200, 120), Stream(Stamp(badge))
    looks = GpuBadge(badge, (200, 120), torch.device("cpu"))
    shown = set()
    for grey in [200] * 3 + [40] * (PATIENCE - 1) + [200] + [40] * (PATIENCE + 2) + [125] * 3:
        image = np.full((120, 200, 3), grey, np.uint8)
        wanted = image.copy()
        patch.blend_into(wanted)
        np.testing.assert_array_equal(device.through(image), wanted)
        looks.look_at(torch.from_numpy(image))
        shown.add(int(looks.chosen))
    assert shown == {0, 1}


def test_badge_is_drawn_over_the_mark() -> None:
    badge = Badge()
    image = np.asarray(cv2.GaussianBlur(scene(7, 640, 360), (0, 0), 2), np.uint8)
    wanted = image.copy()
    Watermark(PAYLOAD).embed(wanted)
    render(badge, 640, 360).blend_into(wanted)
    np.testing.assert_array_equal(Stream(Stamp(badge, Watermark(PAYLOAD))).through(image), wanted)


def test_a_stream_may_change_its_size_at_any_time() -> None:
    device = Stream(Stamp(Badge(), Watermark(PAYLOAD)))
    for size in [*SIZES, *SIZES[::-1]]:
        image = scene(5, *size)
        wanted = Stamp(Badge(), Watermark(PAYLOAD)).apply(image.copy()).image
        np.testing.assert_array_equal(device.through(image), wanted)


def test_what_came_down_stamped_may_leave_once() -> None:
    disclosure, image = Disclosure(Badge()), scene(2, 320, 240)
    canvas = Compositor("cpu").begin(image)
    receipt = canvas.deliver(disclosure.stamp)
    frame = Frame(image, 3, 1.5, 0.1)
    assert disclosure.release(receipt, frame=frame, swapped=1, stages={}).image is receipt.image
    with pytest.raises(ValueError, match="without a receipt"):
        disclosure.release(receipt, frame=frame, swapped=1, stages={})
