"""The contract of the recipes of ``rtswap train``: a training may be stopped at any step and goes on as if it had
not, and blank faces do no harm. ``test_systems.py``: what the one-shot ones write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

from short_trainings import Seconds, StoppedTrainer  # noqa: E402
from small_crowd import small_crowd, supply_triplets  # noqa: E402
from small_recipes import deepfacelab_arguments, faceswap_gan_arguments, make_person, one_shot_arguments  # noqa: E402

from rtswap.training.people import Person  # noqa: E402
from rtswap.training.recipe import Moment, Recipe  # noqa: E402
from rtswap.training.recipes import RECIPES  # noqa: E402
from rtswap.training.recipes.deepfacelab.recipe import DfRecipe, LiaeRecipe  # noqa: E402
from rtswap.training.recipes.faceshifter import network as faceshifter  # noqa: E402
from rtswap.training.recipes.faceswap_gan.recipe import FaceswapGanRecipe  # noqa: E402
from rtswap.training.recipes.fsgan import network as fsgan  # noqa: E402
from rtswap.training.recipes.style_prior import network as style_prior  # noqa: E402
from rtswap.training.trainer import CHECKPOINT, Trainer  # noqa: E402

STEPS = 20


class Case(NamedTuple):
    """A recipe, the step after which it is stopped, and terms and figures that its history must have."""

    make: Callable[[bool], Recipe]
    """Takes whether the faces are blank."""
    stop: int = 10
    terms: frozenset[str] = frozenset()


def person(level: int, blank: bool, side: int) -> Person:
    made = make_person(level, side=side)
    return Person(*(0 * part if blank and part is not None else part for part in vars(made).values()))


def deepfacelab(recipe: Callable[..., Recipe], **more: object) -> Callable[[bool], Recipe]:
    return lambda blank: recipe(deepfacelab_arguments(**more), person(60, blank, 40), person(180, blank, 40))


def faceswap_gan(**more: object) -> Callable[[bool], Recipe]:
    return lambda blank: FaceswapGanRecipe(faceswap_gan_arguments(**more), *(person(k, blank, 64) for k in (60, 180)))


def one_shot(name: str, **more: object) -> Callable[[bool], Recipe]:
    kind = next(spec for spec in RECIPES if spec.name == name).load()

    def make(blank: bool) -> Recipe:
        crowd = small_crowd(30)
        if blank:
            crowd = replace(crowd, pictures=0 * crowd.pictures, masks=0 * crowd.masks)
        return kind(one_shot_arguments(name, out=Path("unused"), **{"batch": 2, **more}), crowd)

    return make


STYLES: dict[str, object] = {"face_style_power": 0.1, "bg_style_power": 0.1, "gan_power": 0.1}
EXTRAS = frozenset({"face_style", "background_style", "fooled", "patch_critic"})
GAN = frozenset({"perception", "fooled", "critic", "source_psnr", "alpha_inside"})
FULL = frozenset({"fooled", "critic"})
PHASES = FULL | {"inversion", "reading", "identity", "inversion_psnr"}
CASES = {
    "df": Case(deepfacelab(DfRecipe)),
    "df with all": Case(deepfacelab(DfRecipe, true_face_power=0.01, **STYLES), terms=EXTRAS),
    "liae": Case(deepfacelab(LiaeRecipe)),
    "liae with all": Case(deepfacelab(LiaeRecipe, resets=3, **STYLES), terms=EXTRAS),
    "faceswap-gan": Case(faceswap_gan(), 18, GAN | {"alpha_mask"}),  # stopped after the decoders were exchanged
    "faceswap-gan with all": Case(
        faceswap_gan(alpha="free", cycle=True, norm="hybrid"), 18, GAN | {"alpha", "shortfall", "cycle"}
    ),
    "faceshifter": Case(one_shot("faceshifter"), 15, FULL | {"same", "taught", "back", "detail"}),
    "faceshifter taught": Case(one_shot("faceshifter", teacher="mesh"), 15, FULL | {"same", "identity", "detail"}),
    "faceshifter taught hear": Case(one_shot("faceshifter", teacher="mesh", hear=0.4), 15, FULL | {"mended"}),
    "faceshifter hear": Case(one_shot("faceshifter", hear=0.4), 15, FULL | {"mended", "change"}),
    "faceshifter assisted": Case(one_shot("faceshifter", variant="assisted"), 15, FULL | {"same", "mesh_psnr"}),
    "fsgan": Case(one_shot("fsgan"), 15, FULL | {"view", "hole", "seam", "blend_psnr"}),
    "fslsd": Case(one_shot("fslsd", steady=True), 15, PHASES | {"landmarks", "unsteady"}),
    "fslsd taught": Case(one_shot("fslsd", teacher="mesh"), 15, PHASES | {"landmarks", "side"}),
    "megafs": Case(one_shot("megafs"), 10, PHASES),
    "megafs taught": Case(one_shot("megafs", teacher="mesh"), 15, PHASES | {"landmarks"}),
    "megafs hierfe": Case(one_shot("megafs", encoder="hierfe"), 15, PHASES),
}
"""Add a recipe here, and all that follows is asked of it."""


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = "rtswap.training.recipes"
    aei = faceshifter.Dims(64, False, 1, (8, 16, 16, 16, 16), (16,) * 4, (16,) * 5, 2, (8, 16, 16, 16))
    fsgan_dims = fsgan.Dims(64, True, (16, 24, 32), (16, 24, 32), 8)

    def prior_dims(*_: object, hierfe: bool = False) -> style_prior.Dims:
        usual = style_prior.Dims.small(64, hierfe=hierfe)
        encoder = replace(usual.encoder, stem=8, stages=(8,) * len(usual.encoder.stages), head=16)
        return replace(usual, style=16, widths=(16, 16, 16, 16, 8), encoder=encoder)

    for name, value in {
        "faceshifter.recipe.supply": supply_triplets,
        "faceshifter.samples.TRIED": 4,
        "faceshifter.recipe.dims_of": lambda *_, assisted: replace(aei, assisted=assisted),
        "fsgan.recipe.Dims.of": lambda *_: fsgan_dims,
        "fsgan.trial.COUNT": 4,
        "fsgan.trial.SHOWN": 4,
        "fslsd.recipe.dims_of": prior_dims,
        "megafs.recipe.dims_of": prior_dims,
    }.items():
        monkeypatch.setattr(f"{recipes}.{name}", value)
    monkeypatch.setattr("rtswap.training.lessons.supply", supply_triplets)
    torch.set_num_threads(1)


def tensors_in(kept: Any) -> Iterator[Any]:
    """All tensors and numbers of a part of a checkpoint, in order."""
    if isinstance(kept, dict):
        for name in sorted(kept, key=str):
            yield from tensors_in(kept[name])
    elif isinstance(kept, list | tuple):
        for one in kept:
            yield from tensors_in(one)
    else:
        yield kept


def test_every_recipe_is_a_case() -> None:
    assert {spec.name for spec in RECIPES} == {name.split()[0] for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_stopped_and_continued_it_is_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    case = CASES[name]

    def train(folder: str, seed: int = 0, kind: type[Trainer] = Trainer) -> Trainer:
        (tmp_path / folder).mkdir(exist_ok=True)
        torch.manual_seed(0)
        trainer = kind(case.make(False), tmp_path / folder, minutes=STEPS / 60, clock=Seconds())
        torch.manual_seed(seed)  # another process goes on with other random numbers
        if isinstance(trainer, StoppedTrainer):
            trainer.stop_after = case.stop
            with pytest.raises(KeyboardInterrupt):
                trainer.run()
        else:
            trainer.run()
        return trainer

    whole = train("whole")
    train("parts", kind=StoppedTrainer)
    second = train("parts", seed=99)
    assert second.progress.step == whole.progress.step == STEPS
    assert case.terms <= {term for row in whole.progress.history for term in row}
    kept = [torch.load(tmp_path / folder / CHECKPOINT, weights_only=True) for folder in ("whole", "parts")]
    assert kept[0].keys() == kept[1].keys()
    for part in whole.recipe.parts:
        for ours, theirs in zip(*(tensors_in(one[part]) for one in kept), strict=True):
            same = torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs
            assert same, f"{part} differs"


@pytest.mark.parametrize("name", CASES)
def test_black_faces_without_a_mask_do_no_harm(name: str) -> None:
    torch.manual_seed(0)
    recipe = CASES[name].make(True)
    with recipe.batches(0) as batches:
        for step, share in enumerate((0.0, 0.5, 0.95)):
            terms = recipe.step(batches, Moment(step, share, 1e-3))
            assert all(torch.isfinite(one) for one in terms.values()), terms
    for network in recipe.networks.values():
        assert all(np.isfinite(one.detach().numpy()).all() for one in network.state_dict().values())
