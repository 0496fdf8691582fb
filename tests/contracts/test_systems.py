"""The contract of what the one-shot recipes write: graphs that answer alike in torch and in every engine, and become
TensorRT plans without a GPU. Nothing is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

from imported_swappers import ENGINES  # noqa: E402
from requirements import need_tensorrt  # noqa: E402
from small_crowd import small_crowd  # noqa: E402
from small_recipes import one_shot_arguments  # noqa: E402

from rtswap.engines.build.all_plans import PlanOptions, build_all  # noqa: E402
from rtswap.engines.tensorrt.module import load_tensorrt  # noqa: E402
from rtswap.engines.tensorrt.plan_store import PlanCache  # noqa: E402
from rtswap.networks.model_store import add  # noqa: E402
from rtswap.networks.registry import Registry  # noqa: E402
from rtswap.swappers import swapper_spec  # noqa: E402
from rtswap.training.recipes import RECIPES  # noqa: E402
from rtswap.training.system_file import CLOSE, Graph, write_system  # noqa: E402

CASES: dict[str, dict[str, object]] = {
    "faceshifter": {},
    "faceshifter taught": {"teacher": "mesh"},
    "faceshifter hear": {"hear": 0.2},
    "faceshifter assisted": {"variant": "assisted"},
    "fsgan": {},
    "fsgan faithful": {"faithful": True},
    "fslsd": {},
    "megafs": {},
    "megafs hierfe": {"encoder": "hierfe"},
}
"""A recipe, and options that change its graphs."""
PARTS = {"fsgan": {"reenact", "inpaint", "blend"}}
"""Of each system's file; the others': what is bound, and what runs in each frame."""


def graphs_of(case: str) -> dict[str, Graph]:
    """Of a network with its first weights, a little disturbed: what begins at 0 would hide the rest."""
    name = case.split()[0]
    torch.manual_seed(0)
    spec = next(spec for spec in RECIPES if spec.name == name)
    arguments = one_shot_arguments(name, out=Path("unused"), **CASES[case])
    recipe = spec.load()(arguments, small_crowd(30, spec.faces_px(arguments)))
    with torch.no_grad():
        for weights in recipe.shadow.parameters():
            weights += 0.01 * torch.randn_like(weights)
    return recipe.graphs()


def test_every_one_shot_recipe_is_a_case() -> None:
    assert {spec.name for spec in RECIPES if spec.kind == "one-shot"} == {case.split()[0] for case in CASES}


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("case", CASES)
def test_its_graphs_answer_alike_everywhere_and_become_plans(case: str, tmp_path: Path) -> None:
    graphs, file = graphs_of(case), tmp_path / "any.rtswap"
    assert graphs.keys() == PARTS.get(case.split()[0], {"frame", "bind"})
    assert write_system(graphs, file, system=case.split()[0], template="whole") <= CLOSE
    add(file)
    paths = {name: Registry().path(name) for name in swapper_spec("any").networks}
    for (name, path), graph in zip(paths.items(), graphs.values(), strict=True):
        given = {key: value.numpy() for key, value in graph.examples.items()}
        answers = [make(path.read_bytes()).run(given) for make in ENGINES.values()]
        for output in graph.outputs:
            scale = max(1.0, float(np.abs(answers[0][output]).max()))
            for answer in answers[1:]:
                np.testing.assert_allclose(
                    answer[output] / scale, answers[0][output] / scale, atol=CLOSE, err_msg=name
                )
    need_tensorrt()
    built = build_all(
        list(paths.items()), PlanOptions(), load_tensorrt("tensorrt_rtx"), PlanCache(tmp_path / "plans")
    )
    for one, graph in zip(built, graphs.values(), strict=True):
        assert one.failed == ""
        assert one.manifest is not None
        assert {spec.name: spec.shape for spec in one.manifest.inputs} == {
            name: tuple(value.shape) for name, value in graph.examples.items()
        }
