"""Plans: built for real where TensorRT for RTX is installed, no GPU needed; kept, believed only when sound."""

from __future__ import annotations

import hashlib
import json
import runpy
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from needs import need_tensorrt, network_file

from rtswap.engines import build_all as build_all_module
from rtswap.engines import tensorrt_module
from rtswap.engines.build import build_plan
from rtswap.engines.build_all import Wish, build_all, plan_for, recipe_for
from rtswap.engines.build_command import build_networks, read_wish
from rtswap.engines.build_profiles import PROFILES, profile_of
from rtswap.engines.contract import TensorSpec
from rtswap.engines.plan import Manifest, Recipe, key_of_plan, manifest_from_json, manifest_to_json
from rtswap.engines.plans import PlanCache, plan_folder, read_plan
from rtswap.engines.tensorrt_module import TensorRt, load_tensorrt
from rtswap.errors import EngineError, ModelError, UsageError
from rtswap.models.catalog import shipped_catalog
from rtswap.models.onnx_graph import Graph

NETWORKS = tuple(shipped_catalog())
MOST_CPU_S = 20.0
"""What building one plan may take of two cores in ten seconds; other work on the machine does not count."""


@pytest.fixture(scope="module")
def tensorrt() -> TensorRt:
    need_tensorrt()
    return load_tensorrt("tensorrt_rtx")


def network(size: int = 3) -> bytes:
    g = Graph("small")
    kernel = np.random.default_rng(size).normal(size=(4, 3, size, size)).astype(np.float32)
    g.add("Relu", g.conv(g.nhwc_u8("image"), kernel, np.zeros(4, np.float32)), to="map")
    return g.serialise({"image": ["n", 8, 8, 3]}, {"map": ["n", 4, 9 - size, 9 - size]}, {})


# What is built for real


@pytest.mark.parametrize("name", NETWORKS)
def test_every_shipped_network_becomes_a_plan(tensorrt: TensorRt, name: str, tmp_path: Path) -> None:
    path = network_file(name)
    cache = PlanCache(tmp_path)
    before = time.process_time()
    (built,) = build_all([(name, path)], Wish(), tensorrt, cache)
    assert time.process_time() - before < MOST_CPU_S
    assert built.failed == ""
    assert built.fresh
    manifest = built.manifest
    assert manifest is not None
    assert manifest.recipe.precision == profile_of(name).precision
    taken = shipped_catalog()[name].input
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
    sound, manifest, _ = plan_for(path.read_bytes(), "rnet", recipe_for("rnet", Wish()), tensorrt, cache)
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
    again, told, fresh = plan_for(path.read_bytes(), "rnet", recipe_for("rnet", Wish()), tensorrt, cache)
    assert fresh
    assert len(events) == 1
    assert told.plan_sha256 == hashlib.sha256(again).hexdigest()
    assert (told.inputs, told.outputs) == (manifest.inputs, manifest.outputs)
    assert read_plan(file, told.key)[0] == again


@pytest.mark.parametrize("target", ["9.0", "8.8", "nonsense"])
def test_a_card_that_cannot_be_built_for_is_told(tensorrt: TensorRt, target: str) -> None:
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
def test_what_is_no_network_is_told(tensorrt: TensorRt, content: bytes) -> None:
    with pytest.raises(ModelError):
        build_plan(content, "small", Recipe(), tensorrt)


def test_one_that_fails_does_not_keep_the_others(tensorrt: TensorRt, tmp_path: Path) -> None:
    for name, content in (("a", network(3)), ("b", b"\x08 no network"), ("c", network(5))):
        (tmp_path / f"{name}.onnx").write_bytes(content)
    told: list[tuple[int, int | None, str]] = []
    wanted = [(name, tmp_path / f"{name}.onnx") for name in ("a", "b", "missing", "c")]
    made = build_all(wanted, Wish("fp32"), tensorrt, PlanCache(tmp_path), on_progress=lambda *row: told.append(row))
    assert [bool(one.failed) for one in made] == [False, True, True, False]
    assert told == [(0, 4, "a"), (1, 4, "b"), (2, 4, "missing"), (3, 4, "c"), (4, 4, "")]


def test_the_command_builds_a_file_that_the_user_names(tensorrt: TensorRt, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(network())
    wish = read_wish("bf16", "8.9", "1,2,8")
    for how in ("built in", "was there"):
        result = build_networks([str(path)], catalog=[], path_of=Path, folder=tmp_path, wish=wish)
        assert result["failed"] == {}
        assert "bf16 for 8.9, " in result["built"]["mine"]
        assert how in result["built"]["mine"]
    assert list(plan_folder(tmp_path).glob("mine-*.plan"))


def test_two_files_of_one_name_are_refused(tensorrt: TensorRt, tmp_path: Path) -> None:
    names = [str(tmp_path / "a" / "net.onnx"), str(tmp_path / "b" / "net.onnx")]
    with pytest.raises(UsageError, match="two networks are called net"):
        build_networks(names, catalog=[], path_of=Path, folder=tmp_path, wish=Wish())


# What needs no TensorRT


NO_TENSORRT = TensorRt("tensorrt_rtx", "1.0", None)
RECIPE = Recipe("fp16", "8.9", (1, 4, 16))


def manifest(plan: bytes, name: str = "net", version: str = "1.0", recipe: Recipe = RECIPE) -> Manifest:
    return Manifest(
        network=name,
        onnx_sha256="ab" * 32,
        module="tensorrt_rtx",
        version=version,
        card="",
        recipe=recipe,
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        plan_bytes=len(plan),
        inputs=(TensorSpec("image", np.dtype("uint8"), (None, 8, 8, 3)),),
        outputs=(TensorSpec("map", np.dtype("float32"), (None, 4)),),
        built_at="2026-11-21T09:00:00+00:00",
        took_s=0.5,
    )


PLAN = bytes(range(256)) * 40


def damage(how: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        beside = path.with_suffix(".json")
        text = beside.read_text()
        if how == "cut off":
            path.write_bytes(PLAN[:-1])
        elif how == "empty":
            path.write_bytes(b"")
        elif how == "a bit":
            path.write_bytes(bytes([PLAN[0] ^ 1]) + PLAN[1:])
        elif how == "no manifest":
            beside.unlink()
        elif how == "manifest cut":
            beside.write_text(text[: len(text) // 2])
        elif how == "manifest is a list":
            beside.write_text("[]")
        elif how == "manifest is binary":
            beside.write_bytes(b"\xff\xfe\x00" * 9)
        elif how == "older version":
            beside.write_text(text.replace('"version": "1.0"', '"version": "0.9"'))
        elif how == "other network":
            beside.write_text(text.replace("abab", "cdcd"))
        elif how == "other precision":
            beside.write_text(text.replace("fp16", "bf16"))
        elif how == "odd types":
            beside.write_text(json.dumps({**json.loads(text), "inputs": [{"name": 1}]}))

    return change


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cut off", "is cut off"),
        ("empty", "is cut off"),
        ("a bit", "is damaged"),
        ("no manifest", "has no manifest"),
        ("manifest cut", "cannot be read"),
        ("manifest is a list", "cannot be read"),
        ("manifest is binary", "cannot be read"),
        ("older version", "for something else"),
        ("other network", "for something else"),
        ("other precision", "for something else"),
        ("odd types", "cannot be read"),
    ],
)
def test_a_plan_that_is_not_sound_is_refused_with_the_reason_and_built_again(
    tmp_path: Path, how: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    cache = PlanCache(tmp_path, on_event=events.append)
    content = network()
    truth = replace(manifest(PLAN), onnx_sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(build_all_module, "build_plan", lambda *_, **__: (PLAN, truth))
    path = cache.put(PLAN, truth)
    assert plan_for(content, "net", RECIPE, NO_TENSORRT, cache)[2] is False
    damage(how)(path)
    if how == "other network":
        path.with_suffix(".json").write_text(
            path.with_suffix(".json").read_text().replace(truth.onnx_sha256, "cd" * 32)
        )
    assert plan_for(content, "net", RECIPE, NO_TENSORRT, cache) == (PLAN, truth, True)
    assert len(events) == 1
    assert reason in events[0]
    assert "\n" not in events[0]
    assert plan_for(content, "net", RECIPE, NO_TENSORRT, cache)[2] is False
    assert len(events) == 1


def test_every_part_of_the_recipe_counts() -> None:
    one = key_of_plan("ab", "tensorrt_rtx", "1.7", "", RECIPE)
    others = [
        key_of_plan("ac", "tensorrt_rtx", "1.7", "", RECIPE),
        key_of_plan("ab", "tensorrt", "1.7", "", RECIPE),
        key_of_plan("ab", "tensorrt_rtx", "1.8", "", RECIPE),
        key_of_plan("ab", "tensorrt_rtx", "1.7", "a card", RECIPE),
        key_of_plan("ab", "tensorrt_rtx", "1.7", "", RECIPE, rewrite=99),
        *(
            key_of_plan("ab", "tensorrt_rtx", "1.7", "", replace(RECIPE, **change))
            for change in (
                {"precision": "bf16"},
                {"target": ""},
                {"batch": (1, 4, 8)},
                {"side": (1, 2, 3)},
                {"keep": ("map",)},
            )
        ),
    ]
    assert len({one, *others}) == 1 + len(others)


def test_a_manifest_is_read_as_it_was_written() -> None:
    written = manifest(PLAN)
    assert manifest_from_json(manifest_to_json(written)) == written


def test_an_older_plan_of_the_same_recipe_is_taken_away(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path)
    cache.put(PLAN, manifest(PLAN, version="0.9"))
    cache.put(PLAN, manifest(PLAN, version="0.9", recipe=replace(RECIPE, precision="fp32")))
    cache.put(PLAN, manifest(PLAN, name="another", version="0.9"))
    cache.put(PLAN, manifest(PLAN))
    found = sorted((one.manifest.network, one.manifest.version) for one in cache.shelf() if one.manifest)
    assert found == [("another", "0.9"), ("net", "0.9"), ("net", "1.0")]
    assert len(list(tmp_path.iterdir())) == 6, "something was left lying about"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot take net"):
        PlanCache(tmp_path / "file").put(PLAN, manifest(PLAN))


def test_a_name_with_slashes_stays_in_the_folder(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path / "plans")
    path = cache.put(PLAN, manifest(PLAN, name="../../evil name"))
    assert path.parent == tmp_path / "plans"


def test_without_tensorrt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(tensorrt_module, "_import", absent)
    with pytest.raises(EngineError, match=r"tensorrt_rtx: No module.*tensorrt: No module.*pip install") as caught:
        build_networks([], catalog=["rnet"], path_of=Path, folder=tmp_path, wish=Wish())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [
        {"precision": "fp8"},
        {"target": "89"},
        {"target": "ada"},
        {"batch": "0"},
        {"batch": "4,2,1"},
        {"batch": "1,2"},
        {"batch": "many"},
        {"batch": "1,4,100000"},
    ],
    ids=str,
)
def test_flags_that_mean_nothing_are_refused(flags: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected"):
        read_wish(**flags)


def test_flags() -> None:
    assert read_wish() == Wish()
    assert read_wish("bf16", "8.9", "4", force=True) == Wish("bf16", "8.9", (4, 4, 4), True)
    assert read_wish(batch="1,4,16").batch == (1, 4, 16)


@pytest.mark.parametrize("name", PROFILES)
def test_what_is_kept_and_tolerated_is_in_the_network(name: str) -> None:
    """A network that was made anew may call its layers otherwise."""
    graph = onnx.load(network_file(name)).graph
    made = {output for node in graph.node for output in node.output}
    assert set(PROFILES[name].keep) <= made
    assert PROFILES[name].tolerance.keys() == {value.name for value in graph.output}


def test_a_network_whose_weights_are_an_extra_is_left_out(tensorrt: TensorRt, tmp_path: Path) -> None:
    path = tmp_path / "here.onnx"
    path.write_bytes(network())

    def path_of(name: str) -> Path:
        if name == "extra":
            raise ModelError("the weights are not installed")
        return path

    events: list[str] = []
    result = build_networks(
        [], catalog=["extra", "here"], path_of=path_of, folder=tmp_path, wish=Wish(), on_event=events.append
    )
    assert list(result["built"]) == ["here"]
    assert events == ["left out: extra: the weights are not installed"]


@pytest.mark.parametrize("name", [*NETWORKS, "landmarks-3", "somebody-elses"])
def test_every_network_has_a_recipe(name: str) -> None:
    recipe = recipe_for(name, Wish())
    assert recipe.batch[0] == 1
    assert recipe.precision in ("fp32", "fp16", "bf16")


def test_the_script_does_what_the_command_does(
    tensorrt: TensorRt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(network())
    monkeypatch.setenv("RTSWAP_CACHE", str(tmp_path / "cache"))
    script = Path(__file__).resolve().parents[2] / "scripts/build_engines.py"
    for words, code in ((["--batch", "2", "--json"], 0), (["--precision", "fp8"], 2)):
        monkeypatch.setattr(sys, "argv", [str(script), str(path), *words])
        with pytest.raises(SystemExit) as done:
            runpy.run_path(str(script), run_name="__main__")
        assert done.value.code == code
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == {}
    assert "takes image uint8 (2, 8, 8, 3)" in found["built"]["mine"]
    assert list((tmp_path / "cache/plans").glob("mine-*.plan"))
