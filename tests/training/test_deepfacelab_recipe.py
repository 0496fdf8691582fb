"""DF and LIAE: the originals' sizes to the last weight, what may and may not move a swap, a training from facesets to
a file that runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch
from short_trainings import Seconds
from small_recipes import deepfacelab_arguments as arguments
from small_recipes import make_person
from torch import nn

from rtswap.core.errors import UsageError
from rtswap.training.dfm import INPUT, OUTPUTS, write_dfm
from rtswap.training.onnx_files import run
from rtswap.training.pairs import Pairs, split
from rtswap.training.people import Draw
from rtswap.training.recipes.deepfacelab.critics import CodeCritic, PatchCritic, entropy_of_calling
from rtswap.training.recipes.deepfacelab.network import DF, LIAE, Dims
from rtswap.training.recipes.deepfacelab.recipe import DfRecipe, LiaeRecipe, reconstruction
from rtswap.training.trainer import Trainer
from rtswap.training.warp import Variation

TINY = Dims(32, "ud", 16, 4, 4, 4)
ORIGINAL = [  # RECIPES of the literature: millions of weights, both people's decoders included
    (LIAE, Dims(128, "ud"), 82.377),
    (DF, Dims(128, "ud"), 54.471),
    (DF, Dims(128, ""), 57.538),
    (LIAE, Dims(224, "ud"), 125.664),
    (DF, Dims(96, "ud", 96, 24, 24, 8), 7.063),
    (LIAE, Dims(96, "ud", 96, 24, 24, 8), 10.268),
    (DF, Dims(64, "", 64, 16, 16, 8), 3.200),
]


@pytest.mark.parametrize(("kind", "dims", "millions"), ORIGINAL)
def test_networks_have_the_originals_number_of_weights(kind: type[nn.Module], dims: Dims, millions: float) -> None:
    with torch.device("meta"):
        network = kind(dims)
    assert sum(part.numel() for part in network.parameters()) / 1e6 == pytest.approx(millions, abs=6e-4)


@pytest.mark.parametrize("kind", [DF, LIAE])
@pytest.mark.parametrize("options", ["", "u", "d", "t", "udt"])
def test_faces_and_masks_have_the_size_of_the_input(kind: type[nn.Module], options: str) -> None:
    network = kind(Dims(64, options, 8, 4, 4, 4))
    faces = torch.rand(2, 3, 64, 64)
    for face, mask in network(faces, faces[:1]):
        assert face.shape[1:] == (3, 64, 64)
        assert mask.shape[1:] == (1, 64, 64)
        assert 0 <= float(face.detach().min()) <= float(face.detach().max()) <= 1
    assert [part.shape[1] for part in network.swap(faces)] == [3, 1, 1]


def randomised(network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return network.eval()


def test_liae_swaps_a_source_as_it_reconstructs_it_and_inter_b_has_no_say() -> None:
    network = randomised(LIAE(TINY))
    faces = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        (rebuilt, _), _ = network(faces, faces)
        swapped = network.swap(faces)[0]
        assert torch.allclose(rebuilt, swapped, atol=1e-5)
        for value in network.inter_b.parameters():
            value.add_(0.5)
        assert torch.allclose(network.swap(faces)[0], swapped, atol=1e-5)
        assert not torch.allclose(network(faces, faces)[1][0], rebuilt)


def test_df_shares_the_code_and_nothing_of_the_decoders() -> None:
    network = randomised(DF(TINY))
    faces = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        (source, _), (target, _) = network(faces, faces)
        assert not torch.allclose(source, target)
        for value in network.target.parameters():
            value.add_(0.5)
        assert torch.allclose(network.swap(faces)[0], source, atol=1e-5)


def test_the_code_has_unit_length_with_u_alone() -> None:
    torch.manual_seed(0)
    for options, normalised in (("u", True), ("", False)):
        code = randomised(DF(Dims(32, options, 16, 4, 4, 4))).encoder(torch.rand(3, 3, 32, 32))
        rms = code.square().mean(1).sqrt()
        assert bool(torch.allclose(rms, torch.ones(3), atol=1e-2)) is normalised


def test_reconstruction_of_the_same_is_nothing_and_of_another_level_is_its_square_and_structure() -> None:
    half = torch.full((1, 3, 32, 32), 0.5)
    assert float(reconstruction(half, half)) == pytest.approx(0, abs=1e-5)
    other = torch.full((1, 3, 32, 32), 0.7)
    likeness = (2 * 0.5 * 0.7 + 1e-4) / (0.5**2 + 0.7**2 + 1e-4)
    assert float(reconstruction(half, other)) == pytest.approx(10 * (1 - likeness) / 2 + 10 * 0.04, rel=1e-3)


def test_batches_are_the_same_whoever_makes_them() -> None:
    draws = [Draw(make_person(level), 32, Variation()) for level in (60, 180)]
    once, again = (Pairs(*draws, 3, seed=5).batch(17) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    assert [part.shape for part in once[:4]] == [(3, 32, 32, 3), (3, 32, 32, 3), (3, 32, 32), (3, 32, 32)]
    assert not np.array_equal(once[0], Pairs(*draws, 3, seed=5).batch(18)[0])


def test_no_frame_beside_a_held_out_one_is_learnt_except_at_the_ends_of_runs() -> None:
    learnt, kept = split(make_person(60, 400))
    assert (len(learnt), len(kept)) == (360, 40)


@pytest.mark.parametrize("kind", [DF, LIAE])
def test_two_pictures_are_learnt_by_heart(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind(Dims(32, "d", 32, 16, 16, 4))
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((2, 3, 6, 6)).astype(np.float32))
    faces = nn.functional.interpolate(coarse, size=32, mode="bilinear").clamp(0.1, 0.9)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(300):
        (source, _), (target, _) = network(faces[:1], faces[1:])
        loss = (source - faces[:1]).square().mean() + (target - faces[1:]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert -10 * float(torch.log10(loss.detach() / 2)) > 30


@pytest.mark.parametrize("kind", [DF, LIAE])
def test_back_makes_the_targets_face_and_forth_the_sources(kind: type[nn.Module]) -> None:
    network = randomised(kind(TINY))
    faces = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        (source, source_mask), (target, target_mask) = network(faces, faces)
        for back, wanted in ((False, (source, source_mask)), (True, (target, target_mask))):
            face, mask, _ = network.swap(faces, back=back)
            assert torch.allclose(face, wanted[0], atol=1e-5)
            assert torch.allclose(mask, wanted[1], atol=1e-5)
    assert not torch.allclose(source, target)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("kind", [DF, LIAE])
def test_the_file_says_what_torch_says_by_the_names_and_in_the_order_of_a_dfm(
    kind: type[nn.Module], back: bool, tmp_path: Path
) -> None:
    import onnx

    network = randomised(kind(TINY))
    assert write_dfm(network, 32, tmp_path / "me.dfm", template="whole", recipe="df", back=back) < 1e-3
    model = onnx.load(str(tmp_path / "me.dfm"))
    assert [port.name for port in model.graph.input] == [INPUT]
    assert tuple(port.name for port in model.graph.output) == OUTPUTS
    sides = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides[1:] == [32, 32, 3]
    faces = np.random.default_rng(4).random((1, 32, 32, 3), np.float32)
    face, mask, target_mask = network.swap(torch.from_numpy(faces).permute(0, 3, 1, 2), back=back)
    found = run(model, **{INPUT: faces})
    for made, truth in zip(found, (target_mask, face, mask), strict=True):
        np.testing.assert_allclose(made, truth.detach().permute(0, 2, 3, 1).numpy(), atol=1e-3)


def test_a_resolution_that_does_not_fit_is_told() -> None:
    with pytest.raises(UsageError, match="multiple of 32"):
        DfRecipe(arguments(resolution=48), make_person(60), make_person(180))


def test_a_target_of_many_people_begins_the_shared_code_anew_at_the_times_asked_for(tmp_path: Path) -> None:
    torch.manual_seed(0)
    recipe = LiaeRecipe(arguments(resets=2), make_person(60), make_person(180))
    Trainer(recipe, tmp_path, minutes=20 / 60, clock=Seconds()).run()
    assert int(recipe.network.resets) == 2


def test_critics_answer_in_maps_and_calling_everything_real_costs_what_cross_entropy_says() -> None:
    code = CodeCritic(8, 4)(torch.rand(2, 8, 4, 4))
    assert (code.shape[0], code.shape[1]) == (2, 1)
    patches, pixels = PatchCritic(8)(torch.rand(2, 3, 32, 32))
    assert patches.shape == (2, 1, 4, 4)
    assert pixels.shape == (2, 1, 32, 32)
    logits = torch.tensor([[[[0.0, 2.0]]]])
    assert float(entropy_of_calling(logits, True)) == pytest.approx((np.log(2) + np.log1p(np.exp(-2))) / 2, abs=1e-6)
    assert float(entropy_of_calling((logits, logits), False)) == pytest.approx(
        (np.log(2) + 2 + np.log1p(np.exp(-2))) / 2, abs=1e-6
    )
