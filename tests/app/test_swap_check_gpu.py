"""A swapper that gives back the target's own face does not go on air, on a GPU either: torch on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from people import person

torch = pytest.importorskip("torch", reason="torch is not installed")

from gpu_program import torch_models  # noqa: E402

from rtswap.app.config import Config  # noqa: E402
from rtswap.app.program import Program  # noqa: E402
from rtswap.core.errors import ModelError  # noqa: E402
from rtswap.core.parts import BuildContext, SwapperSpec  # noqa: E402
from rtswap.core.types import Quality, SourceIdentity, SwappedBatch, TargetBatch  # noqa: E402
from rtswap.disclosure import Disclosure  # noqa: E402
from rtswap.swappers import mesh  # noqa: E402

Change = Callable[[Any, Any], Any]
"""The targets' crops and what ``mesh`` makes of them -> what the swapper returns."""


pytestmark = pytest.mark.usefixtures("without_a_gpu")


class Spoilt:
    """A swapper of another package: ``mesh``, whose result is changed."""

    def __init__(self, context: BuildContext, change: Change) -> None:
        self._model, self._change = mesh.build_gpu(context), change

    def bind(self, source: SourceIdentity) -> Any:
        swapper, change = self._model.bind(source), self._change

        class Bound:
            view, forget = swapper.view, swapper.forget

            def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
                found = swapper.swap_all(targets, quality)
                return SwappedBatch(change(targets.crops, found.crops), found.masks)

        return Bound()


def swappers_with(change: Change) -> list[Any]:
    spec = SwapperSpec("spoilt", "", mesh.build, lambda context: Spoilt(context, change), networks=mesh.SPEC.networks)
    unseen = Disclosure(None, reason="a test")
    program = Program(
        Config(), on_event=print, models=torch_models(), sources=[person("ada")], swapper=spec, disclosure=unseen
    )
    assert program.on_gpu
    return program.swappers


def noisy(target: Any, _: Any) -> Any:
    noise = 5 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    return (target + noise).clamp(0, 255).to(torch.uint8)


def blended(target: Any, swapped: Any) -> Any:
    return (0.2 * swapped + 0.8 * target).round().to(torch.uint8)


@pytest.mark.parametrize("change", [noisy, blended])
def test_a_swapper_that_hardly_changes_a_face_is_refused(change: Change) -> None:
    with pytest.raises(ModelError, match=r"the swapper spoilt does not change faces.*Train it longer"):
        swappers_with(change)


@pytest.mark.parametrize("change", [lambda _, swapped: swapped, lambda target, _: torch.full_like(target, 120)])
def test_one_that_changes_it_is_not(change: Change) -> None:
    assert len(swappers_with(change)) == 1
