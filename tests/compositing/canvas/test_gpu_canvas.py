"""The GPU canvas draws what the host canvas draws, and the host waits for it once per frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from canvas_pictures import H, W, matrix_of, noise
from hypothesis import example, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.compositing.canvas.face_table import SIDES, side_for  # noqa: E402
from rtswap.compositing.canvas.gpu import Compositor, TorchCanvas  # noqa: E402
from rtswap.compositing.canvas.host import HostCanvas  # noqa: E402
from rtswap.core.types import Image, Mask, View  # noqa: E402
from rtswap.disclosure import Badge  # noqa: E402
from rtswap.disclosure.stamp import Stamp  # noqa: E402
from rtswap.disclosure.watermark import Payload, Watermark  # noqa: E402
from rtswap.vision.geometry import upright_view  # noqa: E402

CLOSE = 2
TINY = np.array([[0.30612245, 0, -0.3469388], [0, 0.30952382, -0.6547619]], np.float32)


pytestmark = pytest.mark.usefixtures("one_thread")


def soft_mask(width: int, height: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(
        mask, (width // 2, height // 2), (max(1, width * 2 // 5), max(1, height * 2 // 5)), 0, 0, 360, 255, -1
    )
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.7, width / 25)), np.uint8)
    mask[[0, -1]] = mask[:, [0, -1]] = 0
    return mask


def begun(image: Image) -> TorchCanvas:
    return Compositor("cpu").begin(image)


similar = st.builds(matrix_of, st.floats(0.3, 3), st.floats(-4, 4), st.floats(-60, 60), st.floats(-60, 60))
moved = st.builds(lambda x, y: matrix_of(1, 0, x, y), st.integers(-120, 60), st.integers(-90, 60))
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))
odd_frames = st.tuples(st.integers(1, 111), st.integers(1, 77))


@st.composite
def upright(draw: st.DrawFn) -> View:
    """What ``mesh`` asks for: whole pixels of the frame, at their size or smaller or larger."""
    x, y = draw(st.integers(-60, 90)), draw(st.integers(-60, 60))
    across, down = draw(st.integers(1, 130)), draw(st.integers(1, 130))
    scale = draw(st.sampled_from([1.0, 1.0, 0.5, 0.31, 1.7]))
    size = max(1, round(across * scale)), max(1, round(down * scale))
    return View(upright_view(np.array([x, y, x + across, y + down]), size), size)


views = upright() | st.builds(View, similar | moved, sizes)


@settings(max_examples=80, deadline=None)
@given(views, odd_frames, st.integers(0, 1000))
def test_crops_agree_with_the_canvas_in_host_memory(view: View, frame: tuple[int, int], seed: int) -> None:
    image = noise(seed, *frame)
    wanted = HostCanvas(image.copy()).crop(*view).copy()
    got = begun(image).crop(*view)
    assert got.shape == wanted.shape
    assert np.abs(got.astype(int) - wanted).max() <= CLOSE


@settings(max_examples=80, deadline=None)
@given(views, odd_frames, st.integers(0, 1000))
def test_pastes_agree_and_keep_every_bit_elsewhere(view: View, frame: tuple[int, int], seed: int) -> None:
    image, crop, mask = noise(seed, *frame), noise(seed + 1, *view.size), soft_mask(*view.size)
    host = HostCanvas(image.copy())
    host.paste(crop.copy(), mask.copy(), view.matrix)
    canvas = begun(image.copy())
    canvas.paste(crop, mask, view.matrix)
    got = canvas.image()
    assert np.abs(got.astype(int) - host.image()).max() <= CLOSE
    reached = HostCanvas(np.zeros((*frame[::-1], 3), np.uint8))
    touched = np.where(mask, 255, 0).astype(np.uint8)
    reached.paste(np.full_like(crop, 255), cv2.dilate(touched, np.ones((3, 3), np.uint8)), view.matrix)
    outside = ~reached.image().any(2)
    np.testing.assert_array_equal(got[outside], image[outside])


@settings(max_examples=25, deadline=None)
@given(st.lists(views, min_size=1, max_size=5), st.integers(0, 1000))
@example([View(matrix_of(1, 0, 0, 0), (1, 1))] * 3 + [View(TINY, (15, 13))] * 2, 25)
def test_all_faces_at_once_are_as_one_after_the_other(faces: list[View], seed: int) -> None:
    image = noise(seed)
    canvas = begun(image.copy())
    crops = canvas.crops(faces)
    side = side_for(faces)
    assert crops.shape == (len(faces), side, side, 3)
    masks = torch.zeros(crops.shape[:3], dtype=torch.uint8)
    host, single = HostCanvas(image.copy()), begun(image.copy())
    for index, view in enumerate(faces):
        width, height = view.size
        masks[index, :height, :width] = torch.from_numpy(soft_mask(width, height))
        np.testing.assert_array_equal(crops[index, :height, :width].numpy(), begun(image.copy()).crop(*view))
    colors = 255 - crops
    for index, view in enumerate(faces):
        width, height = view.size
        color, mask = (part[index, :height, :width].numpy() for part in (colors, masks))
        single.paste(color, mask, view.matrix)
        host.paste(color.copy(), mask.copy(), view.matrix)
    canvas.paste_all(colors, masks, faces)
    np.testing.assert_array_equal(canvas.image(), single.image())
    off = np.abs(canvas.image().astype(int) - host.image())
    assert off.max() <= len(faces) * CLOSE  # where faces lie on each other, what each is off adds up


boxes = st.tuples(*[st.floats(-150, 250, width=32) for _ in range(4)])


@settings(max_examples=60, deadline=None)
@given(boxes, st.sampled_from(["blur", "pixelate"]), odd_frames, st.integers(0, 1000))
def test_covers_agree(
    corners: tuple[float, float, float, float], style: str, frame: tuple[int, int], seed: int
) -> None:
    image = noise(seed, *frame)
    x1, x2, y1, y2 = *sorted(corners[:2]), *sorted(corners[2:])
    box = np.array([x1, y1, x2, y2], np.float32)
    host, canvas = HostCanvas(image.copy()), begun(image.copy())
    host.cover(box, style)
    canvas.cover(box, style)
    assert np.abs(canvas.image().astype(int) - host.image()).max() <= CLOSE


def test_pastes_and_covers_are_applied_in_order() -> None:
    image, crop = noise(1), np.full((20, 20, 3), 7, np.uint8)
    mask = np.full((20, 20), 255, np.uint8)
    everything = np.array([0, 0, W, H], np.float32)
    over, under = begun(image.copy()), begun(image.copy())
    over.cover(everything, "blur")
    over.paste(crop, mask, matrix_of(1, 0, -10, -10))
    under.paste(crop, mask, matrix_of(1, 0, -10, -10))
    under.cover(everything, "blur")
    assert (over.image()[10:30, 10:30] == 7).all()
    assert not (under.image()[10:30, 10:30] == 7).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_view_without_a_way_back_is_refused(bad: float) -> None:
    matrix = np.array([[bad, 0, 3], [0, bad, 4]], np.float32)
    with pytest.raises(ValueError, match="cannot be inverted"):
        begun(noise(1)).crops([View(matrix, (20, 20))])
    canvas = begun(noise(1))
    canvas.paste(noise(2, 20, 20), soft_mask(20, 20), matrix)
    with pytest.raises(ValueError, match="cannot be inverted"):
        canvas.image()


def test_the_sides_grow_and_hold_every_crop() -> None:
    assert list(SIDES) == sorted(SIDES)
    for longest in (1, 63, 64, 65, 480, 481, 1024, 1025, 3000):
        side = side_for([View(matrix_of(1, 0, 0, 0), (longest, 5))])
        assert longest <= side < longest * 1.5 + 64
        assert side % 32 == 0


def test_one_frame_waits_once() -> None:
    """Crops, pastes, covers and marks of any number of faces: nobody waits before the picture is asked for."""
    compositor, stamp = Compositor("cpu"), Stamp(Badge(), Watermark(Payload((1, 0))))
    for count in range(1, 4):
        canvas = compositor.begin(noise(count, 96, 62))
        faces = [View(matrix_of(1, 0.1 * k, -k, -k), (30, 20)) for k in range(count)]
        crops = canvas.crops(faces)
        canvas.cover(np.array([1, 2, 30, 40], np.float32), "blur")
        canvas.paste_all(crops, torch.full(crops.shape[:3], 255, dtype=torch.uint8), faces)
        canvas.paste(noise(9, 10, 10), soft_mask(10, 10), matrix_of(1, 0, 0, 0))
        stamp.apply_on_gpu(canvas.frame)
        canvas.finish()
        assert compositor.waits.count == count - 1
        canvas.image()
        canvas.image()
        assert compositor.waits.count == count


def test_downloading_picture_cannot_be_stamped() -> None:
    for end in (TorchCanvas.finish, TorchCanvas.image):
        canvas = begun(noise(1))
        end(canvas)
        with pytest.raises(RuntimeError, match="before it was stamped"):
            canvas.deliver(Stamp(Badge()))


def test_the_next_frame_begins_before_the_last_is_taken() -> None:
    compositor = Compositor("cpu")
    first, second = compositor.begin(noise(1)), compositor.begin(noise(2))
    first.finish()
    second.finish()
    with pytest.raises(RuntimeError, match="2 frames are in flight"):
        compositor.begin(noise(3))
    np.testing.assert_array_equal(first.image(), noise(1))
    third = compositor.begin(noise(3))
    np.testing.assert_array_equal(second.image(), noise(2))
    np.testing.assert_array_equal(third.image(), noise(3))


def test_downloaded_picture_is_unaffected_by_later_frames() -> None:
    """Outputs send it, and it may be held, while later frames are worked on."""
    compositor = Compositor("cpu")
    pictures = [compositor.begin(noise(seed)).image() for seed in range(5)]
    for seed, picture in enumerate(pictures):
        np.testing.assert_array_equal(picture, noise(seed))
        assert picture.flags.writeable


def test_later_results_arrive_with_the_picture_without_a_wait() -> None:
    compositor, told = Compositor("cpu"), []
    canvas = compositor.begin(noise(1))
    for count in (3, 5):
        canvas.on_download(torch.arange(count), lambda values: told.append(values.tolist()))
    canvas.finish()
    assert told == []
    canvas.image()
    canvas.image()
    assert told == [[0, 1, 2], [0, 1, 2, 3, 4]]
    assert compositor.waits.count == 1


def test_frames_that_are_dropped_block_nothing() -> None:
    compositor = Compositor("cpu")
    for seed in range(9):
        compositor.begin(noise(seed))
    np.testing.assert_array_equal(compositor.begin(noise(10)).image(), noise(10))


def test_another_size_may_come_at_any_time() -> None:
    compositor = Compositor("cpu")
    for size in ((97, 61), (40, 30), (97, 61)):
        np.testing.assert_array_equal(compositor.begin(noise(5, *size)).image(), noise(5, *size))


def test_the_frame_handed_in_is_the_caller_s_again() -> None:
    image = noise(6)
    canvas = begun(image)
    kept = image.copy()
    image[:] = 0
    np.testing.assert_array_equal(canvas.image(), kept)
