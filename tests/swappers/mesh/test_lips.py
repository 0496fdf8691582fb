"""Photos of smiles: where their lips end, whatever the landmarks say."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from people import ReadyMesh, person, swap_face

from rtswap.core.types import Image, Points
from rtswap.swappers.mesh.lips import LOWER, OUTER_LOWER, OUTER_UPPER, UPPER, at_edges, edges_in
from rtswap.swappers.mesh.shape import to_canonical
from rtswap.swappers.mesh.texture import Texture, chart
from rtswap.vision.geometry import canonical, transform

WHITE = (235, 245, 245)


def smiling(name: str, opening: float = 0.2) -> Points:
    """The person's landmarks with an open mouth, its height in inter-ocular distances."""
    who = person(name).landmarks
    pose = to_canonical(who)
    frontal = transform(pose, who) + opening * canonical().expression[0]
    return np.asarray((frontal - pose[:, 3]) @ np.linalg.inv(pose[:, :3]).T, np.float32)


def photo_of(name: str, share: float, opening: float = 0.2) -> tuple[Image, Points, Points]:
    """A photo whose upper lip ends at ``share`` of what the landmarks say, the landmarks, and where it ends. The lip
    is red, and teeth and a dark gap are below it."""
    mesh, picture = smiling(name, opening), person(name).portrait.copy()
    edge = mesh[OUTER_UPPER] + np.float32(share) * (mesh[UPPER] - mesh[OUTER_UPPER])
    mouth = [mesh[[61]], mesh[OUTER_UPPER], mesh[[291]], mesh[[375, 321, 405, 314, 17, 84, 181, 91, 146]]]
    teeth = [edge, mesh[LOWER][::-1]]
    for ring, colour in ((mouth, (110, 110, 190)), (teeth, WHITE)):
        points = np.round(np.concatenate(ring)[:, :2] * 16).astype(np.int32)
        cv2.fillPoly(picture, [points], colour, cv2.LINE_AA, 4)
    gap = np.round(mesh[LOWER][:, :2] * 16).astype(np.int32)
    cv2.polylines(picture, [gap], False, (30, 30, 50), 2, cv2.LINE_AA, 4)
    return picture, mesh, edge


@pytest.mark.parametrize("share", [0.4, 0.7])
@pytest.mark.parametrize("name", ["ada", "ben", "dan"])
def test_the_upper_lip_ends_where_the_photo_shows_it(name: str, share: float) -> None:
    picture, mesh, edge = photo_of(name, share)
    width = float(np.linalg.norm(mesh[61] - mesh[291]))
    off = np.linalg.norm(edges_in(picture, mesh)[UPPER, :2] - edge[:, :2], axis=1) / width
    assert off.max() < 0.025
    assert np.linalg.norm(at_edges(mesh)[UPPER, :2] - edge[:, :2], axis=1).max() / width > 0.03


@pytest.mark.parametrize(("share", "opening"), [(0.4, 0.2), (1.0, 0.08)])
@pytest.mark.parametrize(("source", "target"), [("ada", "ben"), ("dan", "ada")])
def test_a_smiling_photo_puts_no_teeth_on_the_lips_of_a_shut_mouth(
    source: str, target: str, share: float, opening: float
) -> None:
    """The teeth of a faint smile were on the upper lip: so low a mouth was taken for a shut one."""
    picture, mesh, _ = photo_of(source, share, opening)
    swapper = ReadyMesh().bind(replace(person(source), portrait=picture, landmarks=mesh))
    shut = person(target).landmarks.copy()
    shut[LOWER] = shut[UPPER]
    swapped, face = swap_face(swapper, person(target).portrait, shut)
    (left, right), (top, bottom) = face.landmarks[[37, 267], 0].astype(int), face.landmarks[[0, 17], 1].astype(int)
    colours = np.log(swapped.crop[top:bottom, left:right] + np.float32(8))
    redness = colours[..., 2] - colours[..., 1]
    assert (redness < 0.6 * np.median(redness)).mean() < 0.1


@pytest.mark.parametrize("name", ["ada", "ben", "dan"])
def test_the_texture_has_a_dark_line_between_the_lips_and_no_teeth(name: str) -> None:
    """A rest of them, a pixel high, was a white line in every shut mouth."""
    picture, mesh, _ = photo_of(name, 1.0)
    full = Texture.bake(picture, mesh, skin=False).full
    (x, top), (_, bottom), (_, lip) = np.round(chart().points[[13, 14, 0], :2]).astype(int)
    assert full[top + 1 : bottom, x - 8 : x + 8].mean() < 0.6 * full[(lip + top) // 2, x - 8 : x + 8].mean()


def test_teeth_of_a_faint_smile_are_seen_in_a_grey_photo() -> None:
    picture, mesh, edge = photo_of("ada", 1.0, 0.08)
    grey = np.repeat(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    found = edges_in(grey, mesh)
    width = float(np.linalg.norm(mesh[61] - mesh[291]))
    assert np.linalg.norm(found[UPPER, :2] - edge[:, :2], axis=1).max() < 0.025 * width
    assert np.linalg.norm(found[LOWER, :2] - mesh[LOWER, :2], axis=1).max() < 0.04 * width


def test_where_nothing_is_seen_landmarks_are_trusted() -> None:
    grey = np.full_like(person("ada").portrait, 120)
    for mesh in (smiling("ada"), person("ada").landmarks):
        assert edges_in(grey, mesh) == pytest.approx(at_edges(mesh), abs=1e-3)


def shut(name: str, share: float | None) -> tuple[Image, Points, Points]:
    """A photo of a shut mouth whose lips meet at ``share`` of the way between their outlines, in a dark line; the
    landmarks, which have them meet in the middle, and where they meet. None: without a line."""
    mesh, picture = person(name).landmarks.copy(), person(name).portrait.copy()
    mesh[UPPER] = mesh[LOWER] = (mesh[OUTER_UPPER] + mesh[OUTER_LOWER]) / 2
    lips = np.concatenate([mesh[[61]], mesh[OUTER_UPPER], mesh[[291]], mesh[OUTER_LOWER][::-1]])
    cv2.fillPoly(picture, [np.round(lips[:, :2] * 16).astype(np.int32)], (110, 110, 190), cv2.LINE_AA, 4)
    line = mesh[OUTER_UPPER] + np.float32(share or 0.5) * (mesh[OUTER_LOWER] - mesh[OUTER_UPPER])
    if share is not None:
        points = np.round(np.concatenate([mesh[[61]], line, mesh[[291]]])[:, :2] * 16).astype(np.int32)
        cv2.polylines(picture, [points], False, (40, 40, 70), 2, cv2.LINE_AA, 4)
    return picture, mesh, line


@pytest.mark.parametrize(("share", "ajar"), [(0.25, 0.0), (0.4, 0.0), (0.4, 0.1), (0.6, 0.0), (0.6, 0.1)])
@pytest.mark.parametrize("name", ["ada", "ben", "dan"])
def test_shut_lips_meet_where_the_photo_shows_it(name: str, share: float, ajar: float) -> None:
    """Of a thin upper lip a third was the lower one's, and its dark line lay in the middle of the lower lip. The
    landmarks of shut lips may lie ``ajar``, a share of the lips' height."""
    picture, mesh, line = shut(name, share)
    mesh[LOWER] += np.float32(ajar) * (mesh[OUTER_LOWER] - mesh[OUTER_UPPER])
    found = edges_in(picture, mesh)
    height = float(np.linalg.norm(mesh[OUTER_UPPER[4]] - mesh[OUTER_LOWER[4]]))
    for lip in (UPPER, LOWER):
        assert np.linalg.norm(found[lip, :2] - line[:, :2], axis=1).max() < 0.1 * height


@pytest.mark.parametrize("name", ["ada", "ben", "dan"])
def test_shut_lips_without_a_line_stay_where_the_landmarks_are(name: str) -> None:
    picture, mesh, _ = shut(name, None)
    assert np.allclose(edges_in(picture, mesh), at_edges(mesh))
