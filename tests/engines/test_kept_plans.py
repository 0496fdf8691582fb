"""Cached plans: used only when intact, and replaced when there is a newer one. TensorRT is not needed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from plan_files import NO_TENSORRT, PLAN, RECIPE, manifest, network

from rtswap.core.errors import EngineError
from rtswap.engines.build import all_plans as build_all_module
from rtswap.engines.build.all_plans import plan_for
from rtswap.engines.tensorrt.plan import key_of_plan, manifest_from_json, manifest_to_json
from rtswap.engines.tensorrt.plan_store import PlanCache


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
        ("cut off", "is truncated"),
        ("empty", "is truncated"),
        ("a bit", "is damaged"),
        ("no manifest", "has no manifest"),
        ("manifest cut", "has an invalid manifest"),
        ("manifest is a list", "has an invalid manifest"),
        ("manifest is binary", "has an invalid manifest"),
        ("older version", "for another network or recipe"),
        ("other network", "for another network or recipe"),
        ("other precision", "for another network or recipe"),
        ("odd types", "has an invalid manifest"),
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


@pytest.mark.skipif(os.name == "nt", reason="a user's folders are their own")
@pytest.mark.parametrize("how", ["writable by all", "of another user"])
def test_a_plan_that_others_could_have_written_is_not_run(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As RTSWAP_CACHE in a folder that many share: a plan is code, and its manifest lies beside it."""
    events: list[str] = []
    cache, content = PlanCache(tmp_path / "plans", on_event=events.append), network()
    truth = replace(manifest(PLAN), onnx_sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(build_all_module, "build_plan", lambda *_, **__: (PLAN, truth))
    theirs = b"another plan"
    cache.put(theirs, replace(manifest(theirs), onnx_sha256=truth.onnx_sha256))
    assert plan_for(content, "net", RECIPE, NO_TENSORRT, cache)[0] == theirs, "it is the right one but for that"
    if how == "writable by all":
        cache.folder.chmod(0o777)
    elif os.geteuid() == 0:
        os.chown(cache.folder, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert cache.kernels_file("net", "key", "card") is None
    assert plan_for(content, "net", RECIPE, NO_TENSORRT, cache) == (PLAN, truth, True)
    assert "other users can write" in events[0]


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


def test_manifest_reads_back_unchanged() -> None:
    written = manifest(PLAN)
    assert manifest_from_json(manifest_to_json(written)) == written


def test_an_older_plan_of_the_same_recipe_is_taken_away(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path)
    cache.put(PLAN, manifest(PLAN, version="0.9"))
    cache.put(PLAN, manifest(PLAN, version="0.9", recipe=replace(RECIPE, precision="fp32")))
    cache.put(PLAN, manifest(PLAN, name="another", version="0.9"))
    cache.put(PLAN, manifest(PLAN))
    found = sorted((one.manifest.network, one.manifest.version) for one in cache.stored() if one.manifest)
    assert found == [("another", "0.9"), ("net", "0.9"), ("net", "1.0")]
    assert len(list(tmp_path.iterdir())) == 6, "something was left lying about"


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot write net"):
        PlanCache(tmp_path / "file").put(PLAN, manifest(PLAN))


def test_a_name_with_slashes_stays_in_the_folder(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path / "plans")
    path = cache.put(PLAN, manifest(PLAN, name="../../evil name"))
    assert path.parent == tmp_path / "plans"
