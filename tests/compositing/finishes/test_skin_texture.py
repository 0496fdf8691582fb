"""Texture of skin: a smooth target makes the swap smooth, edges stay, and nothing is ever added."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import ReadyMesh, person, swap_face

from rtswap.compositing.finishes.detail import MatchDetail
from rtswap.compositing.finishes.openings import clamp_points
from rtswap.compositing.finishes.skin_texture import BLOCK, FOLLOWED, skin_only, smoothed, tables_for, texture_of
from rtswap.compositing.finishes.windows import in_blocks
from rtswap.core.types import Image, Mask, Quality, Target

ALL = np.full((160, 160), 255, np.uint8)


def skin(contrast: float, seed: int = 0) -> Image:
    """Pores and folds of several sizes on a grey ground, (160, 160, 3)."""
    rng = np.random.default_rng(seed)
    noise = sum(
        2**k * cv2.GaussianBlur(rng.standard_normal((160, 160)).astype(np.float32), (0, 0), 0.7 * 2**k)
        for k in range(3)
    )
    return np.repeat(np.clip(130 + contrast * noise, 0, 255).round().astype(np.uint8)[..., None], 3, 2)


def texture(picture: Image, where: Mask = ALL) -> np.ndarray:
    found = texture_of(picture[..., 1].astype(np.float32), where)
    assert found is not None
    return found


def test_our_texture_becomes_theirs() -> None:
    theirs, ours = skin(2.0), skin(8.0, 1)
    tables = tables_for(texture(theirs), texture(ours))
    assert tables is not None
    made = smoothed(ours, tables)
    quarters = len(FOLLOWED), -1
    left, wanted, had = (texture(one).reshape(quarters) for one in (made, theirs, ours))
    for octave, followed in enumerate(FOLLOWED):
        moved = (had[octave] - left[octave])[1:] / (had[octave] - wanted[octave])[1:]
        assert moved == pytest.approx(followed, abs=0.25)
    assert made.mean((0, 1)) == pytest.approx(ours.mean((0, 1)), abs=0.5)


def test_edges_stay() -> None:
    """Lips and nostrils on smooth skin: what is much larger than our texture is no texture."""
    ours = skin(3.0)
    ours[40:44, 20:140], ours[80:120, 60:64] = 30, 230
    tables = tables_for(texture(skin(0.5)), texture(ours))
    assert tables is not None
    made = smoothed(ours, tables)
    assert np.abs(made[40:44, 24:136].astype(int) - 30).mean() < 4
    assert np.abs(made[84:116, 60:64].astype(int) - 230).mean() < 4


def test_nothing_is_added() -> None:
    ours = skin(2.0)
    assert tables_for(texture(skin(6.0, 1)), texture(ours)) is None
    assert tables_for(texture(ours), texture(ours)) is None


def test_of_too_little_skin_nothing_is_said() -> None:
    nowhere = np.zeros_like(ALL)
    assert texture_of(skin(2.0)[..., 1].astype(np.float32), nowhere) is None
    few = nowhere.copy()
    few[:21, :21] = 255
    found = texture_of(skin(2.0)[..., 1].astype(np.float32), few).reshape(len(FOLLOWED), -1)  # type: ignore[union-attr]
    assert found[1] == pytest.approx(found[2])


def visible_skin(crop: Image, face: Target, mask: Mask) -> np.ndarray:
    return texture(crop, skin_only(mask, clamp_points(face.landmarks)))


@pytest.mark.parametrize("px", [90, 400])
def test_a_sharp_photo_on_a_webcam_that_smooths_skin(px: int) -> None:
    """Edges are as sharp as in the photo, so that softening could not help; pores and folds looked etched."""
    who, photo = person("ben"), person("george")
    scale = px / np.ptp(who.landmarks[:, 0])
    small = cv2.resize(who.portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    smooth = cv2.bilateralFilter(small, -1, 30, max(2, px / 60))
    swapped, face = swap_face(ReadyMesh().bind(photo), smooth, who.landmarks * np.float32(scale))
    theirs, before = (visible_skin(crop, face, swapped.mask) for crop in (face.crop, swapped.crop))
    found = visible_skin(MatchDetail().apply(swapped, face, Quality()).crop, face, swapped.mask)
    had = np.maximum(before - theirs, 0)
    assert had.max() > 0.5
    assert (found - theirs).clip(0).mean() < 0.6 * had.mean()


@pytest.mark.parametrize(
    ("box", "size", "wanted"),
    [
        ((3, 20), 64, (0, 24)),
        ((8, 16), 64, (8, 16)),
        ((50, 61), 61, (48, 56)),
        ((0, 5), 7, (0, 0)),
        ((9, 9), 9, (8, 8)),
    ],
)
def test_whole_blocks(box: tuple[int, int], size: int, wanted: tuple[int, int]) -> None:
    rows, columns = in_blocks((slice(*box), slice(0, 2 * BLOCK)), (size, 2 * BLOCK))
    assert (rows.start, rows.stop) == wanted
    assert (columns.start, columns.stop) == (0, 2 * BLOCK)


def test_the_gpu_does_the_same() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from rtswap.compositing.finishes import detail_gpu

    ours = skin(6.0)
    ours[40:44, 20:140] = 30
    tables = tables_for(texture(skin(1.0)), texture(ours))
    assert tables is not None
    planes = torch.from_numpy(ours).permute(2, 0, 1)[None].float()
    change = detail_gpu._change(planes, torch.from_numpy(tables).float() - 128) / 2
    made = (planes + change).round().clamp(0, 255)[0].permute(1, 2, 0).numpy()
    away = np.abs(made - smoothed(ours, tables))
    assert away.max() <= 3  # of three roundings
    assert away.mean() < 0.5
