"""The training of the network that looks around a swapped face: its squares are the program's."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.tracking.neighbours import SIDE  # noqa: E402
from rtswap.vision.geometry import canonical  # noqa: E402
from rtswap.vision.topology import OVAL  # noqa: E402
from training.heads.portraits import Portraits  # noqa: E402
from training.heads.samples import MAY, SHALL  # noqa: E402
from training.landmarks.views import Views  # noqa: E402
from training.neighbours.people import MATTE, Standing, alone, cut_out  # noqa: E402
from training.neighbours.samples import BesideSampler  # noqa: E402


def mesh_at(x: float, y: float, tall: float) -> np.ndarray:
    mesh = canonical().mesh
    return np.asarray((mesh - mesh.mean(0)) / np.ptp(mesh[:, 1]) * tall + (x, y, 0), np.float32)


def picture_of_a_head(side: int, tall: float) -> tuple[np.ndarray, np.ndarray]:
    """A bright, spotted head before a dark wall."""
    rng = np.random.default_rng(1)
    picture = rng.integers(10, 30, (side, side, 3), np.uint8)
    mesh = mesh_at(side / 2, side / 2, tall)
    y, x = np.mgrid[:side, :side]
    head = ((x - side / 2) / (0.45 * tall)) ** 2 + ((y - side / 2) / (0.65 * tall)) ** 2 < 1
    trunk = (y > side / 2 + 0.5 * tall) & (abs(x - side / 2) < 0.7 * tall)
    picture[head | trunk] = rng.integers(150, 250, ((head | trunk).sum(), 3))
    return picture, mesh


def people() -> tuple[Views, Portraits, Standing, Standing]:
    head, mesh = picture_of_a_head(256, 120)
    views = Views(np.stack([head, head]), np.stack([mesh, mesh]), np.ones((2, 468), bool), 2)
    room, in_room = picture_of_a_head(512, 140)
    boxes = np.zeros((1, 4, 4), np.float32)
    boxes[0, 0] = (200, 186, 312, 326)
    nobody_else = np.zeros((1, 3, 4), np.float32)
    rooms = Standing(room[None], in_room[None, :, :2], cut_out(room, in_room[:, :2])[None], nobody_else)
    return views, Portraits(room[None], boxes), rooms, alone(views)


def sampler(seed: int = 3) -> BesideSampler:
    return BesideSampler(*people(), seed)


def test_a_person_is_cut_out() -> None:
    picture, mesh = picture_of_a_head(512, 140)
    matte = cut_out(picture, mesh[:, :2])
    assert matte.shape == (MATTE, MATTE)
    wanted = picture[:: 512 // MATTE, :: 512 // MATTE, 0][:MATTE, :MATTE] > 100
    x, y = (mesh[OVAL, :2].mean(0) * MATTE / 512).astype(int)
    assert matte[y, x] == 255
    assert matte[0].max() == 0
    assert np.mean((matte > 0)[: MATTE // 2] == wanted[: MATTE // 2]) > 0.9


def test_squares_show_the_others_and_not_the_swapped_person() -> None:
    pictures, heads = next(sampler().batches(60, again=1, keep=60))
    assert pictures.shape == (60, SIDE, SIDE, 3)
    kinds = heads[..., 3]
    assert set(np.unique(kinds)) <= {0.0, MAY, SHALL}
    assert 10 < (kinds == SHALL).any(1).sum() < 50
    middle = pictures[:, SIDE // 2 - 8 : SIDE // 2 + 8, SIDE // 2 - 8 : SIDE // 2 + 8].reshape(60, -1, 3)
    assert np.median(np.ptp(middle, axis=1)) == 0, "the middle is painted out"


def test_the_same_seed_gives_the_same_squares() -> None:
    first, again = (next(sampler(5).batches(8, again=1, keep=8)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
