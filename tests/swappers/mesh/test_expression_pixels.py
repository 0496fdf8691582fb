"""What an expression looks like on painted targets of known truth: open mouths, closed eyes, brows and wrinkles."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from people import ReadyMesh, person, swap_face

from rtswap.core.protocols import Swapper
from rtswap.core.types import Image, Points
from rtswap.swappers.mesh.lips import LOWER, UPPER, at_edges
from rtswap.swappers.mesh.neutral_expression import NeutralExpression
from rtswap.swappers.mesh.placement import LIDS
from rtswap.swappers.mesh.shape import LOWER_BROWS, PERSONAL, UPPER_LIDS, SourceShape, mean_measures, to_canonical
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.vision.geometry import canonical, transform
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

PAIRS = [("ada", "ben"), ("carl", "dan"), ("ben", "dan")]
GREEN, DARK = (60, 200, 60), (10, 10, 10)


@cache
def swapper(name: str) -> Swapper:
    return ReadyMesh().bind(person(name))


def acting(name: str, opening: float = 0.0, lids: float = 0.0, brows: float = 0.0) -> Points:
    """The person's landmarks with another expression; all in inter-ocular distances."""
    who = person(name).landmarks
    pose = to_canonical(who)
    directions = canonical().expression
    frontal = transform(pose, who) + opening * directions[0] + lids * (directions[3] + directions[4])
    frontal[raised(), 1] -= brows
    return np.asarray((frontal - pose[:, 3]) @ np.linalg.inv(pose[:, :3]).T, np.float32)


def raised() -> np.ndarray:
    """Points of the brows and the forehead above them."""
    mesh = canonical().mesh
    return np.asarray(mesh[:, 1] < mesh[[*LEFT_BROW, *RIGHT_BROW], 1].max() + 0.02)


def painted(picture: Image, mesh: Points, ring: list[int], colour: tuple[int, int, int]) -> Image:
    drawn = picture.copy()
    cv2.fillPoly(drawn, [np.round(mesh[ring, :2] * 16).astype(np.int32)], colour, cv2.LINE_8, 4)
    return drawn


def greenness(picture: Image) -> np.ndarray:
    levels = picture.astype(np.float32)
    return np.asarray(levels[..., 1] - np.maximum(levels[..., 0], levels[..., 2]))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_open_mouth_shows_one_pair_of_lips(source: str, target: str) -> None:
    """The target's lips are green, also their rim within the landmarks. Hardly any green is left, and the dark
    interior is as large as the target's: before, the whole rim framed it."""
    who, mesh = person(target), acting(target, opening=0.15)
    picture = painted(who.portrait, mesh, LIPS_OUTER, GREEN)
    picture = painted(picture, at_edges(mesh), LIPS_INNER, DARK)
    swapped, face = swap_face(swapper(source), picture, mesh)
    left, right = (int(face.landmarks[point, 0]) for point in (81, 311))
    middle = np.s_[int(face.landmarks[0, 1]) : int(face.landmarks[17, 1]), left:right]
    before, after = ((image[middle].max(2) < 45).sum() for image in (face.crop, swapped.crop))
    assert 0.9 < after / before < 1.4
    ring = painted(np.zeros_like(face.crop), face.landmarks, LIPS_INNER, (1, 1, 1))[middle][..., 0] > 0
    rim = ((greenness(face.crop)[middle] > 40) & ring).sum()
    assert (greenness(swapped.crop)[middle] > 40).sum() < 0.7 * rim


@pytest.mark.parametrize("name", ["ada", "ben", "carl", "dan"])
def test_lips_keep_their_thickness(name: str) -> None:
    """The source's lower lip is as thick on an open mouth as on its photo, within a fifth."""
    shape, points = SourceShape.of(person(name).landmarks), acting(name, opening=0.2)
    found = at_edges(shape.destination(points))
    photo = at_edges(person(name).landmarks)

    def thickness(mesh: Points) -> float:
        return float(np.linalg.norm(mesh[17] - mesh[14]) / np.linalg.norm(mesh[33] - mesh[263]))

    assert thickness(found) / thickness(photo) == pytest.approx(1, abs=0.2)


def test_the_ring_of_a_shut_mouth_stays_shut_and_that_of_an_open_one_loses_its_rim() -> None:
    shut = canonical().mesh.copy()
    shut[LOWER] = shut[UPPER]
    assert at_edges(shut)[LOWER] == pytest.approx(shut[UPPER], abs=1e-5)
    wide = shut.copy()
    wide[LOWER, 1] += 0.3
    moved = at_edges(wide)
    assert (moved[LOWER, 1] < wide[LOWER, 1]).all()
    assert moved[LOWER] == pytest.approx(wide[LOWER], abs=0.03)
    assert np.array_equal(moved[UPPER], wide[UPPER])
    assert at_edges(wide, 0)[LOWER] == pytest.approx(wide[LOWER])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_closed_eye_shows_the_target_s_lid(source: str, target: str) -> None:
    """The lids are green: the target's own around an open eye, and without the source's lash line on a closed one."""
    who = person(target)
    shares = []
    for time_s, lids in ((0.0, 0.0), (0.5, -0.08)):
        mesh = acting(target, lids=lids)
        picture = who.portrait
        for ring in LIDS:
            picture = painted(picture, mesh, ring, GREEN)
        if not lids:
            for ring in (LEFT_EYE, RIGHT_EYE):
                picture = painted(picture, mesh, ring, DARK)
        swapped, face = swap_face(swapper(source), picture, mesh, time_s=time_s)
        green = greenness(swapped.crop) > 60
        lid = np.zeros(green.shape, np.uint8)
        for ring in LIDS:
            lid = painted(lid, face.landmarks, ring, (1, 0, 0))
        shares.append(float(green[lid > 0].mean()))
    assert shares[0] > 0.4
    assert shares[1] > 0.65


@pytest.mark.parametrize("width", [45, 60, 220])
@pytest.mark.parametrize(("left", "right"), [(1.0, 0.0), (0.45, 0.45)], ids=["a wink", "looking down"])
def test_lids_are_as_far_down_as_the_target_s(width: int, left: float, right: float) -> None:
    """The eyes are dark between green lids. What is dark in the swap shrinks as it does in the target, eye by eye."""
    who, shares = person("ben"), []
    for time_s, closing in ((0.0, (0.0, 0.0)), (0.5, (left, right))):
        mesh = acting("ben")
        picture = who.portrait
        for ring in LIDS:
            picture = painted(picture, mesh, ring, GREEN)
        for ring, share in zip((LEFT_EYE, RIGHT_EYE), closing, strict=True):
            mesh[ring[9:16]] += share * (mesh[ring[1:8][::-1]] - mesh[ring[9:16]])
            picture = painted(picture, mesh, ring, DARK)
        scale = width / float(np.ptp(mesh[:, 0]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        swapped, face = swap_face(swapper("ada"), small, mesh * np.float32(scale), time_s=time_s)
        shares.append([dark_share(image, face.landmarks) for image in (face.crop, swapped.crop)])
    rest, now = np.array(shares)
    theirs, ours = now / rest
    assert ours == pytest.approx(theirs, abs=0.25)


def dark_share(picture: Image, mesh: Points) -> list[float]:
    """How dark either eye and its surroundings are."""
    dark = np.clip(1 - greenness(picture) / 100, 0, 1) * (picture.max(2) < 90)
    shares = []
    for outer in LIDS:
        lids = painted(np.zeros_like(picture), mesh, outer, (1, 1, 1))[..., 0] > 0
        shares.append(float(dark[lids].mean()) + 1e-3)
    return shares


@pytest.mark.parametrize("width", [60, 220])
def test_lids_are_the_target_s(width: int) -> None:
    """On small and large faces: before, on a face of 220 px most of a lid was the source's."""
    who, mesh = person("ben"), acting("ben")
    picture = who.portrait
    for ring in LIDS:
        picture = painted(picture, mesh, ring, GREEN)
    scale = width / float(np.ptp(mesh[:, 0]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    swapped, face = swap_face(swapper("ada"), small, mesh * np.float32(scale))
    lids = painted(np.zeros_like(face.crop), face.landmarks, LIDS[0], (1, 1, 1))[..., 0] > 0
    assert greenness(swapped.crop)[lids].mean() > 0.7 * greenness(face.crop)[lids].mean()


@pytest.mark.parametrize("light", [True, False])
def test_without_expression_the_eyes_are_the_photo_s(light: bool) -> None:
    """The target blinks green lids; with an expression of 0 none of it is seen, with 1 it is."""
    who, greenest = person("ben"), {}
    mesh = acting("ben", lids=-0.08)
    picture = who.portrait
    for ring in LIDS:
        picture = painted(picture, mesh, ring, GREEN)
    for expression in (0.0, 1.0):
        swapped, face = swap_face(
            MeshSwapModel(expression=expression, light=light).bind(person("ada")), picture, mesh
        )
        lid = painted(np.zeros_like(face.crop), face.landmarks, LIDS[0], (1, 1, 1))[..., 0] > 0
        greenest[expression] = float((greenness(swapped.crop)[lid] > 40).mean())
    assert greenest[0.0] < 0.1
    assert greenest[1.0] > 0.6


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_raised_brows_come_through(source: str, target: str) -> None:
    """From the first second on, in full: before, by a quarter."""
    shape, height = SourceShape.of(person(source).landmarks), []
    neutral = NeutralExpression(mean_measures(), PERSONAL)
    for frame in range(45):
        mesh = acting(target, brows=0.06 if frame >= 30 else 0)
        found = shape.destination(mesh, neutral=neutral, time_s=frame / 30)
        height.append(transform(to_canonical(mesh), found)[[*LEFT_BROW, *RIGHT_BROW], 1].mean())
    assert 0.045 < height[0] - height[-1] < 0.12


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_lowered_brows_stay_above_the_lids(source: str, target: str) -> None:
    """However far they sink: the lids are drawn over them, and low brows were cut off."""
    shape, gap = SourceShape.of(person(source).landmarks), []
    neutral = NeutralExpression(mean_measures(), PERSONAL)
    for frame in range(45):
        mesh = acting(target, brows=-0.1 if frame >= 30 else 0)
        found = transform(to_canonical(mesh), shape.destination(mesh, neutral=neutral, time_s=frame / 30))
        gap.append(found[UPPER_LIDS, 1].mean() - found[LOWER_BROWS, 1].mean())
    assert gap[-1] < gap[0] - 0.03, "they sink"
    assert gap[-1] > 0.06


def test_wrinkles_come_with_raised_brows_only() -> None:
    """Dark lines on the target's forehead are seen on the swap while the brows are raised, not at rest."""
    who = person("dan")
    contrast = []
    for time_s, brows in ((0.0, 0.0), (0.5, 0.06), (1.0, 0.06)):
        mesh = acting("dan", brows=brows)
        picture = who.portrait.copy()
        x, y = (round(float(mesh[[151, 9], axis].mean())) for axis in (0, 1))
        cv2.line(picture, (x - 40, y), (x + 40, y), (40, 60, 90), 3, cv2.LINE_AA)
        swapped, face = swap_face(swapper("ada"), picture, mesh, time_s=time_s)
        x, y = (round(float(face.landmarks[[151, 9], axis].mean())) for axis in (0, 1))
        light = swapped.crop[:, x - 20 : x + 20].mean((1, 2))
        contrast.append(1 - float(light[y - 1 : y + 2].min() / light[[y - 12, y + 12]].mean()))
    assert contrast[0] < 0.04
    assert contrast[-1] > 0.1
