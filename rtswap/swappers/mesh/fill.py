"""Fill in what a photo hides: the texture covers the complete face, even under hair, hats, hands and glasses.

A hidden place is taken from the mirrored half if it is visible there, in the light of its own side: multiplied by the
smooth ratio of both halves. If neither is visible, the colour is the smooth continuation of the person's skin, with
the person's grain. Eyes, brows and lips that neither half shows cannot be known: the mask leaves them out, so that
the target's own remain.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.multi_view import PhotoView
from rtswap.swappers.mesh.smooth_skin import averaged, smooth_skin, spread
from rtswap.swappers.mesh.uv_chart import COARSE, FINE, OFFSET, SIZE, Field, features, inwards, ramp, rings_mask
from rtswap.vision.resample import blurred, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

FAIR, GOOD = 0.25, 0.6
"""Facing of a place: below the first value the mirrored half replaces it, above the second it never does."""
BETTER = (0.4, 0.65)
"""How much more squarely the mirrored half must show a place: from the first value on it takes part, from the second
it alone."""
BESIDE = 4
"""Coarse texels around an oblique place that count as oblique as well: landmarks of a turned head are some pixels
off, so that its nose became crooked, or showed what is behind it."""
OBLIQUE, OBLIQUE_SIGMA = (0.4, 0.75), 6.0
"""Facing up to which streaks are removed, and from which they stay: what a photo shows obliquely, such as a fold at
the edge of a cheek, or an ear, would be a broad streak on a turned head. Sigma in coarse texels of this facing, so
that the nose's sides are no edge."""
STREAK_SIGMA = 6.0
"""Sigma in coarse texels of the colour that remains there."""
MOST_FINE = 0.1
"""Largest log amplitude of fine detail that remains there: grain and stubble, but no strands of hair at the far side
of a turned head."""
SEAM = 2.0
"""Sigma in coarse texels of the seams between an obliquely visible place and the mirrored half."""
COMMON = 0.3
"""Weight that both halves need where their light is compared."""
MOST = 1.2
"""Largest log ratio of the halves' light."""
GRAIN_SIGMA, GRAIN_PATCH, MOST_GRAIN = 2.5, 64, 0.15
"""Grain: sigma in texels of the Gaussian whose remainder it is; side of the patch of skin where it is measured;
largest log amplitude."""
BAND = (1.0, 7.0)
"""Distances in coarse texels from a hole: up to the first, skin is fully brought to its smooth continuation, from the
second on no longer."""
CLOSE, FAR = 0.06, 3.0
"""Deviations in log colour that remain there, and away from holes."""
AWAY = 4.0
"""Coarse texels from a hole from which skin counts for its smooth continuation."""
ISLAND = 0.36
"""Inter-ocular distances from the oval up to which a piece of the photo that hangs together with nothing farther
inside is left out: an ear, an ear-ring, a cheek's edge between locks of hair."""
HIDDEN = (0.5, 0.6)
"""Hidden shares of a feature from which the target's own begins to show, and from which it alone shows."""


class FilledView(NamedTuple):
    """A photo on the chart, without holes."""

    image: Image
    """(512, 512, 3)"""
    mask: Mask
    """(128, 128) 255 where the texture can be shown: the complete face, without features that neither half shows."""
    shown: Mask
    """(128, 128) 255 where the photo itself shows the face, 0 where it was filled in."""


def filled(view: PhotoView) -> FilledView:
    """Fill in places that are hidden, too oblique, or without detail."""
    face = np.asarray(view.face / np.float32(255), np.float32)
    seen = _own_share(view)
    own = _without_islands(np.minimum(face, _enlarged(seen, FINE)))
    coarse = np.asarray(resized(own, (COARSE, COARSE), cv2.INTER_AREA), np.float32)
    shown = np.asarray(np.round(255 * coarse), np.uint8)
    worth = cv2.erode(view.worth, np.ones((3, 3), np.uint8))
    mirror = blurred(ramp(np.ascontiguousarray(worth[:, ::-1]), 0.1, 0.3), 1.0)
    mask = _mask(resized(face, (COARSE, COARSE), cv2.INTER_AREA), mirror)
    logs = np.log(view.image + np.float32(OFFSET))
    small = np.log(np.asarray(resized(view.image, (COARSE, COARSE), cv2.INTER_AREA), np.float32) + OFFSET)
    squarely = _squarely(view.seen)
    logs = _without_streaks(logs, small, coarse, squarely)
    if own.min() >= 1:
        return FilledView(_image(logs), mask, shown)
    smooth = smooth_skin(small, _plain(coarse, AWAY))
    small, logs = (_evened(one, _enlarged(smooth, len(one)), view.coarse_face) for one in (small, logs))
    smooth = _with_features(smooth, small, coarse)
    grain = _grain(logs, _plain(coarse))
    from_mirror = logs[:, ::-1] + _enlarged(_light_ratio(small, coarse, view.worth), SIZE)
    share = _enlarged(np.minimum(mirror, squarely[:, ::-1]), SIZE)[..., None]
    hidden = share * from_mirror + (1 - share) * (_enlarged(smooth, SIZE) + grain)
    keep = _enlarged(own, SIZE)[..., None]
    return FilledView(_image(keep * logs + (1 - keep) * hidden), mask, shown)


def _image(logs: Field) -> Image:
    return np.asarray(np.round(np.clip(np.exp(logs) - OFFSET, 0, 255)), np.uint8)


def _own_share(view: PhotoView) -> Field:
    """1 where the photo's own half is used because hair does not cover it, (128, 128)."""
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BESIDE + 1, 2 * BESIDE + 1))
    seen = np.asarray(cv2.erode(view.seen, around) * view.exposed, np.float32)
    theirs = view.worth[:, ::-1]
    share = ramp(theirs - seen, *BETTER) * (1 - ramp(seen, FAIR, GOOD))
    return 1 - blurred(np.asarray(share, np.float32), SEAM)


def _without_islands(own: Field) -> Field:
    """``own`` (256, 256) without small pieces at the edge of the face."""
    _, labels = cv2.connectedComponents(np.asarray(own > 0.5, np.uint8), connectivity=4)
    inside = np.zeros(int(labels.max()) + 1, bool)
    inside[np.unique(labels[_enlarged(inwards(), FINE) > ISLAND])] = True
    island = np.asarray(~inside[labels] & (labels > 0), np.uint8)
    around = cv2.dilate(island, np.ones((9, 9), np.uint8)) * (~inside[labels] | (labels == 0))
    return np.asarray(own * (1 - around), np.float32)


def _squarely(seen: Field) -> Field:
    """1 where the photo shows the skin squarely enough for another pose, 0 where it is smeared, (128, 128)."""
    return np.asarray(np.maximum(ramp(blurred(seen, OBLIQUE_SIGMA), *OBLIQUE), features()), np.float32)


def _without_streaks(logs: Field, small: Field, known: Field, squarely: Field) -> Field:
    """Log colours (512, 512, 3) without streaks where ``squarely`` (128, 128) is 0: grain and stubble stay."""
    broad = averaged(small, known * (inwards() > 0), STREAK_SIGMA)
    fine = np.clip(logs - blurred(logs, GRAIN_SIGMA), -MOST_FINE, MOST_FINE)
    share = _enlarged(squarely, SIZE)[..., None]
    return np.asarray(share * logs + (1 - share) * (_enlarged(broad, SIZE) + fine), np.float32)


def _plain(own: Field, away: float = 1.0) -> Field:
    """1 where bare skin is known, at least ``away`` coarse texels from anything else, (128, 128)."""
    width = 2 * round(away) + 1
    clear = cv2.erode(own, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return np.asarray((clear > 0.9) & (features() < 0.1) & (inwards() > 0), np.float32)


def _evened(logs: Field, smooth: Field, face: Mask) -> Field:
    """Log colours (H, H, 3) kept close to smooth skin beside holes, where hair casts shadows and single hairs darken
    the skin. Features are left as they are."""
    away = np.asarray(cv2.distanceTransform((face > 127).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    free = np.maximum(ramp(away, *BAND), features())
    limit = _enlarged(np.asarray(CLOSE + FAR * free**2, np.float32), len(logs))[..., None]
    return np.asarray(smooth + np.clip(logs - smooth, -limit, limit), np.float32)


def _with_features(skin: Field, logs: Field, own: Field) -> Field:
    """Smooth colours with those of eyes and lips next to their visible part, (128, 128, 3). A brow ends where hair
    hides it: its colour, and that of the hair beside it, would be a broad stain."""
    known = np.asarray(cv2.erode(own, np.ones((3, 3), np.uint8)), np.float32)
    rings = blurred(rings_mask((LEFT_EYE, RIGHT_EYE, LIPS_OUTER, LIPS_INNER), 1.0), 1.2)
    return skin + rings[..., None] * (spread(averaged(logs, known, 1.0), known) - skin)


def _light_ratio(logs: Field, own: Field, worth: Field) -> Field:
    """Return what to add to log colours of the mirrored half to bring them into the light of this half, (128, 128,
    3)."""
    both = _plain(np.asarray(np.minimum(own, own[:, ::-1]), np.float32))
    both *= (worth > COMMON) & (worth[:, ::-1] > COMMON)
    if both.sum() < 1:
        return np.zeros_like(logs)
    ratio = averaged(logs - logs[:, ::-1], both, 3.0)
    return np.asarray(np.clip(spread(ratio, both), -MOST, MOST), np.float32)


def _grain(logs: Field, plain: Field) -> Field:
    """The skin's grain over the complete chart (512, 512, 3): random-phase noise (Galerne et al. 2011) with the
    spectrum of the calmest patch of plain skin."""
    fine = np.clip(logs - blurred(logs, GRAIN_SIGMA), -MOST_GRAIN, MOST_GRAIN)
    half = GRAIN_PATCH // 2
    inside = slice(half, SIZE - half)
    clear = blurred(_enlarged(plain, SIZE), half / 2)[inside, inside]
    loud = blurred(np.asarray((fine**2).mean(2), np.float32), half / 2)[inside, inside]
    loud = np.where(clear > 0.9 * clear.max(), loud, np.inf)
    y, x = np.unravel_index(int(np.argmin(loud)), loud.shape)
    window = np.hanning(GRAIN_PATCH)[:, None] * np.hanning(GRAIN_PATCH)
    patch = fine[y : y + GRAIN_PATCH, x : x + GRAIN_PATCH]
    patch = (patch - patch.mean((0, 1))) * window[..., None] / np.sqrt((window**2).mean())
    noise = np.fft.rfft2(np.random.default_rng(0).standard_normal((SIZE, SIZE)))
    spectrum = np.fft.rfft2(patch, (SIZE, SIZE), axes=(0, 1)) * noise[..., None]
    grain = np.fft.irfft2(spectrum, (SIZE, SIZE), axes=(0, 1)) / GRAIN_PATCH
    return np.asarray(np.clip(grain, -MOST_GRAIN, MOST_GRAIN), np.float32)


def _mask(face: Field, mirror: Field) -> Mask:
    """255 on the complete face, without features that neither half shows; beyond the oval, where the photo shows it,
    (128, 128)."""
    known = np.asarray(np.maximum(face, mirror), np.float32)
    mask = np.maximum(face, ramp(inwards(), -0.12, -0.06))
    for area in _features():
        hidden = np.asarray(1 - (known * area).sum() / area.sum(), np.float32)
        mask = np.minimum(mask, 1 - area * ramp(hidden, *HIDDEN))
    return np.asarray(np.round(255 * mask), np.uint8)


@cache
def _features() -> tuple[Field, ...]:
    """1 on each brow, each eye with its lids, and the lips, (128, 128) each: the parts that cannot be guessed."""
    rings = (LEFT_BROW, 1.0), (RIGHT_BROW, 1.0), (LEFT_EYE, 3.0), (RIGHT_EYE, 3.0), (LIPS_OUTER, 2.0)
    return tuple(blurred(rings_mask((ring,), grow), 1.0) for ring, grow in rings)


def _enlarged(field: Field, side: int) -> Field:
    return resized(field, (side, side), cv2.INTER_LINEAR)
