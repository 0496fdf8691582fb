"""faceswap-GAN: the original's sizes, losses worked out by hand, its schedule, and that a training can be stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch
from facesets import make_record
from short_trainings import Seconds
from small_recipes import faceswap_gan_arguments as arguments
from small_recipes import make_person
from torch import Tensor, nn

from rtswap.core.errors import UsageError
from rtswap.training.dfm import INPUT, write_dfm
from rtswap.training.identity import Perception
from rtswap.training.onnx_files import run
from rtswap.training.parts import with_parts_of
from rtswap.training.people import Person
from rtswap.training.recipes.faceswap_gan import losses
from rtswap.training.recipes.faceswap_gan.network import Critic, Dims, FaceswapGan, Made
from rtswap.training.recipes.faceswap_gan.recipe import FaceswapGanRecipe
from rtswap.training.recipes.faceswap_gan.schedule import PARTS, WHOLE, Schedule
from rtswap.training.trainer import Trainer
from rtswap.vision.topology import LEFT_EYE, LIPS_OUTER, RIGHT_EYE

ORIGINAL = [(Dims(), 71.7), (Dims(lite=True), 10.9), (Dims(128), 81.6), (Dims(256), 91.4)]
"""Millions of weights of encoder and both decoders, by the layers of shaoanlu/faceswap-GAN and faceswap-parts."""
TINY = Dims(64, True, "none", 0, 8, 16)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("dims", "millions"), ORIGINAL)
def test_networks_have_the_originals_number_of_weights(dims: Dims, millions: float) -> None:
    with torch.device("meta"):
        network = FaceswapGan(dims)
    assert sum(part.numel() for part in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize("norm", ["none", "instance", "hybrid"])
@pytest.mark.parametrize(
    ("resolution", "lite", "attention", "smaller", "patches"),
    [(64, False, 64, [], 8), (96, True, 16, [], 12), (128, True, 0, [64], 8), (192, True, 32, [96], 12),
     (256, False, 16, [64, 128], 8)],
)  # fmt: skip
def test_shapes(norm: str, resolution: int, lite: bool, attention: int, smaller: list[int], patches: int) -> None:
    dims = Dims(resolution, lite, norm, attention, 16, 64)
    with torch.device("meta"):
        network, critic = FaceswapGan(dims), Critic(dims)
        faces = torch.empty(2, 3, resolution, resolution)
        made, other = network(faces, faces[:1])
        scores = critic(faces, faces)
    assert made.face.shape == (2, 3, resolution, resolution)
    assert other.alpha.shape == (1, 1, resolution, resolution)
    assert [one.shape[-1] for one in made.smaller] == smaller
    assert scores.shape == (2, 1, patches, patches)
    assert [part.shape[1] for part in network.swap(faces)] == [3, 1, 1]


def test_only_some_resolutions_fit() -> None:
    for side in (32, 80, 100, 160):
        with pytest.raises(ValueError, match="no resolution"):
            _ = Dims(side).lowest
    with pytest.raises(UsageError, match="unsupported --resolution"):
        FaceswapGanRecipe(arguments(resolution=160), make_person(60), make_person(180))


def made(alpha: float, face: Tensor, *smaller: Tensor) -> Made:
    return Made(torch.full_like(face[:, :1], alpha), face, smaller)


def test_alpha_chooses_between_the_face_and_the_input() -> None:
    face, given = torch.rand(1, 3, 2, 2), torch.rand(1, 3, 2, 2)
    assert torch.equal(made(0.0, face).shown(given), given)
    assert torch.equal(made(1.0, face).shown(given), face)


def test_reconstruction_by_hand() -> None:
    """2 x 2 grey levels off by 0.4, 0.2, 0.1, 0: their mean is 0.175; of differences there is one each way, 0.3 and
    0.2, of the pixel at the top left."""
    off = torch.tensor([[0.4, 0.1], [0.2, 0.0]]).expand(1, 3, 2, 2)
    features = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    terms = losses.reconstruction(made(1.0, off), torch.zeros_like(off), features)
    found = {name: float(value) for name, value in terms.items()}
    assert found == pytest.approx({"colour": 0.175, "features": 0.1, "edges": 0.5, "feature_edges": 0.5})
    smaller = torch.full((1, 3, 1, 1), 0.5)
    both = losses.reconstruction(made(1.0, off, smaller), torch.zeros_like(off), features)
    assert float(both["colour"]) == pytest.approx(0.175 + 0.5)


def test_alpha_losses_by_hand() -> None:
    alpha = torch.tensor([[0.9, 0.4], [0.1, 0.0]]).view(1, 1, 2, 2)
    assert float(losses.variation(alpha)) == pytest.approx(0.8 + 0.5)
    assert float(losses.shortfall(alpha, 0.5)) == pytest.approx((0.1 + 0.4 + 0.5) / 4)
    assert float(losses.shortfall(alpha, 0.0)) == 0
    assert float(losses.astray(alpha, torch.ones_like(alpha))) == pytest.approx((0.01 + 0.36 + 0.81 + 1) / 4)


class Mean(nn.Module):
    """A critic whose score is the mean of the picture."""

    def forward(self, pictures: Tensor, given: Tensor) -> Tensor:
        return pictures.mean((1, 2, 3), keepdim=True)


def test_critics_losses_by_hand_and_at_the_limits_of_the_mixup() -> None:
    """The real picture scores 0.8, the face 0.2, what is shown, half of it over an input of 0, 0.1."""
    given, truth = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.8)
    one, critic = made(0.5, torch.full((1, 3, 2, 2), 0.2)), Mean()
    assert float(losses.generator_loss(critic, one, given)) == pytest.approx(0.9**2 + 0.8**2)
    for share, shown, face in ((1.0, 0.8, 0.8), (0.0, 0.1, 0.2), (0.5, 0.45, 0.5)):
        loss = losses.critic_loss(critic, one, given, truth, torch.full((1, 1, 1, 1), share))
        assert float(loss) == pytest.approx((shown - share) ** 2 + (face - share) ** 2, abs=1e-6)


def test_the_recogniser_sees_no_difference_in_the_same_picture_nor_under_another_lamp() -> None:
    torch.manual_seed(0)
    perception = Perception("whole", 64)
    face = nn.functional.interpolate(torch.rand(1, 3, 9, 9), 64, mode="bicubic").clamp(0.1, 0.6) * 2 - 1
    lit = (face + 1) * 1.3 - 1
    other = nn.functional.interpolate(torch.rand(1, 3, 9, 9), 64, mode="bicubic").clamp(0.1, 0.6) * 2 - 1
    assert float(perception(face, face)) == pytest.approx(0, abs=1e-6)
    assert float(perception(lit, face)) < float(perception(other, face)) / 3
    assert not any(part.requires_grad for part in perception.parameters())


def test_the_schedule_is_the_originals() -> None:
    def rows(paces: tuple[object, ...]) -> list[tuple[object, ...]]:
        schedule = Schedule(paces)
        at = [schedule.at(share) for share in (0, 0.2, 0.3, 0.4, 0.5, 0.67, 0.8, 0.9, 1.0)]
        return [(pace.perception, pace.least, pace.rate) for pace in at]

    begin = [(False, None, 1.0), (True, None, 1.0), (True, 0.5, 1.0), (True, 0.2, 1.0)]
    end = [(True, 0.1, 0.3), (True, None, 0.1), (True, None, 0.1)]
    assert rows(WHOLE) == [*begin, (True, 0.4, 1.0), (True, None, 1.0), *end]
    assert rows(PARTS) == [*begin, (True, 0.4, 0.3), (True, 0.5, 0.3), *end]


@pytest.mark.parametrize(("paces", "until"), [(WHOLE, 0.5), (PARTS, 0.8)])
def test_faces_are_not_warped_in_the_last_part(paces: tuple, until: float) -> None:
    assert all(Schedule(paces).at(share).warped for share in (0, until - 0.01))
    assert not any(Schedule(paces).at(share).warped for share in (until, 1.0))


@pytest.mark.parametrize(("paces", "begins"), [(WHOLE, 0.8), (PARTS, 0.67)])
def test_decoders_are_exchanged_once_even_if_the_training_is_made_longer(paces: tuple, begins: float) -> None:
    schedule = Schedule(paces)
    assert not schedule.exchanges(begins - 0.01)
    assert schedule.exchanges(begins)
    again = Schedule(paces)
    again.load_state_dict(schedule.state_dict())
    assert not any(again.exchanges(share) for share in (0.4, begins, 0.99))
    assert not Schedule(paces, exchanging=False).exchanges(1.0)


def test_exchanged_decoders_make_what_the_others_made() -> None:
    torch.manual_seed(0)
    network, faces = FaceswapGan(TINY), torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = network(faces, faces)
        network.exchange_decoders()
        after = network(faces, faces)
    for one, other in zip(before, reversed(after), strict=True):
        assert torch.equal(one.face, other.face)
        assert torch.equal(one.alpha, other.alpha)
    assert not torch.allclose(before[0].face, after[0].face)


def test_back_puts_the_targets_face_on_the_source() -> None:
    torch.manual_seed(0)
    network, faces = FaceswapGan(TINY), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        forth, back = network.swap(faces)[0], network.swap(faces, back=True)[0]
        source, target = network(faces * 2 - 1, faces * 2 - 1)
    torch.testing.assert_close(forth, (source.face + 1) / 2)
    torch.testing.assert_close(back, (target.face + 1) / 2)


def test_the_target_gets_the_sources_parts_and_keeps_the_rest() -> None:
    """Faces of two grey levels, with mouths of another colour and a pattern in them: the pattern is the source's."""
    mesh = make_record(0, 96).landmarks[:, :2]
    source, target = (
        Person(np.full((6, 96, 96, 3), level, np.uint8), np.full((6, 96, 96), 255, np.uint8),
               np.zeros((6, 96, 96), np.uint8), np.zeros(6, np.float32), np.stack([mesh] * 6))
        for level in (90, 160)
    )  # fmt: skip
    x, y = mesh[LIPS_OUTER].mean(0).round().astype(int)
    source.pictures[:, y - 2 : y + 2, x - 2 : x + 2] = 0
    found = with_parts_of(source, target, ["mouth"])
    change = found.pictures.astype(int) - target.pictures
    assert change[:, y, x].max() < -60, "the source's pattern, in the target's colours"
    eyes = mesh[[*LEFT_EYE, *RIGHT_EYE]].round().astype(int)
    assert not change[:, eyes[:, 1], eyes[:, 0]].any()
    assert not change[:, :8].any()
    assert abs(change.mean()) < 1
    with pytest.raises(UsageError, match="no landmarks"):
        with_parts_of(make_person(60), target, ["mouth"])


def test_two_pictures_are_learnt_by_heart() -> None:
    torch.manual_seed(0)
    network = FaceswapGan(Dims(64, True, "none", 0, 8, 128))
    coarse = torch.rand(2, 3, 6, 6)
    faces = nn.functional.interpolate(coarse, size=64, mode="bilinear").clamp(0.1, 0.9) * 2 - 1
    optimiser = torch.optim.Adam(network.parameters(), 5e-4)
    for step in range(80):
        optimiser.param_groups[0]["lr"] = 5e-4 * (1 - step / 80)
        source, target = network(faces[:1], faces[1:])
        off = torch.cat([source.face, target.face]) - faces
        optimiser.zero_grad()
        off.abs().mean().backward()
        optimiser.step()
    assert -10 * float(torch.log10((off.detach() / 2).square().mean())) > 30


def test_a_short_training_improves_held_out_faces(tmp_path: Path) -> None:
    torch.manual_seed(0)
    recipe = FaceswapGanRecipe(arguments(batch=4), make_person(60), make_person(180))
    Trainer(recipe, tmp_path, minutes=60 / 60, clock=Seconds()).run()
    tried = [row for row in recipe_history(tmp_path) if "source_psnr" in row]
    for name in ("source_psnr", "target_psnr"):
        assert tried[-1][name] > tried[0][name] + 3
    assert tried[-1]["alpha_inside"] > tried[-1]["alpha_outside"] + 0.1


def recipe_history(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "history.json").read_text())


@pytest.mark.parametrize(
    "dims", [TINY, Dims(64, False, "instance", 64, 8, 16), Dims(128, True, "hybrid", 16, 8, 16)], ids=str
)
@pytest.mark.parametrize("back", [False, True])
def test_the_file_says_what_torch_says(dims: Dims, back: bool, tmp_path: Path) -> None:
    import onnx

    if back and dims is not TINY:
        pytest.skip("the same graph")
    torch.manual_seed(0)
    network, side = FaceswapGan(dims).eval(), dims.resolution
    for layer in network.modules():
        if hasattr(layer, "scale") and isinstance(layer.scale, nn.Parameter):
            nn.init.constant_(layer.scale, 0.3)
    path = tmp_path / "me.dfm"
    assert write_dfm(network, side, path, template="whole", recipe="faceswap-gan", back=back) < 1e-3
    faces = np.random.default_rng(4).random((1, side, side, 3), np.float32)
    with torch.no_grad():
        face, alpha, _ = network.swap(torch.from_numpy(faces).permute(0, 3, 1, 2), back=back)
    found = run(onnx.load(str(path)), **{INPUT: faces})
    for value, truth in zip(found, (alpha, face, alpha), strict=True):
        np.testing.assert_allclose(value, truth.permute(0, 2, 3, 1).numpy(), atol=1e-3)
