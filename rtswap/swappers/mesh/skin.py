"""Estimate where a photo shows the skin and features of the face, and where hair, a hat, a hand, glasses or
background.

Two kinds of evidence are used. The occlusion network detects objects in front of a face, as it does in frames,
coarsely. Colour finds fine strands and edges: skin is compared with its own smooth continuation (``smooth_skin``),
and a place that is darker, brighter or of another hue, and connected to an object of the network or to the outside of
the face, is not skin. Wrinkles, moles and shadows in the middle of a face are connected to nothing and stay; so do
eyes, brows, lips and beards, which colour never removes. Dark lenses are removed with the complete area around the
eyes, and the frames of others where the glasses network finds them.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from rtswap.core.types import Image, Mask, Points
from rtswap.networks import glasses as glasses_network
from rtswap.networks.glasses import GlassesModel
from rtswap.networks.occlusion import SIZE as SEEN_PX
from rtswap.networks.occlusion import OcclusionModel, place
from rtswap.networks.photo_light import PhotoLightModel
from rtswap.swappers.mesh.even_light import in_even_light
from rtswap.swappers.mesh.smooth_skin import smooth_skin
from rtswap.swappers.mesh.uv_chart import (
    COARSE,
    FINE,
    OFFSET,
    Field,
    chart,
    coarse_points,
    coarse_positions,
    features,
    inwards,
    ramp,
    rings_mask,
    skirted,
    to_chart,
)
from rtswap.vision.geometry import transform
from rtswap.vision.raster import rasterize
from rtswap.vision.resample import blurred, looked_up, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

DARK, BRIGHT, HUE = 0.22, 0.42, 0.11
"""Differences in log colour from the smooth continuation of skin at which a place is as likely hair as skin: darker,
brighter, of another hue."""
GLOSS = (0.0, 0.1)
"""Where all three log colours are brighter than skin by the second value, hue counts no more; below the first it
counts fully. A shine is skin with white light on it, which takes its hue away."""
WHITE = 255.0
"""To what a shine tends in each colour: a red that is nearly as bright before rises no further."""
FRONT = (0.7, 0.9)
"""Inter-ocular distances from the middle line up to which there may be a shine, and from which there is none: bright
edges of cheeks and ears are background or cloth."""
EDGE = 0.36
"""Inter-ocular distances from the oval within which colour alone may remove places connected to the outside."""
NEAR, NEAR_EYES = 9.0, (6.0, 2.5)
"""Coarse texels from the network's mask within which colour may remove more: strands, and shadows of hair; around the
eyes, without glasses and with them. White cloth may reach twice as far."""
VIVID = (2.0, 3.0)
"""Unlikeness in hue up to which colour reaches no farther, and from which it reaches three times as far."""
ROUGH = (0.6, 1.4)
"""Unlikeness that a tenth of the plain skin may exceed, and the most by which wrinkles and hard light widen the
tolerances."""
WIDER = 4.0
"""Coarse texels from removed places within which skin does not count for its own smooth colour."""
OBLIQUE = (0.2, 0.45)
"""How much less a feature may face the camera than its mirrored counterpart to be protected: at the far side of a
turned head there is background."""
ONE_SIDED, CONFUSED = (0.6, 1.2), 15
"""How much more unlike skin a feature may look than its mirrored counterpart before it counts as hair over it; fine
texels by which the counterpart may be displaced."""
LEAN = 0.35
"""How far colour moves the network's confidence either way."""
MOST = np.array([2, 5, 5], np.float32)
"""Bounds of the three kinds of unlikeness: beyond the first, the darkness of a brow or beard means nothing."""
CLEAR, MILDER = (0.02, 0.1), np.array([1, 1.8, 1.8], np.float32)
"""Probability that something covers the face up to which the network is sure of skin, and from which it no longer
is; how much darker, brighter or of another hue a place must then be, in tolerances: sheen and coloured light change
hue, hair that the network misses is dark strands."""
WIDE, SQUARELY = 17, (0.3, 0.5)
"""Fine texels, a centimetre, from which a place that the network is sure of cannot be a strand of hair; and how much
it must face the camera: at the face's edge there may be background."""
MUCH_BRIGHTER, CLOTH = (0.8, 1.2), (210.0, 230.0)
"""Brightness in tolerances, and levels of the darkest colour, from which a place is white cloth or a glare, although
the network is sure of skin."""
STRICTER = 0.8
"""Factor by which colour is stricter next to covered places: edges of hair are blurred into the skin."""
ROUNDS = 3
"""Passes: each one starts from the skin without the hair that the previous one found."""
LIDS_AND_CHEEKS = (
    ([228, 229, 230, 231, 223, 222], [50, 205, 187, 207]),
    ([448, 449, 450, 451, 443, 442], [280, 425, 411, 427]),
)
"""Points around either eye that glasses would cover, and points that they would not."""
DARK_LENS = 0.33
"""Lightness under and over the eyes, relative to the cheeks', below which the person wears dark glasses."""

LENS_REACH = 14.0
"""How far glasses reach from eyes and brows, in coarse texels."""
DARKER, OTHER_HUE = 18.0, 14.0
"""How much darker than the cheeks (36 is half as light), or how far off in chromaticity, a place near the eyes is not
skin."""
BRIDGE = [168, 6]
"""Points of the nose between the eyes, where glasses sit."""
OPEN, SHUT, SURE = 0.35, 0.6, 0.9
"""Confidence of the network where the photo starts to fade out, where it is left out, and above
which its colour does not matter: hands are skin."""
AT_THE_EDGE, GLINT = 0.1, 250
"""Inter-ocular distances from the oval within which hair and hats begin. A region that starts farther inside and has
fewer coarse texels is a glint; one with more is a dark lens."""


def face_mask(
    portrait: Image,
    landmarks: Points,
    occlusion_model: OcclusionModel | None = None,
    glasses_model: GlassesModel | None = None,
    light_model: PhotoLightModel | None = None,
) -> Mask:
    """Return a mask (256, 256) on the chart: 255 = skin or a feature of the face, 0 = something else. ``landmarks``
    (468, 3) px in the portrait.

    ``occlusion_model``: finds what colours do not reveal, such as hands, even in front of the eyes.
    ``glasses_model``: finds the frames of glasses. ``light_model``: finds hard light, which is no sign of hair.
    """
    image, facing = to_chart(portrait, landmarks)
    if light_model is not None:
        image = in_even_light(image, light_model)
    small = resized(image, (COARSE, COARSE), cv2.INTER_AREA)
    tints = _tints(small)
    hidden = sure = np.zeros((COARSE, COARSE), np.float32)
    if occlusion_model is not None:
        hidden = _hidden(portrait, landmarks, occlusion_model)
        sure = 1 - ramp(hidden, *CLEAR)
    glasses = _on_the_nose(hidden)
    if _dark_lenses(tints):
        hidden = np.maximum(hidden, _glasses(tints))
    elif glasses_model is not None:
        frames = _frames(portrait, landmarks, glasses_model)
        hidden = np.maximum(hidden, frames)
        glasses |= float(frames.max()) > SHUT
    return np.asarray(np.round(255 * _skin(image, hidden, sure, facing, glasses=glasses)), np.uint8)


def _skin(image: Image, hidden: Field, sure: Field, facing: Field, *, glasses: bool) -> Field:
    """1 where the chart's ``image`` shows the face, (256, 256). ``hidden`` (128, 128): probability that it does not;
    ``sure`` (128, 128): 1 where the network says that it does; ``facing`` (128, 128): 1 where a place faces the
    camera, 0 where it is seen from the side. ``glasses``: whether any are worn."""
    kept = _fine(_kept() * (1 - ramp(facing[:, ::-1] - facing, *OBLIQUE)))
    front = _fine(1 - ramp(np.abs(coarse_positions()[..., 0]), *FRONT))
    eyes, inner = _fine(_around_eyes()) > 0, _fine(inwards()) > EDGE
    both = _fine(1 - ramp(np.abs(facing[:, ::-1] - facing), *OBLIQUE))
    logs = np.log(np.asarray(resized(image, (COARSE, COARSE), cv2.INTER_AREA), np.float32) + OFFSET)
    fine = np.asarray(blurred(resized(image, (FINE, FINE), cv2.INTER_AREA), 0.7), np.float32)
    fine = np.log(fine + OFFSET)
    white = np.log(CLOTH[0] + OFFSET), np.log(CLOTH[1] + OFFSET)
    seen = _fine(hidden)
    surely = front * ~eyes * _fine(sure * ramp(facing, *SQUARELY))
    face = np.asarray(1 - ramp(hidden, OPEN, SHUT), np.float32)
    face *= inwards() > EDGE
    for _ in range(ROUNDS):
        plain = _plain(face)
        kinds = _unlike(fine, _fine(smooth_skin(logs, plain)), front)
        cloth = ramp(kinds[..., 1], *MUCH_BRIGHTER) * ramp(fine.min(2), *white)
        milder = 1 + (MILDER - 1) * (_fine(sure) * (1 - cloth))[..., None]
        rough = np.percentile(kinds.max(2)[_fine(plain) > 0.5], 90) if plain.any() else 0
        kinds = np.minimum(kinds / (milder * np.float32(np.clip(rough / ROUGH[0], 1, ROUGH[1]))), MOST)
        kinds *= 1 - _solid(kinds.max(2), surely * (1 - cloth))[..., None]
        unlike = np.minimum(kinds.max(2), 2)
        lean = np.clip(unlike - 1, -1, np.where(eyes, 0, 1)) * (seen < SURE)
        covered = ramp(seen + np.float32(LEAN) * lean, OPEN, SHUT)
        other = _nearby(kinds + 9 * covered[..., None])[:, ::-1]
        one_sided = both * ramp((kinds - other).max(2), *ONE_SIDED)
        near_eyes = NEAR_EYES[glasses]
        near = (eyes | (near_eyes < NEAR_EYES[0]) & inner) & (one_sided < 0.5) & (cloth < 0.5)
        vivid = ramp(kinds[..., 2], *VIVID)
        reach = np.where(near, near_eyes, NEAR * (1 + np.maximum(cloth, 2 * vivid)))
        covered = np.maximum(covered, _connected(unlike * (1 - kept * (1 - one_sided)), covered, reach))
        face = np.asarray(resized(1 - covered, (COARSE, COARSE), cv2.INTER_AREA), np.float32)
    grown = cv2.dilate(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    return 1 - blurred(np.asarray(grown, np.float32), 0.8)


def _plain(face: Field) -> Field:
    """1 where skin is known and far enough from anything else, (128, 128)."""
    width = 2 * round(WIDER) + 1
    clear = cv2.erode(face, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return np.asarray((clear > 0.8) & (features() < 0.1) & (inwards() > 0.05), np.float32)


def _unlike(logs: Field, skin: Field, front: Field) -> Field:
    """How far log colours (H, W, 3) are from skin's: darker, brighter, of another hue, 1 = as likely hair as skin,
    (H, W, 3). ``front`` (H, W): 1 where a shine may be."""
    apart = logs - skin
    light = apart.mean(2)
    hue = np.linalg.norm(apart - light[..., None], axis=2)
    to_white = np.log(np.float32(WHITE + OFFSET)) - skin
    shine = np.clip((apart * to_white).sum(2) / np.maximum((to_white**2).sum(2), 1e-3), 0, 1)
    rest = np.linalg.norm(apart - shine[..., None] * to_white, axis=2)
    rest = np.minimum(rest, hue) * (1 - ramp(apart.min(2), *GLOSS))
    hue += front * (rest - hue)
    return np.asarray(cv2.merge([-light / DARK, light / BRIGHT, hue / HUE]), np.float32)


def _solid(unlike: Field, sure: Field) -> Field:
    """1 where a place unlike skin is too wide for hair that the network misses, (256, 256): a forehead in other light
    than the cheeks. ``sure`` (256, 256): 1 where the network says that it is skin, and the camera sees it well."""
    odd = np.asarray(ramp((1 + np.float32(STRICTER)) * unlike, 0.6, 1.0) * sure, np.float32)
    wide = cv2.morphologyEx(odd, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDE, WIDE)))
    near = cv2.dilate(wide, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDE, WIDE)))
    return np.asarray(near * sure, np.float32)


def _nearby(field: Field) -> Field:
    """Maximum over the places that a landmark's error may confuse."""
    return np.asarray(cv2.dilate(field, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (CONFUSED, CONFUSED))))


def _connected(unlike: Field, covered: Field, reach: Field) -> Field:
    """1 where colours are unlike skin and connected to covered places or to the outside, (256, 256). ``reach``:
    maximum distance from covered places, in coarse texels."""
    away = cv2.distanceTransform((covered < 0.5).astype(np.uint8), cv2.DIST_L2, 5) * np.float32(COARSE / FINE)
    may = np.maximum(away < reach, _fine(1 - ramp(inwards(), 0.6 * EDGE, EDGE)))
    stricter = 1 + np.float32(STRICTER) * (1 - ramp(away, 2.0, 4.0)) * (_fine(_around_eyes()) == 0)
    odd = ramp(unlike * may * stricter, 0.6, 1.0)
    sure = (covered > 0.5) | (_fine(inwards()) < 0)
    _, labels = cv2.connectedComponents(((odd > 0) | sure).astype(np.uint8), connectivity=8)
    found = np.zeros(int(labels.max()) + 1, bool)
    found[np.unique(labels[sure])] = True
    return np.asarray(odd * found[labels], np.float32)


def _fine(field: Field) -> Field:
    """Enlarge a coarse field to (256, 256, ...)."""
    return resized(field, (FINE, FINE), cv2.INTER_LINEAR)


def _tints(picture: Image) -> Image:
    """Lightness on a log scale, and two chromaticities that shadows change little; 8 bits."""
    light = np.asarray(blurred(picture, 0.8), np.float32) + 6
    blue, green, red = light[..., 0], light[..., 1], light[..., 2]
    total = blue + green + red
    planes = [36 * np.log2(total / 18), 128 + 300 * (red / total - 0.42), 128 + 300 * (blue / total - 0.25)]
    return np.asarray(np.clip(cv2.merge(planes), 0, 255), np.uint8)


def _hidden(portrait: Image, landmarks: Points, occlusion_model: OcclusionModel) -> Field:
    """Probability 0..1 that something covers the face, by the network, (128, 128)."""
    matrix = place(landmarks)
    if matrix is None:
        return np.zeros((COARSE, COARSE), np.float32)
    points = transform(matrix, landmarks[:, :2])
    hidden = _on_chart(occlusion_model.hidden(portrait, matrix, points), points, landmarks[:, 2], (SEEN_PX, SEEN_PX))
    _, labels, stats, _ = cv2.connectedComponentsWithStats((hidden > OPEN).astype(np.uint8))
    counts = stats[:, cv2.CC_STAT_AREA] >= GLINT
    counts[np.unique(labels[inwards() < AT_THE_EDGE])] = True
    return np.asarray(np.where((hidden > OPEN) & ~counts[labels], 0, hidden), np.float32)


def _frames(portrait: Image, landmarks: Points, glasses_model: GlassesModel) -> Field:
    """Probability 0..1 that the frame of glasses covers the face, (128, 128)."""
    matrix = glasses_network.place(landmarks)
    if matrix is None:
        return np.zeros((COARSE, COARSE), np.float32)
    answer = glasses_model.find(portrait, matrix)
    answer[[0, -1]] = answer[:, [0, -1]] = 0  # the strip's border is continued
    points, size = transform(matrix, landmarks[:, :2]), (glasses_network.WIDTH, glasses_network.HEIGHT)
    return _on_chart(answer, points, landmarks[:, 2], size)


def _on_chart(answer: Field, points: Points, depths: Field, size: tuple[int, int]) -> Field:
    """A network's ``answer`` for a crop of ``size`` (width, height), on the chart, (128, 128). ``points`` (468, 2),
    ``depths`` (468,): the landmarks in the crop."""
    values = np.ones((468 + len(OVAL), 3), np.float32)
    places = skirted(np.column_stack([points, depths]))[:, :2]
    values[:, :2] = np.clip((places + 0.5) / np.array(size, np.float32), 0, 1)
    where = rasterize(coarse_points(), values, chart().triangles, (COARSE, COARSE))[..., :2]
    return looked_up(answer, where * np.array(answer.shape[::-1], np.float32) - np.float32(0.5))


@cache
def _kept() -> Field:
    """1 where nothing is ever removed, (128, 128): features, and the area of a beard."""
    where = coarse_positions()
    x, y = np.abs(where[..., 0]), where[..., 1]
    beard = (((x < 0.7) & (y > 0.5)) | ((x < 0.5) & (y > 0.3))) & (inwards() > -0.1)
    nose = (x < 0.2) & (y > -0.1) & (y < 0.45)
    features = np.maximum(rings_mask((*_eyes_and_brows(), LIPS_OUTER), 1.0), (beard | nose).astype(np.float32))
    return blurred(np.asarray(features, np.float32), 1.0)


def _eyes_and_brows() -> tuple[list[int], ...]:
    return LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE


@cache
def _around_eyes() -> Field:
    """1 where lenses would be, (128, 128): skin is darker there, and uneven."""
    return rings_mask((LEFT_EYE, RIGHT_EYE), LENS_REACH) * (inwards() > EDGE / 2)


def _dark_lenses(tints: Image) -> bool:
    """True if the skin around both eyes is far darker than the cheeks: sunglasses."""
    light = 18 * np.exp2(tints[..., 0].astype(np.float32) / 36)
    return all(_level(light, lids) < DARK_LENS * _level(light, cheek) for lids, cheek in LIDS_AND_CHEEKS)


def _glasses(tints: Image) -> Field:
    """1 on dark glasses (128, 128): eyes, brows, and surroundings darker than the cheeks or of another colour."""
    cheeks = coarse_points()[[point for _, cheek in LIDS_AND_CHEEKS for point in cheek], :2]
    x, y = np.round(cheeks).astype(int).T
    away = np.abs(tints.astype(np.float32) - np.median(tints[y, x], axis=0)).astype(np.float32)
    darker = tints[..., 0] < np.median(tints[y, x, 0]) - DARKER
    unlike = (darker | (away[..., 1:].max(2) > OTHER_HUE)) & (rings_mask(_eyes_and_brows(), LENS_REACH) > 0)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    whole = cv2.morphologyEx(np.asarray(unlike, np.uint8), cv2.MORPH_CLOSE, disc)
    whole = np.maximum(cv2.dilate(whole, disc), rings_mask(_eyes_and_brows(), 4.0) > 0)
    return blurred(np.asarray(whole, np.float32), 1.5)


def _on_the_nose(covered: Field) -> bool:
    """True if something covers the bridge of the nose: glasses."""
    return float(_at(covered, BRIDGE).max()) > 0.5


def _at(field: Field, points: list[int]) -> Field:
    """Values at landmarks, (N,)."""
    x, y = np.round(coarse_points()[points, :2]).astype(int).T
    return np.asarray(field[y, x], np.float32)


def _level(light: Field, points: list[int]) -> float:
    return float(np.median(_at(light, points)))
