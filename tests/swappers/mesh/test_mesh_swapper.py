"""The swapper ``mesh`` on faces: the source's features in the target's light, steady, and nowhere else."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from people import NAMES, move_person, person, place_mesh, swap_face

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Swapper
from rtswap.core.types import Quality, SourceIdentity, Target
from rtswap.swappers.mesh.geometry import FaceGeometry
from rtswap.swappers.mesh.placement import LIGHT_STEP
from rtswap.swappers.mesh.shape import SourceShape
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

SIZE = (640, 480)
PAIRS = [("ada", "ben"), ("ben", "ada"), ("carl", "dan"), ("dan", "carl"), ("ben", "carl")]


@pytest.fixture(scope="module")
def swappers() -> dict[str, Swapper]:
    return {name: MeshSwapModel().bind(person(name)) for name in NAMES}


def means(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    return picture[where].astype(float).mean(0)


def detail(picture: np.ndarray, sigma: float) -> np.ndarray:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return cv2.GaussianBlur(grey, (0, 0), 1) - cv2.GaussianBlur(grey, (0, 0), sigma)


def polygon(shape: tuple[int, ...], points: np.ndarray) -> np.ndarray:
    drawn = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(drawn, [np.round(points[:, :2] * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return drawn > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_face_swapped_with_itself_stays_itself(name: str, swappers: dict[str, Swapper]) -> None:
    """Measured where the mask is full: ada 32.9, ben 29.9, dan 30.5, carl 30.2 dB. Gloss and the shadows of a lamp
    are the photo's light, and limited whoever it is put on."""
    who = person(name)
    swapped, face = swap_face(swappers[name], who.portrait, who.landmarks)
    error = (swapped.crop.astype(float) - face.crop)[swapped.mask > 250]
    assert 10 * np.log10(255**2 / (error**2).mean()) > 29.5
    assert np.abs(error.mean(0)).max() < 5


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_slow_colour_is_the_target_s(source: str, target: str, swappers: dict[str, Swapper]) -> None:
    who = person(target)
    swapped, face = swap_face(swappers[source], who.portrait, who.landmarks)
    inside = swapped.mask > 128
    assert np.abs(means(swapped.crop, inside) - means(face.crop, inside)).max() < 6
    x = np.arange(inside.shape[1])[None] < face.landmarks[1, 0]
    for half in (x, ~x):
        there = inside & half
        assert np.abs(means(swapped.crop, there) - means(face.crop, there)).max() < 15


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_detail_is_the_source_s(source: str, target: str, swappers: dict[str, Swapper]) -> None:
    """Laid on the destination, the result goes with the source's own picture laid there, not with the target's."""
    who = person(target)
    swapped, face = swap_face(swappers[source], who.portrait, who.landmarks)
    plain, _ = swap_face(MeshSwapModel(light=False).bind(person(source)), who.portrait, who.landmarks)
    sigma = 0.1 * float(np.ptp(face.landmarks[:, 0]))
    inside = cv2.erode((swapped.mask > 250).astype(np.uint8), np.ones((9, 9))) > 0
    for ring in (LEFT_EYE, RIGHT_EYE, LIPS_INNER):
        inside &= cv2.dilate(polygon(inside.shape, face.landmarks[ring]).astype(np.uint8), np.ones((15, 15))) == 0

    def likeness(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.corrcoef(detail(a, sigma)[inside], detail(b, sigma)[inside])[0, 1])

    assert likeness(swapped.crop, plain.crop) > 0.87
    assert likeness(swapped.crop, plain.crop) > likeness(swapped.crop, face.crop) + 0.15


def test_eyes_and_mouth_stay_the_target_s(swappers: dict[str, Swapper]) -> None:
    """Painted green in the target, they are green in the result, and nothing else is."""
    who = person("ben")
    picture = who.portrait.copy()
    for ring in (LEFT_EYE, RIGHT_EYE):
        picture[polygon(picture.shape, who.landmarks[ring])] = (0, 255, 0)
    swapped, _ = swap_face(swappers["ada"], picture, who.landmarks, match_color=False)
    green = (swapped.crop[..., 1] > 180) & (swapped.crop[..., 0] < 80) & (swapped.crop[..., 2] < 80)
    own = sum(int(polygon(picture.shape, who.landmarks[ring]).sum()) for ring in (LEFT_EYE, RIGHT_EYE))
    assert 0.3 * own < green.sum() < 1.7 * own


def poses() -> list[dict[str, float]]:
    return [{"yaw": y, "pitch": p, "roll": r} for y in (-85, 0, 60) for p in (-30, 25) for r in (0, 90, -170)]


@pytest.mark.parametrize("pose", poses(), ids=str)
def test_the_mask_is_inside_the_oval(pose: dict[str, float], swappers: dict[str, Swapper]) -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    swapped, face = swap_face(swappers["ada"], picture, place_mesh(180, (320, 240), **pose))
    assert not swapped.mask[[0, -1]].any()
    assert not swapped.mask[:, [0, -1]].any()
    hull = cv2.convexHull(face.landmarks[:, :2].astype(np.float32))[:, 0]
    outside = ~(cv2.dilate(polygon(swapped.mask.shape, hull).astype(np.uint8), np.ones((17, 17))) > 0)
    assert swapped.mask[outside].max(initial=0) < 26
    assert (swapped.mask > 200).any() or abs(pose["yaw"]) > 80


def test_the_mask_of_a_frontal_face_fills_its_oval(swappers: dict[str, Swapper]) -> None:
    for name in NAMES:
        who = person(name)
        swapped, face = swap_face(swappers["ben"], who.portrait, who.landmarks)
        oval = polygon(swapped.mask.shape, face.landmarks[OVAL])
        assert (swapped.mask[oval] > 128).mean() > 0.85


AT = [(0, 0), (640, 240), (320, -60), (-40, 500), (320, 240), (-500, -500), (5000, 100)]


@pytest.mark.parametrize("face_px", [1, 3.3, 9, 24, 77.7, 301, 900])
@pytest.mark.parametrize("at", AT, ids=str)
def test_no_size_and_no_place_is_too_odd(
    face_px: float, at: tuple[float, float], swappers: dict[str, Swapper]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    before = picture.copy()
    swapper = swappers["dan"]
    landmarks = place_mesh(face_px, at, yaw=15)
    matrix, size = swapper.view(landmarks, 480)
    assert all(side % LIGHT_STEP == 0 and 0 < side <= 480 for side in size)
    assert np.isfinite(matrix).all()
    swapped, face = swap_face(swapper, picture, landmarks, max_px=480)
    assert swapped.crop.shape == face.crop.shape == (size[1], size[0], 3)
    assert swapped.mask.shape == face.crop.shape[:2]
    assert swapped.crop.dtype == swapped.mask.dtype == np.uint8
    assert not swapped.mask[[0, -1]].any()
    assert not swapped.mask[:, [0, -1]].any()
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("max_px", [16, 17, 100, 333, 480, 1024])
def test_a_view_is_no_larger_than_allowed(max_px: int, swappers: dict[str, Swapper]) -> None:
    for face_px in (5, 50, 239.3, 480, 3000):
        for yaw in (0, 80):
            landmarks = place_mesh(face_px, (300, 200), yaw=yaw)
            matrix, size = swappers["ada"].view(landmarks, max_px)
            assert max(size) <= max_px
            assert all(side % 8 == 0 for side in size)
            shown = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
            assert (shown >= 0).all()
            assert (shown <= np.array(size) - 1).all()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 255, 0)])
@pytest.mark.parametrize("match_color", [True, False])
def test_extreme_light(colour: tuple[int, int, int], match_color: bool, swappers: dict[str, Swapper]) -> None:
    picture = np.full((480, 640, 3), colour, np.uint8)
    swapped, _ = swap_face(swappers["ada"], picture, place_mesh(200, (320, 240)), match_color=match_color)
    if match_color:
        inside = swapped.mask > 200
        assert np.abs(means(swapped.crop, inside) - colour).max() < 60


def test_a_swap_is_repeatable_and_keeps_nothing_of_the_frame_before(swappers: dict[str, Swapper]) -> None:
    who, other = person("ben"), person("dan")
    swapper = swappers["ada"]
    first, face = swap_face(swapper, who.portrait, who.landmarks)
    kept = first.crop.copy(), first.mask.copy()
    assert not np.shares_memory(first.crop, face.crop)
    swap_face(swapper, other.portrait, other.landmarks)
    swapper.forget(1)
    again, _ = swap_face(swapper, who.portrait, who.landmarks)
    for now, then, on_download in zip((first.crop, first.mask), kept, (again.crop, again.mask), strict=True):
        assert np.array_equal(now, then)
        assert np.array_equal(on_download, then)


def test_the_crop_is_read_only(swappers: dict[str, Swapper]) -> None:
    who = person("carl")
    matrix, size = swappers["ada"].view(who.landmarks, 1024)
    crop = who.portrait[: size[1], : size[0]].copy()
    crop.flags.writeable = False
    points = who.landmarks.copy()
    points[:, :2] += matrix[:, 2]
    points.flags.writeable = False
    swappers["ada"].swap(Target(1, crop, points, np.ones(468, np.float32), 0.0), Quality())


@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (0.7, -0.7)])
def test_slow_motion_is_smooth(direction: tuple[float, float], swappers: dict[str, Swapper]) -> None:
    """Landmarks that move by a tenth of a pixel move the picture by as much: no step at whole pixels."""
    who = move_person(person("ben"), 0.6, (160, 60), SIZE)
    x, y = (int(v) for v in who.landmarks[:, :2].mean(0))
    shown = []
    for step in range(25):
        shift = np.array([*(0.1 * step * np.array(direction)), 0], np.float32)
        points = who.landmarks + shift
        matrix, size = swappers["carl"].view(points, 1024)
        swapped, _ = swap_face(swappers["carl"], who.portrait, points)
        frame, mask = who.portrait.astype(np.float32), np.zeros(who.portrait.shape[:2], np.float32)
        left, top = (-matrix[:, 2]).astype(int)
        inside = np.s_[top : top + size[1], left : left + size[0]]
        mask[inside] = swapped.mask / np.float32(255)
        frame[inside] += (swapped.crop - frame[inside]) * mask[inside][..., None]
        shown.append(frame[y - 90 : y + 90, x - 80 : x + 80])
    changes = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(shown)])
    total = np.abs(shown[10] - shown[0]).mean()
    assert changes.max() < 1.2
    assert changes.max() < 0.45 * max(total, 1)
    assert changes.max() < 2.5 * np.median(changes)


@pytest.mark.parametrize("width", [40, 77, 150, 300])
def test_small_and_large_faces_look_alike(width: int, swappers: dict[str, Swapper]) -> None:
    """At 40 px the light's five nodes cannot tell the target's eyes and brows from its skin: darker by up to 13."""
    who = person("dan")
    scale = width / float(np.ptp(who.landmarks[:, 0]))
    side = int(512 * scale)
    small = move_person(who, scale, (0, 0), (side, side))
    found, _ = swap_face(swappers["ben"], small.portrait, small.landmarks)
    large, _ = swap_face(swappers["ben"], who.portrait, who.landmarks)
    for picture in (found, large):
        assert (picture.mask > 128).mean() > 0.2
    assert np.abs(means(found.crop, found.mask > 200) - means(large.crop, large.mask > 200)).max() < (
        10 if width > 40 else 14
    )


def test_bind_refuses_landmarks_that_form_no_face() -> None:
    who = person("ada")
    for bad in (np.full((468, 3), np.nan), np.zeros((468, 3)), np.full((468, 3), np.inf), canonical().mesh):
        with pytest.raises(SourceError, match="no usable landmarks"):
            MeshSwapModel().bind(SourceIdentity(who.portrait, bad.astype(np.float32), name="x"))


def test_a_face_far_larger_than_the_picture(swappers: dict[str, Swapper]) -> None:
    picture = np.full((48, 64, 3), 99, np.uint8)
    swapped, face = swap_face(swappers["ada"], picture, place_mesh(2500, (30, 20)), max_px=480)
    assert max(face.crop.shape) <= 480
    assert swapped.mask.any()


def test_a_source_seen_half_from_the_side_or_tiny_can_be_bound() -> None:
    portrait = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    for face_px, yaw in ((300, 55), (300, -90), (20, 0), (3000, 0)):
        source = SourceIdentity(portrait, place_mesh(face_px, (256, 256), yaw=yaw))
        if np.ptp(source.landmarks[:, 0]) < 8:
            continue
        swapped, _ = swap_face(MeshSwapModel().bind(source), portrait, place_mesh(200, (256, 256)))
        assert swapped.mask.any()


@pytest.mark.parametrize("yaw", [-60, -45, 45, 60])
def test_nose_and_mouth_of_a_turned_face_are_replaced(yaw: float) -> None:
    """They stand out beyond the oval, which once was all of the mask: three quarters of a face stayed as it was."""
    points = place_mesh(200, (200, 200), yaw=yaw, mesh=person("ben").landmarks)
    face, target = swap_face(MeshSwapModel().bind(person("dan")), np.full((400, 400, 3), 128, np.uint8), points)
    middle, profile = target.landmarks[:, :2].mean(0), target.landmarks[[195, 4, 0, 17, 200], :2]
    x, y = np.round(middle + 0.9 * (profile - middle)).astype(int).T
    assert (face.mask[y, x] >= 128).all()


def test_dark_hair_beside_a_face_seen_through_haze_does_not_make_brows_black() -> None:
    """The black level is that of the features: hair beside the face can be darker than any of them."""
    who = person("ben")
    hazy = np.round(who.portrait * 0.5 + 90).astype(np.uint8)
    left, right = who.landmarks[:, 0].min(), who.landmarks[:, 0].max()
    hair = hazy.copy()
    for side in (left, right):
        hair[:, round(side - 0.03 * (right - left)) : round(side + 0.03 * (right - left))] = 20
    darkest = []
    for picture in (hazy, hair):
        swapped, face = swap_face(MeshSwapModel().bind(person("ada")), picture, who.landmarks)
        brow = polygon(swapped.crop.shape, face.landmarks[LEFT_BROW])
        darkest.append(float(np.percentile(swapped.crop[brow].mean(1), 5)))
    assert darkest[1] > darkest[0] - 4


@pytest.mark.parametrize("yaw", [-75, -60, 60, 75])
def test_no_lookup_sweeps_over_what_a_nose_in_profile_hides(yaw: float) -> None:
    """A dark line of eye and brow ran along the nose: between its side and what lies beyond."""
    mesh = person("ada").landmarks - person("ada").landmarks.mean(0)
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turned = mesh @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    crop, seen = np.zeros((600, 600, 3), np.uint8), np.ones(468, np.float32)
    face = Target(1, crop, (turned + 300).astype(np.float32), seen, 0.0)
    placed = FaceGeometry(SourceShape.of(person("ada").landmarks)).place(face, (600, 600))
    assert placed is not None
    mask, _ = placed.oval((placed.nodes.shape[1] - 1, placed.nodes.shape[0]))
    jumps = np.abs(np.diff(placed.nodes, axis=1)).max(2)
    assert jumps[mask > 100].max() < 0.3
