"""The contract of the recipes for two people: a training may be stopped at any step and goes on as if it had not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from training_clock import Seconds

torch = pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

from small_recipes import deepfacelab_arguments, faceswap_gan_arguments, made_up  # noqa: E402

from rtswap.training.recipe import Recipe  # noqa: E402
from rtswap.training.recipes.deepfacelab.recipe import DfRecipe, LiaeRecipe  # noqa: E402
from rtswap.training.recipes.faceswap_gan.recipe import FaceswapGanRecipe  # noqa: E402
from rtswap.training.trainer import CHECKPOINT, Trainer  # noqa: E402

STEPS = 20


class Case(NamedTuple):
    """A recipe, the step after which it is stopped, and terms and figures that its history must have."""

    make: Callable[[], Recipe]
    stop: int = 10
    terms: frozenset[str] = frozenset()


def deepfacelab(recipe: Callable[..., Recipe], **more: object) -> Callable[[], Recipe]:
    return lambda: recipe(deepfacelab_arguments(**more), made_up(60, side=40), made_up(180, side=40))


def faceswap_gan(**more: object) -> Callable[[], Recipe]:
    return lambda: FaceswapGanRecipe(faceswap_gan_arguments(**more), made_up(60), made_up(180))


STYLES: dict[str, object] = {"face_style_power": 0.1, "bg_style_power": 0.1, "gan_power": 0.1}
EXTRAS = frozenset({"face_style", "background_style", "fooled", "patch_critic"})
GAN = frozenset({"perception", "fooled", "critic", "source_psnr", "alpha_inside"})
CASES = {
    "df": Case(deepfacelab(DfRecipe)),
    "df with all": Case(deepfacelab(DfRecipe, true_face_power=0.01, **STYLES), terms=EXTRAS),
    "liae": Case(deepfacelab(LiaeRecipe)),
    "liae with all": Case(deepfacelab(LiaeRecipe, resets=3, **STYLES), terms=EXTRAS),
    "faceswap-gan": Case(faceswap_gan(), 18, GAN | {"alpha_mask"}),  # stopped after the decoders were exchanged
    "faceswap-gan with all": Case(
        faceswap_gan(alpha="free", cycle=True, norm="hybrid"), 18, GAN | {"alpha", "shortfall", "cycle"}
    ),
}
"""Add a recipe here, and all that follows is asked of it."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class Stopped(Trainer):
    """Ends after a step as if somebody had pressed Ctrl+C just after a checkpoint."""

    stop = 0

    def _step(self, batches: Iterator[Any], share: float) -> None:
        super()._step(batches, share)
        if self.progress.step == self.stop:
            self.save()
            raise KeyboardInterrupt


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


@pytest.mark.parametrize("name", CASES)
def test_stopped_and_continued_it_is_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    case = CASES[name]

    def train(folder: str, seed: int = 0, kind: type[Trainer] = Trainer) -> Trainer:
        (tmp_path / folder).mkdir(exist_ok=True)
        torch.manual_seed(0)
        trainer = kind(case.make(), tmp_path / folder, minutes=STEPS / 60, clock=Seconds())
        torch.manual_seed(seed)  # another process goes on with other random numbers
        if isinstance(trainer, Stopped):
            trainer.stop = case.stop
            with pytest.raises(KeyboardInterrupt):
                trainer.run()
        else:
            trainer.run()
        return trainer

    whole = train("whole")
    train("parts", kind=Stopped)
    second = train("parts", seed=99)
    assert second.progress.step == whole.progress.step == STEPS
    assert case.terms <= {term for row in whole.progress.history for term in row}
    kept = [torch.load(tmp_path / folder / CHECKPOINT, weights_only=True) for folder in ("whole", "parts")]
    assert kept[0].keys() == kept[1].keys()
    for part in whole.recipe.parts:
        for ours, theirs in zip(*(tensors_in(one[part]) for one in kept), strict=True):
            same = torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs
            assert same, f"{part} differs"
