"""The second detector's training: what is asked of it, and that its samples know where heads are."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.networks.heads import CELLS, decode  # noqa: E402
from rtswap.vision.geometry import canonical  # noqa: E402
from training.heads.appearances import as_seen, squeezed  # noqa: E402
from training.heads.lures import Lures  # noqa: E402
from training.heads.network import Deployed, HeadNetwork, losses, to_ratios  # noqa: E402
from training.heads.portraits import Portraits  # noqa: E402
from training.heads.rooms import patch  # noqa: E402
from training.heads.round_things import PAINTERS, round_thing  # noqa: E402
from training.heads.samples import HEIGHT, MAY, SHALL, WIDTH, Sampler  # noqa: E402
from training.heads.shadows import SHADE, shadows  # noqa: E402
from training.landmarks.views import Views  # noqa: E402


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def sampler() -> Sampler:
    mesh = canonical().mesh
    mesh = ((mesh - mesh.mean(0)) / np.ptp(mesh[:, 1]) * 120 + (128, 128, 0)).astype(np.float32)
    views = Views(noise(2, 256, 256, 3), np.stack([mesh, mesh]), np.ones((2, 468), bool), 2)
    boxes = np.zeros((2, 4, 4), np.float32)
    boxes[:, 0] = (200, 150, 300, 290)
    return Sampler(views, Portraits(noise(2, 512, 512, 3), boxes), 3)


def test_samples_are_whole() -> None:
    pictures, heads = next(sampler().batches(40, again=1, keep=40))
    assert pictures.shape == (40, HEIGHT, WIDTH, 3)
    assert set(np.unique(heads[..., 3])) <= {0.0, MAY, SHALL}
    there = heads[heads[..., 3] > 0]
    assert len(there) > 20
    assert (there[:, 2] > 3).all()


def test_no_patch_holds_a_head() -> None:
    """The head is white, and a stretched part of it would still be."""
    picture = np.full((1, 512, 512, 3), 60, np.uint8)
    picture[0, 150:290, 200:300] = 255
    boxes = np.zeros((1, 4, 4), np.float32)
    boxes[0, 0] = (200, 150, 300, 290)
    portraits, rng = Portraits(picture, boxes), np.random.default_rng(5)
    parts = [patch(portraits, 40, 60, rng) for _ in range(60)]
    plain = [part for part in parts if part.max() == part.min() == 60]
    assert len(plain) > 40, "the others are painted"
    assert all(part.max() < 255 or part.std() > 0 for part in parts)


def test_round_things_are_of_the_size_asked_for_and_lie_within_their_outline() -> None:
    rng = np.random.default_rng(4)
    for height, width in [(1, 1), (7, 5), (96, 96), (150, 240)] * len(PAINTERS):
        picture, alpha = round_thing(height, width, rng)
        assert picture.shape == (height, width, 3)
        assert alpha.shape == (height, width)
        if min(height, width) > 20:
            assert 0.1 < alpha.mean() / 255 < 0.85
            assert max(alpha[0].max(), alpha[:, 0].max()) < 128


def test_a_head_in_a_pane_or_behind_a_corner_shall_be_found_while_half_of_it_can_be_seen() -> None:
    rng, whole = np.random.default_rng(2), np.full((200, 200), 255, np.uint8)
    middle = np.array([100, 100], np.float32)
    seen = [as_seen(whole, middle, 80, rng) for _ in range(400)]
    face = np.s_[60:140, 60:140]
    assert sum((alpha == 255).all() for alpha, _ in seen) > 250
    for alpha, shall in seen:
        share = float(alpha[face].mean() / 255)
        assert 0.2 < share <= 1
        assert shall or share < 0.65
        assert share >= 0.38 or not shall


def test_a_squeezed_head_stays_where_it_is() -> None:
    rng, middle = np.random.default_rng(4), np.array([70, 90], np.float32)
    matrix = np.array([[0.4, -0.2, 30], [0.2, 0.4, -5]], np.float32)
    found = [squeezed(matrix, middle, rng) for _ in range(100)]
    for one in found:
        np.testing.assert_allclose(one[:, :2] @ middle + one[:, 2], matrix[:, :2] @ middle + matrix[:, 2], atol=1e-3)
    narrow = [abs(np.linalg.det(one[:, :2])) / abs(np.linalg.det(matrix[:, :2])) for one in found]
    assert 5 < sum(share < 0.99 for share in narrow) < 50
    assert min(narrow) > 0.4


def test_what_was_taken_for_a_head_is_shown_without_the_heads_beside_it() -> None:
    picture = np.full((1, 512, 512, 3), 60, np.uint8)
    picture[0, 150:290, 200:300] = 255
    boxes = np.zeros((1, 4, 4), np.float32)
    boxes[0, 0] = (200, 150, 300, 290)
    lures, rng = (
        Lures(Portraits(picture, boxes), np.array([[0, 360, 360, 420, 420]], np.float32)),
        np.random.default_rng(1),
    )
    parts = [part for part in (lures.patch(30, 40, rng) for _ in range(50)) if part is not None]
    assert len(parts) > 10
    assert all(part.shape == (30, 40, 3) and part.max() == 60 for part in parts)
    assert Lures(lures.portraits, np.zeros((0, 5), np.float32)).patch(30, 40, rng) is None


def test_dark_light_and_a_coloured_lamp_change_little() -> None:
    picture = torch.from_numpy(noise(1, 64, 96, 3) // 2 + 40)
    dark = (picture.float() * 0.3).round().to(torch.uint8)
    assert (to_ratios(picture) - to_ratios(dark)).abs().mean() < 0.15
    lamp = (picture.float() * torch.tensor([0.9, 1.0, 0.6])).round().to(torch.uint8)
    assert (to_ratios(picture) - to_ratios(lamp)).abs().mean() < 0.35
    assert to_ratios(torch.zeros(1, 32, 32, 3, dtype=torch.uint8)).abs().max() == 0


@pytest.mark.parametrize(("height", "cell"), [(12.0, 8), (40.0, 16), (120.0, 32)])
def test_answers_that_place_the_head_cost_least_and_are_decoded_there(height: float, cell: int) -> None:
    x, y = 101.0, 70.0
    heads = torch.tensor([[[x, y, height, SHALL]]])
    answers = []
    for size in CELLS:
        answer = torch.full((1, 4, HEIGHT // size, WIDTH // size), 0.0)
        answer[:, 0] = -8.0
        answers.append(answer)
    missed = losses(answers, heads)["found"]
    best = answers[CELLS.index(cell)]
    row, column = int(y // cell), int(x // cell)
    best[0, :, row, column] = torch.tensor(
        [8.0, x / cell - column - 0.5, y / cell - row - 0.5, float(np.log2(height / cell))]
    )
    found = losses(answers, heads)
    assert found["found"] < missed
    maps = []
    for answer in answers:
        values = answer[0].clone()
        values[0], values[3] = torch.sigmoid(values[0]), torch.exp2(values[3])
        maps.append(values.numpy())
    (box,) = decode(maps, 0.5)
    np.testing.assert_allclose(box[:4], [x - height / 2, y - height / 2, x + height / 2, y + height / 2], rtol=1e-4)


def test_it_learns_from_a_batch_and_answers_in_maps() -> None:
    torch.manual_seed(0)
    network = HeadNetwork()
    pictures, heads = (torch.from_numpy(part) for part in next(sampler().batches(4, again=1, keep=4)))
    terms = losses(network(to_ratios(pictures)), heads)
    total = terms["found"] + terms["place"]
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(part.grad).all() for part in network.parameters() if part.grad is not None)
    answers = Deployed(network).eval()(pictures)
    assert [tuple(part.shape) for part in answers] == [(4, 4, HEIGHT // cell, WIDTH // cell) for cell in CELLS]
    assert all((part[:, 0] >= 0).all() and (part[:, 0] <= 1).all() for part in answers)


def test_shadows_keep_light_away_in_a_pattern_of_two_levels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        light = shadows(96, 128, rng)
        assert light.shape == (96, 128)
        assert SHADE[0] - 1e-4 <= light.min() <= light.max() <= 1 + 1e-4
        shade, lit = np.percentile(light, [5, 95])
        assert shade <= lit
        assert ((light < shade + 0.1) | (light > lit - 0.1)).mean() > 0.4, "mostly two levels, with soft edges"
