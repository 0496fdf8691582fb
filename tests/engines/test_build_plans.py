"""Building real plans where TensorRT for RTX is installed; no GPU is needed."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from plan_files import network
from requirements import network_file

from rtswap.core.errors import EngineError, ModelError
from rtswap.engines.build.all_plans import PlanOptions, build_all, plan_for, recipe_for
from rtswap.engines.build.builder import build_plan
from rtswap.engines.build.profiles import profile_of, profiles
from rtswap.engines.contract import TensorSpec
from rtswap.engines.tensorrt.module import TensorRt
from rtswap.engines.tensorrt.plan import Recipe
from rtswap.engines.tensorrt.plan_store import PlanCache, read_plan
from rtswap.networks.catalog import load_catalog
from rtswap.networks.onnx_graph import Graph

NETWORKS = tuple(load_catalog())
MOST_CPU_S = 20.0
"""What building one plan may take of two cores in ten seconds; other work on the machine does not count."""


@pytest.mark.parametrize("name", NETWORKS)
def test_every_shipped_network_becomes_a_plan(tensorrt: TensorRt, name: str, tmp_path: Path) -> None:
    path = network_file(name)
    cache = PlanCache(tmp_path)
    before = time.process_time()
    (built,) = build_all([(name, path)], PlanOptions(), tensorrt, cache)
    assert time.process_time() - before < MOST_CPU_S
    assert built.failed == ""
    assert built.fresh
    manifest = built.manifest
    assert manifest is not None
    assert manifest.recipe.precision == profile_of(name).precision
    taken = load_catalog()[name].input
    first = manifest.inputs[0]
    assert (first.name, first.dtype.name) == (taken["name"], taken["dtype"])
    batch_is_free = manifest.recipe.batch[0] < manifest.recipe.batch[2]
    assert first.shape[0] == (None if batch_is_free else 1)
    assert [length for length in first.shape[1:] if length] == [
        length for length in taken["shape"][1:] if isinstance(length, int)
    ]
    assert all(spec.dtype == np.float32 for spec in manifest.outputs)
    assert 0.3 * path.stat().st_size < manifest.plan_bytes < 60e6
    assert read_plan(next(tmp_path.glob("*.plan")), manifest.key)[1] == manifest


@pytest.mark.parametrize(
    ("recipe", "batch"),
    [
        (Recipe("fp32"), None),
        (Recipe("bf16", target="8.9"), None),
        (Recipe("fp16", target="7.5", batch=(1, 1, 1)), 1),
        (Recipe("fp16", batch=(16, 16, 16)), 16),
    ],
    ids=str,
)
def test_recipes(tensorrt: TensorRt, recipe: Recipe, batch: int | None) -> None:
    plan, manifest = build_plan(network(), "small", recipe, tensorrt)
    assert manifest.plan_bytes == len(plan)
    assert manifest.inputs == (TensorSpec("image", np.dtype("uint8"), (batch, 8, 8, 3)),)
    assert manifest.outputs == (TensorSpec("map", np.dtype("float32"), (batch, 4, 6, 6)),)


def test_the_plan_is_kept_and_used_again(tensorrt: TensorRt, tmp_path: Path) -> None:
    cache = PlanCache(tmp_path)
    plan, manifest, fresh = plan_for(network(), "small", Recipe(), tensorrt, cache)
    again, same, fresh_again = plan_for(network(), "small", Recipe(), tensorrt, cache)
    assert (fresh, fresh_again) == (True, False)
    assert (again, same) == (plan, manifest)
    assert plan_for(network(), "small", Recipe(), tensorrt, cache, force=True)[2]


@pytest.mark.parametrize("how", ["a bit", "cut off", "older version", "no manifest"])
def test_a_real_plan_that_went_bad_is_built_again(tensorrt: TensorRt, how: str, tmp_path: Path) -> None:
    events: list[str] = []
    cache, path = PlanCache(tmp_path, on_event=events.append), network_file("rnet")
    sound, manifest, _ = plan_for(path.read_bytes(), "rnet", recipe_for("rnet", PlanOptions()), tensorrt, cache)
    (file,) = tmp_path.glob("rnet-*.plan")
    if how == "a bit":
        file.write_bytes(sound[:5000] + bytes([sound[5000] ^ 1]) + sound[5001:])
    elif how == "cut off":
        file.write_bytes(sound[:-100])
    elif how == "no manifest":
        file.with_suffix(".json").unlink()
    else:
        beside = file.with_suffix(".json")
        beside.write_text(beside.read_text().replace(tensorrt.version, "1.0.0"))
    again, told, fresh = plan_for(path.read_bytes(), "rnet", recipe_for("rnet", PlanOptions()), tensorrt, cache)
    assert fresh
    assert len(events) == 1
    assert told.plan_sha256 == hashlib.sha256(again).hexdigest()
    assert (told.inputs, told.outputs) == (manifest.inputs, manifest.outputs)
    assert read_plan(file, told.key)[0] == again


@pytest.mark.parametrize("target", ["9.0", "8.8", "nonsense"])
def test_unsupported_target_is_reported(tensorrt: TensorRt, target: str) -> None:
    with pytest.raises(EngineError, match=r"cannot build for compute capability.*8\.9"):
        build_plan(network(), "small", Recipe(target=target), tensorrt)


def test_a_network_that_cannot_be_parsed_is_one_line(tensorrt: TensorRt, capfd: pytest.CaptureFixture[str]) -> None:
    g = Graph("odd")
    g.add("Det", g.nhwc_u8("image"), to="map")
    content = g.serialise({"image": ["n", 8, 8, 3]}, {"map": ["n", 3]}, {})
    with pytest.raises(ModelError, match="cannot parse the network odd") as caught:
        build_plan(content, "odd", Recipe(), tensorrt)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"\x08text", network()[:-9], b"\x08\x08"], ids=["text", "cut", "short"])
def test_invalid_network_is_reported(tensorrt: TensorRt, content: bytes) -> None:
    with pytest.raises(ModelError):
        build_plan(content, "small", Recipe(), tensorrt)


def test_one_that_fails_does_not_keep_the_others(tensorrt: TensorRt, tmp_path: Path) -> None:
    for name, content in (("a", network(3)), ("b", b"\x08 no network"), ("c", network(5))):
        (tmp_path / f"{name}.onnx").write_bytes(content)
    told: list[tuple[int, int | None, str]] = []
    wanted = [(name, tmp_path / f"{name}.onnx") for name in ("a", "b", "missing", "c")]
    made = build_all(
        wanted, PlanOptions("fp32"), tensorrt, PlanCache(tmp_path), on_progress=lambda *row: told.append(row)
    )
    assert [bool(one.failed) for one in made] == [False, True, True, False]
    assert told == [(0, 4, "a"), (1, 4, "b"), (2, 4, "missing"), (3, 4, "c"), (4, 4, "")]


@pytest.mark.parametrize("name", profiles())
def test_kept_nodes_and_tolerances_exist_in_the_network(name: str) -> None:
    """A network that was made anew may call its layers otherwise."""
    graph = onnx.load(network_file(name)).graph
    made = {output for node in graph.node for output in node.output}
    assert set(profiles()[name].keep) <= made
    assert profiles()[name].tolerance.keys() == {value.name for value in graph.output}


@pytest.mark.parametrize("name", [*NETWORKS, "landmarks-3", "somebody-elses"])
def test_every_network_has_a_recipe(name: str) -> None:
    recipe = recipe_for(name, PlanOptions())
    assert recipe.batch[0] == 1
    assert recipe.precision in ("fp32", "fp16", "bf16")
