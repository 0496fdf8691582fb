"""Put the target's light on the source's skin, in ratios.

``out = low(target) * ratio``, where ``ratio = source / low(source)`` is what distinguishes a place of the source's
face from its surroundings. A ratio keeps its hue under any light, so no tone arises that neither face has; a
difference, added to much lighter skin, turns teal or white. ``ratios`` computes them once. The target's low-pass
is smooth, so it is computed on a small grid.

Towards the outline the swap also follows the target's finer shading (``seam_of``), so that its edge shows no step.

Cheap and fogged lenses raise the *black level* of the frame (veiling glare): what is black in the world is grey in
the frame. Light is measured above that level; otherwise brows from a clear photo would be blacker than anything in a
webcam's frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.swappers.mesh.skin_tones import LUMA, ONE, toned
from rtswap.swappers.mesh.uv_chart import Field
from rtswap.vision.resample import resized

_WEIGHTS = np.array(LUMA, np.float32)
OFFSET = 4.0
"""Levels added before a ratio is taken, so that sensor noise in black does not count."""
MOST_BLACK = 0.6
"""Upper bound on the black level, as a share of the face's mean in its darkest channel."""
UNLIKE = 0.5
"""Difference in log light from the surroundings where a place of the target half counts as skin: hair, eyes and
background differ more."""
GLOSS, GLOSS_SIGMA, MOST_GLOSS = 1.0, 0.25, 0.45
"""Share of the target's gloss that is kept, per log of how much darker the target is than the photo; sigma of gloss
as a share of the light's; and largest share. Dark skin without it looks powdered; more of it is the target's face."""
MATTE, MOST_MATTE, MOST_COLOUR = 0.9, 0.6, 0.12
"""Share of the way from the mean colour of the target's skin to that without gloss, per log of how much darker the
target is than the photo; largest share; and longest way, in log colour. Gloss is as grey as the lamp: without it, but
in the mean colour, dark skin looks ashen. All of the way is a step in colour towards the target's temples."""
LEAST_COLOUR, SHADED = 0.05, 0.15
"""Log of a colour below which it is none; and log lightness below the surroundings at which half counts as shade,
which light from skin to skin may colour."""
GLEAM, PURPLE = 1.0, 0.1
"""Log lightness, and log of red and blue over green, at which half counts as gloss: eyes and teeth are lighter, lips
purple."""
_GLEAM, _PURPLE = _WEIGHTS / np.float32(GLEAM), np.array([0.5, -1, 0.5], np.float32) / np.float32(PURPLE)
SEAM = 0.32
"""Sigma of the target's shading that the outline follows, as a share of the light's."""
LEAST_SEAM = 0.5
"""Least sigma of it, in nodes: the few nodes of a small face see no skin without eyes and brows."""
SEAM_REACH = 0.6, 0.95
"""Share of the face within that sigma: up to the first the outline follows entirely (the mask begins there), beyond
the second not at all."""
SEAM_LIMIT = 0.6
"""Largest change of the log of light."""
LIDS_SIGMA, LIDS_LIMIT, LIDS_LEAST = 0.4, 0.5, 0.01
"""How the target's lids come into the swap's light: sigma as a share of the light's, the largest change of the log,
and the share of visible skin around them at which half of it is made."""


class Relit(NamedTuple):
    """A swap in the target's light."""

    picture: Image
    """(H, W, 3)."""
    lids: Field
    """(h, w, 3) ``lids_of``, on the light's grid."""
    black: float


class SourceLight(NamedTuple):
    """The light in the photo, 0..255."""

    mean: float
    """Mean of the skin's light."""
    black: float
    """``black_level_of`` the face."""
    colour: float
    """Log of red over blue of the skin's light."""


class TargetLight(NamedTuple):
    """The light on the target's skin, on a small grid over the extent."""

    field: Field
    """(h, w, 3) above the black level."""
    skin: Field
    """(h, w) 0..1: where skin was seen."""
    mean: float
    """Over the face, above the black level."""
    black: float
    """The black level."""
    colour: float
    """Log of red over blue of that mean."""


def light_of(target: Field, area: Field, sigma: float, black: float) -> TargetLight:
    """Measure the light on the target's skin. ``target`` (h, w, 3) 0..255; ``area`` (h, w): 1 on the face; ``sigma``
    in nodes; ``black``: how much higher the target's black level is than the photo's."""
    field, skin = skin_light(target, area, sigma)
    means = (field * area[..., None]).sum((0, 1)) / max(1.0, float(area.sum()))
    mean, black = float(means @ _WEIGHTS), min(max(0.0, black), MOST_BLACK * float(means.min()))
    colour = colour_of(means - black)
    return TargetLight(np.maximum(field - np.float32(black), 1), skin, max(mean - black, 1.0), black, colour)


def colour_of(skin: Field) -> float:
    """Log of red over blue of a mean (3,) of skin, 0..255."""
    blue, _, red = np.maximum(skin, 0) + OFFSET
    return math.log(red / blue)


def skin_light(image: Field, area: Field, sigma: float) -> tuple[Field, Field]:
    """Low-pass of the skin's light (h, w, 3), and where it was seen (h, w) 0..1: eyes, brows, hair and beard are
    darker than their surroundings and count little. ``area`` (h, w): 1 on the face."""
    first = low_pass(image, area, sigma)
    unlike = np.log(((image + OFFSET) @ _WEIGHTS) / ((first + OFFSET) @ _WEIGHTS)) / UNLIKE
    skin = np.asarray(area / (1 + _fourth(unlike)), np.float32)
    return low_pass(image, skin, sigma), skin


def low_pass(image: Field, weights: Field, sigma: float) -> Field:
    """Gaussian (h, w, 3) of ``image`` normalised over ``weights`` (h, w) 0..1, continued for 3 ``sigma`` beyond."""
    low, seen = _weighted(image, weights, sigma)
    return np.asarray((low + 1e-4) / (seen + 1e-6), np.float32)


def _weighted(image: Field, weights: Field, sigma: float) -> tuple[Field, Field]:
    """Gaussian of ``image`` times ``weights`` (h, w, 3), and of ``weights`` (h, w, 1)."""
    planes = np.empty((*weights.shape, 4), np.float32)
    np.multiply(image, weights[..., None], out=planes[..., :3])
    planes[..., 3] = weights
    low = _gaussian(planes, sigma)
    return low[..., :3], low[..., 3:]


def on_darker(light: TargetLight, target: Field, area: Field, sigma: float, lighter: float) -> TargetLight:
    """The light on a target that is darker than the photo: in the colour of its skin without gloss, and with a share
    of its gloss. ``target``, ``area``, ``sigma`` as for ``light_of``; ``lighter``: log of how much lighter it is."""
    if lighter >= 0:
        return light
    share, matte = (np.float32(min(-per * lighter, most)) for per, most in ((GLOSS, MOST_GLOSS), (MATTE, MOST_MATTE)))
    theirs = np.maximum(target - np.float32(light.black), 0)
    logs = np.log((theirs + np.float32(OFFSET)) / (light.field + np.float32(OFFSET)))
    skin = area / (1 + _fourth(logs @ _GLEAM) + _fourth(logs @ _PURPLE))
    lit = np.asarray(skin / (1 + _fourth(np.minimum(logs @ _WEIGHTS, 0) / np.float32(SHADED))), np.float32)
    above = np.minimum(np.maximum(theirs - light.field, 0), light.field * np.float32(math.exp(GLEAM) - 1))
    shine = _gaussian(above * skin[..., None], GLOSS_SIGMA * sigma)
    shine = shine - low_pass(shine, area, sigma)
    field = light.field * np.exp(matte * _without_gloss(theirs, lit))
    return light._replace(field=np.maximum(field + share * shine, 1))


def _without_gloss(target: Field, skin: Field) -> NDArray[np.float32]:
    """Logs (3,) from the mean colour of ``target`` (h, w, 3), where it is ``skin`` (h, w) 0..1, to its colour without
    gloss, equally light. Gloss has the lamp's colour, so what has most colour has least of it (Klinker, Shafer and
    Kanade, The measurement of highlights in color images, IJCV 1988)."""
    logs = np.log(target + np.float32(OFFSET))
    tints = logs - (logs @ _WEIGHTS)[..., None]
    mean = (tints * skin[..., None]).sum((0, 1)) / max(1.0, float(skin.sum()))
    length = float(mean @ mean)
    colour = np.clip(tints @ mean / np.float32(max(length, LEAST_COLOUR**2)), 0, 2)
    clear = skin * np.square(colour * colour * colour)
    change = (tints * clear[..., None]).sum((0, 1)) / max(1e-3, float(clear.sum())) - mean
    most = MOST_COLOUR / max(math.sqrt(float(change @ change)), 1e-6)
    return np.asarray(change * min(1.0, most), np.float32)


def seam_of(light: TargetLight, target: Field, ratios: Field, area: Field, sigma: float) -> Field:
    """Factors (h, w, 3) that bring the swap's outline to the target's shading; 1 inside the face.

    ``target`` (h, w, 3) 0..255, ``ratios`` (h, w, 3) with ``ONE`` as 1, ``area`` (h, w): 1 on the face.
    """
    low, high = SEAM_REACH
    near = np.clip((high - _gaussian(area, sigma)) / (high - low), 0, 1)
    theirs = np.maximum(target - np.float32(light.black), 0) + np.float32(OFFSET)
    apart = np.log(theirs / (light.field * ratios * np.float32(1 / ONE) + np.float32(OFFSET)))
    spread = low_pass(np.asarray(apart, np.float32), near * light.skin, sigma)
    return np.asarray(np.exp(np.clip(spread, -SEAM_LIMIT, SEAM_LIMIT) * near[..., None]), np.float32)


def lids_of(light: TargetLight, target: Field, lit: Field, around: Field, sigma: float) -> Field:
    """Factors (h, w, 3) that bring the skin of the target's lids, above the black level, to the swap's around them.

    ``target`` (h, w, 3) 0..255; ``lit`` (h, w, 3) the swap above the black level; ``around`` (h, w): 1 around lids.
    """
    theirs, ours = (np.maximum(one, 0) + np.float32(OFFSET) for one in (target - np.float32(light.black), lit))
    unlike = np.log((ours @ _WEIGHTS) / ((light.field + np.float32(OFFSET)) @ _WEIGHTS)) / UNLIKE
    weights = np.asarray(around * light.skin / (1 + _fourth(unlike)), np.float32)
    low, seen = _weighted(np.log(ours / theirs), weights, sigma)
    return np.asarray(np.exp(np.clip(low / (seen + LIDS_LEAST), -LIDS_LIMIT, LIDS_LIMIT)), np.float32)


def _fourth(values: NDArray[np.floating]) -> Field:
    """Fourth power: ``**`` takes ten times as long."""
    return np.asarray(np.square(np.square(values)), np.float32)


def _gaussian(planes: Field, sigma: float) -> Field:
    side = 2 * max(1, round(3 * sigma)) + 1
    return np.asarray(cv2.GaussianBlur(planes, (side, side), sigma, borderType=cv2.BORDER_CONSTANT), np.float32)


def relight(
    ratios: Image,
    target: Field,
    area: Field,
    sigma: float,
    source: SourceLight,
    black: float,
    features: Callable[[], Image] | None = None,
    around_eyes: Field | None = None,
) -> Relit:
    """Put the target's light on ``ratios`` (H, W, 3), a part of ``ratios_of`` as the camera sees it.

    ``target`` (h, w, 3) 0..255 and ``area`` (h, w), 1 on the face: the same part of the target on a grid; ``sigma``:
    of its light, in nodes; ``black``: its black level, 0..255; ``features``: makes ``brows_and_lips`` as the camera
    sees them, of any size, and is called if they differ from skin; ``around_eyes`` (h, w): 1 around the lids.
    """
    light = light_of(target, area, sigma, black - source.black)
    lighter = math.log(light.mean / max(source.mean, 1.0))
    ratios = toned(ratios, lighter, (source.colour, light.colour), features)
    light = on_darker(light, target, area, sigma, lighter)
    small = block_means(ratios, area.shape[::-1])
    gain = light.field * seam_of(light, target, small, area, max(SEAM * sigma, LEAST_SEAM))
    around = np.zeros_like(area) if around_eyes is None else around_eyes
    lids = lids_of(light, target, small * gain * np.float32(1 / ONE), around, max(LIDS_SIGMA * sigma, LEAST_SEAM))
    gain = resized(gain, ratios.shape[1::-1])
    lit = cv2.multiply(ratios, gain, dst=ratios, scale=1 / ONE, dtype=cv2.CV_8U)
    if light.black:
        lit = cv2.add(lit, np.full(4, light.black), dst=ratios)
    return Relit(np.asarray(lit, np.uint8), lids, light.black)


def block_means(image: Image, size: tuple[int, int]) -> Field:
    """Mean of each block, (h, w, 3) for ``size`` = (w, h), by repeated halving: half the time of one step."""
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        image = resized(image, (image.shape[1] // 2, image.shape[0] // 2), cv2.INTER_AREA)
    return np.asarray(image if image.shape[1::-1] == size else resized(image, size, cv2.INTER_AREA), np.float32)


def black_level_of(face: Image) -> float:
    """The level 0..255 below which a hundredth of a face lies: pupils, lashes and nostrils are black except for lens
    glare.

    The dark channel of He, Sun and Tang (Single Image Haze Removal, CVPR 2009) in its simplest form.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(face[::2, ::2]), cv2.COLOR_BGR2GRAY)
    counts = np.asarray(cv2.calcHist([grey], [0], None, [256], [0, 256])).ravel()
    below, share = np.cumsum(counts), 0.01 * grey.size
    level = int(np.searchsorted(below, share))
    return float(level + 1 - (below[level] - share) / counts[level])  # interpolated between levels: no jumps
