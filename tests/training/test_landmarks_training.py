"""The landmark recipe: labels match their pixels, losses fall, and the export matches the network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip(
    "torch", reason="torch is not installed: it is needed to train, never to use (pip install rtswap[train])"
)
pytest.importorskip("onnx", reason="onnx is not installed: it is needed to export the landmark network")

import torch
from short_trainings import descend
from torch import Tensor

from rtswap.networks.landmarks import place
from rtswap.training.layers import to_input
from rtswap.training.onnx_files import difference, to_onnx
from rtswap.training.recipe import weigh
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, RIGHT_BROW
from training.landmarks.export import EXPORT
from training.landmarks.network import (
    ANCHORS,
    SIZE,
    WEIGHTS,
    Deployed,
    LandmarkNetwork,
    SecondLook,
    losses,
    point_weights,
)
from training.landmarks.occluders import occlude
from training.landmarks.rendering import close_eyes, open_mouth, purse, random_expression, regress, render, rotation
from training.landmarks.samples import Batch, Sampler, replay
from training.landmarks.teacher import is_validation
from training.landmarks.views import Views, one_view

ROOT = Path(__file__).parents[2]


def canonical_mesh() -> np.ndarray:
    """(468, 3) the mean face, upright in a 256 px picture."""
    with np.load(ROOT / "rtswap" / "assets" / "canonical.npz") as data:
        mesh = data["mesh"].astype(np.float32)
    return mesh * (55, 55, 55) + np.array([128, 118, 0], np.float32)


def dotted_picture(mesh: np.ndarray, rows: list[int]) -> np.ndarray:
    """A dim picture with one bright dot per named point."""
    image = np.full((256, 256, 3), 60, np.uint8)
    for row in rows:
        centre = np.round(mesh[row, :2] * 16).astype(int)
        cv2.circle(image, (int(centre[0]), int(centre[1])), 40, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return image


def dot_near(image: np.ndarray, point: np.ndarray, reach: int = 9) -> np.ndarray:
    x, y = np.round(point[:2]).astype(int)
    part = np.maximum(image[y - reach : y + reach + 1, x - reach : x + reach + 1, 0].astype(float) - 110, 0)
    assert part.sum() > 0, "the dot is gone"
    rows, columns = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum()


def test_people_are_split_by_their_name_alone_and_about_one_in_twelve_is_kept_out() -> None:
    names = [f"person_{i}.jpg" for i in range(3000)]
    kept_out = [is_validation(name) for name in names]
    assert kept_out == [is_validation(name) for name in names]
    assert 0.06 < np.mean(kept_out) < 0.10


def test_the_mirror_swaps_sides_and_undoes_itself() -> None:
    mirror = canonical().mirror
    assert (mirror[mirror] == np.arange(468)).all()
    for left, right in ((33, 263), (133, 362), (61, 291), (234, 454), (10, 10), (152, 152), (1, 1)):
        assert mirror[left] == right


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (35, 0), (-35, 5), (0, 20), (10, -20)])
def test_labels_of_a_turned_face_stay_on_the_pixels_they_name(yaw: float, pitch: float) -> None:
    mesh = canonical_mesh()
    rows = [1, 50, 280, 61, 291, 152, 9]
    view = one_view(dotted_picture(mesh, rows), mesh, yaw, pitch)
    seen = [row for row in rows if view.visible[row]]
    assert len(seen) >= 4
    for row in seen:
        assert np.linalg.norm(dot_near(view.image, view.mesh[row]) - view.mesh[row, :2]) < 2.0


def test_turning_hides_the_far_side_only() -> None:
    mesh = canonical_mesh()
    view = one_view(np.full((256, 256, 3), 90, np.uint8), mesh, 60, 0)
    straight = one_view(np.full((256, 256, 3), 90, np.uint8), mesh, 0, 0)
    assert straight.visible.mean() > 0.9
    turned_x = view.mesh[[234, 454], 0] - view.mesh[1, 0]
    far, near = (234, 454) if abs(turned_x[0]) < abs(turned_x[1]) else (454, 234)
    assert not view.visible[far]
    assert view.visible[50 if near == 234 else 280]


def test_a_rotation_keeps_lengths() -> None:
    turn = rotation(37, -21)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-6)


def test_a_blink_closes_the_lids_and_a_yawn_opens_the_lips() -> None:
    mesh = canonical_mesh()
    closed, opened = close_eyes(mesh, 1.0, 1.0), open_mouth(mesh, 0.4)
    for upper, lower in ((159, 145), (386, 374)):
        assert abs(closed[lower, 1] - closed[upper, 1]) < 0.15 * abs(mesh[lower, 1] - mesh[upper, 1])
    assert opened[14, 1] - opened[13, 1] > 0.3 * 55 + mesh[14, 1] - mesh[13, 1]
    assert opened[[33, 263]] == pytest.approx(mesh[[33, 263]], abs=0.3)


def test_lips_part_without_the_chin_and_a_mouth_is_pursed() -> None:
    mesh = canonical_mesh()
    spoken = open_mouth(mesh, 0.2, jaw=0.0)
    assert spoken[14, 1] - spoken[13, 1] > 0.15 * 55 + mesh[14, 1] - mesh[13, 1]
    assert spoken[152] == pytest.approx(mesh[152], abs=0.3)
    pursed, stretched = purse(mesh, 0.3), purse(mesh, -0.1)
    widths = [float(np.linalg.norm(shape[291] - shape[61])) for shape in (pursed, mesh, stretched)]
    assert widths == sorted(widths)
    assert widths[0] < 0.85 * widths[1]
    assert pursed[[33, 263]] == pytest.approx(mesh[[33, 263]], abs=0.5)


def test_open_eyes_and_mouths_close_at_most_completely() -> None:
    mesh = canonical_mesh()
    shut = regress(mesh, np.array([-1, 0, 0, -1, -1], np.float32))
    for above, below in ((13, 14), (159, 145), (386, 374)):
        assert shut[below, 1] - shut[above, 1] > -0.35 * 0.1 * 55
        assert shut[below, 1] - shut[above, 1] < mesh[below, 1] - mesh[above, 1]


def test_lids_that_close_hide_the_eye_instead_of_squeezing_it() -> None:
    mesh = canonical_mesh()
    ring = mesh[LEFT_EYE, :2]
    eye = np.full((256, 256, 3), 160, np.uint8)
    middle = np.round(ring.mean(0)).astype(int)
    eye[middle[1] + 1 :, :] = 40  # a horizon through the eye, under its middle
    half = render(eye, mesh, close_eyes(mesh, 0.4, 0.4), rotation(0, 0))
    column = half.image[:, middle[0], 0]
    assert abs(int(np.argmax(column < 100)) - (middle[1] + 1)) <= 1


@pytest.fixture(scope="module")
def views() -> Views:
    mesh = canonical_mesh()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 256, 256, 3), np.uint8)
    meshes = np.stack([mesh, random_expression(mesh, rng)[0], random_expression(mesh, rng)[0]])
    return Views(images, meshes.astype(np.float32), np.ones((3, 468), bool), 1)


def test_samples_are_finite_and_their_labels_make_sense(views: Views) -> None:
    stream = Sampler(views, 1).batches(64)
    batches = [next(stream) for _ in range(2)]
    present = np.concatenate([batch.present for batch in batches])
    assert 0.8 < present.mean() < 1.0
    for batch in batches:
        assert batch.crops.shape == (64, SIZE, SIZE, 3)
        assert np.isfinite(batch.points).all()
        there = batch.present > 0.5
        points, visible = batch.points[there], batch.visible[there]
        assert ((points[visible > 0.5][:, :2] >= 0) & (points[visible > 0.5][:, :2] < SIZE)).all()
        left, right = points[:, 33], points[:, 263]
        assert (right[:, 0] - left[:, 0] > 0).mean() > 0.95


def test_a_batch_comes_back_mirrored(views: Views) -> None:
    batch = next(Sampler(views, 1).batches(4))
    first, again = list(replay(iter([batch, batch]), 0, keep=1))[1:3]
    assert isinstance(first, Batch)
    assert (again.crops[:, :, ::-1] == batch.crops).all()
    assert again.points[:, 33, 0] == pytest.approx(SIZE - 1 - batch.points[:, 263, 0])


def test_the_network_keeps_its_budget() -> None:
    network = LandmarkNetwork().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1_500_000
    macs = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda m, _, out: macs.append(out.numel() * m.weight[0].numel()))
    network(torch.zeros(1, 3, SIZE, SIZE))
    assert sum(macs) <= 0.15e9
    assert len(set(ANCHORS)) == len(ANCHORS)


def test_fine_branch_starts_at_zero_and_then_depends_on_nearby_features() -> None:
    torch.manual_seed(5)
    second = SecondLook(3)
    details = torch.randn(1, 16, 32, 32)
    places = torch.tensor([[[-0.3, -0.3], [0.0, 0.0], [0.3, 0.3]]])
    assert (second(details, places) == 0).all()
    torch.nn.init.normal_(second.off)
    before = second(details, places)
    details[..., :16, :16] += 1  # where the first is, and no other
    moved = (second(details, places) - before).abs().amax(-1)[0]
    assert moved[0] > 0.1
    assert moved[2] == 0


def twice(points: torch.Tensor) -> torch.Tensor:
    """(N, 2, 96, 2) the anchors as both looks should find them."""
    return points[:, ANCHORS, :2][:, None].expand(-1, 2, -1, -1)


def test_a_trained_network_grows_without_forgetting() -> None:
    torch.manual_seed(3)
    network = LandmarkNetwork().train()
    network(torch.randn(8, 3, SIZE, SIZE))  # so that every mean and variance has a value of its own
    trained = network.state_dict()
    added = ("sharpen.", "repair.", "coarse.3.", "closer.", "second.")
    smaller = {name: value for name, value in trained.items() if not name.startswith(added)}
    assert len(smaller) < len(trained)
    torch.manual_seed(4)
    grown = LandmarkNetwork()
    grown.grow_from(smaller)
    picture = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        for before, after in zip(network.eval()(picture), grown.eval()(picture), strict=True):
            assert torch.allclose(before, after, atol=1e-4)


def test_what_an_occluder_covers_is_hidden_and_nothing_else_is() -> None:
    mesh = canonical_mesh() / 2
    changed = np.zeros(468)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        crop, visible = np.full((SIZE, SIZE, 3), 128, np.uint8), np.ones(468, np.float32)
        scrap = np.random.default_rng(seed).integers(180, 256, crop.shape, np.uint8)
        occlude(crop, mesh, visible, scrap, np.array([235.0, 235.0, 235.0], np.float32), rng)
        x, y = np.clip(np.round(mesh[:, :2]), 0, SIZE - 1).astype(int).T
        untouched = (crop[y, x] == 128).all(axis=1)
        assert (visible[untouched] == 1).all()
        changed += visible == 0
    assert (changed > 0).all()  # every point is hidden now and then
    assert changed.mean() / 200 < 0.35


def test_hidden_and_visible_points_have_the_same_loss() -> None:
    mesh = torch.from_numpy(canonical_mesh())[None]
    off = mesh + torch.tensor([3.0, 0.0, 0.0])
    logits = torch.zeros(1, 468)
    outputs = (off, twice(off), logits, logits[:, 0])
    seen, hidden = (
        losses(outputs, mesh, share * torch.ones(1, 468), torch.ones(1), point_weights()) for share in (1, 0)
    )
    assert float(seen["points"]) == pytest.approx(float(hidden["points"]))
    assert float(seen["points"]) > 0.01


def test_a_fresh_network_already_draws_faces_and_learns_from_a_few_steps(views: Views) -> None:
    torch.manual_seed(0)
    stream = Sampler(views, 2).batches(24)
    batches = [next(stream) for _ in range(3)]
    network = LandmarkNetwork()
    network.start_from(torch.from_numpy(np.concatenate([batch.points[batch.present > 0] for batch in batches])))
    weights = point_weights()
    crops, points, visible, present = (
        torch.from_numpy(part)
        for part in (batches[0].crops, batches[0].points, batches[0].visible, batches[0].present)
    )

    def loss() -> Tensor:
        terms = losses(network(to_input(crops)), points, visible, present, weights)
        assert all(torch.isfinite(term) for term in terms.values())
        return weigh(terms, WEIGHTS)

    totals = descend(network, loss, steps=8, rate=1e-3)
    assert totals[-1] < 0.8 * totals[0]


def test_perfect_answers_cost_nothing() -> None:
    mesh = canonical_mesh()
    matrix = place(mesh, SIZE)
    assert matrix is not None
    points = torch.from_numpy(mesh)[None].clone()
    points[0, :, :2] = torch.from_numpy(mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2])
    sure = torch.full((1, 468), 30.0)
    outputs = (points, twice(points), sure, sure[:, 0])
    terms = losses(outputs, points, torch.ones(1, 468), torch.ones(1), point_weights())
    assert float(weigh(terms, WEIGHTS)) == pytest.approx(0, abs=1e-6)


def test_an_expression_that_is_not_read_costs_and_a_shift_does_not() -> None:
    points = torch.from_numpy(canonical_mesh()[None] / 2)
    visible, present = torch.ones(1, 468), torch.ones(1)
    wider = canonical_mesh()
    wider[[61, 291], 0] += (-8, 8)
    raised = canonical_mesh()
    raised[[*LEFT_BROW, *RIGHT_BROW], 1] -= 8
    costs = []
    for mesh in (canonical_mesh(), canonical_mesh() + 3, wider, raised, close_eyes(canonical_mesh(), 1, 1)):
        found = torch.from_numpy(np.asarray(mesh, np.float32)[None] / 2)
        answers = found, twice(found), torch.zeros(1, 468), torch.zeros(1)
        costs.append(float(losses(answers, points, visible, present, point_weights())["measures"]))
    assert costs[:2] == pytest.approx([0, 0], abs=1e-6)
    assert min(costs[2:]) > 0.02


def test_the_exported_network_says_what_torch_says_for_any_number_of_faces(tmp_path: Path) -> None:
    torch.manual_seed(1)
    deployed = Deployed(LandmarkNetwork().eval()).eval()
    model = to_onnx(EXPORT, deployed)
    assert len(model.SerializeToString()) <= 3_000_000
    for count in (1, 4):
        assert difference(EXPORT, model, deployed, count) < EXPORT.most
