"""The contract of every engine. A new engine is one more line in ENGINES."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requirements import need_cuda, need_torch
from small_network import BIAS, KERNEL, compute, picture, small_network

from rtswap.core.errors import EngineError, ModelError
from rtswap.core.protocols import Engine
from rtswap.engines.contract import read_model_file
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.torch.engine import TorchEngine
from rtswap.networks.onnx_graph import Graph

Make = Callable[..., Engine]


def openvino(model: Path | str | bytes, **options: Any) -> Engine:
    """Imported here, so that the other engines are tested where OpenVINO is not installed."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    from rtswap.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(model, **options)


ENGINES: dict[str, Make] = {
    "onnxruntime": OnnxRuntimeEngine,
    "openvino-f32": openvino,
    "torch-cpu": partial(TorchEngine, device="cpu"),
    "torch-cuda": TorchEngine,
}


@pytest.fixture(params=ENGINES, scope="module")
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "torch-cpu":
        need_torch()
    elif request.param == "torch-cuda":
        need_cuda()
    return ENGINES[request.param]


@pytest.fixture(scope="module")
def engine(make: Make) -> Engine:
    return make(small_network())


def test_says_its_name(make: Make, engine: Engine) -> None:
    assert ENGINES[engine.name] is make


@pytest.mark.parametrize("shape", [(1, 5, 7, 3), (3, 16, 16, 3), (1, 1, 1, 3), (2, 31, 8, 3), (1, 64, 48, 3)])
def test_gives_what_numpy_gives_at_any_size(engine: Engine, shape: tuple[int, ...]) -> None:
    image = picture(*shape)
    outputs = engine.run({"image": image})
    assert set(outputs) == {"map", "mean"}
    for name, value in compute(image).items():
        assert outputs[name].dtype == np.float32
        np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=2e-3)


def test_shapes_that_alternate_for_long_stay_right(make: Make) -> None:
    engine = make(small_network())
    for shape in 12 * [(1, 12 + 4 * n, 16, 3) for n in range(6)]:
        outputs = engine.run({"image": picture(*shape)})
        for name, value in compute(picture(*shape)).items():
            np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=2e-3)


def test_a_view_into_a_larger_picture_is_read_rightly(engine: Engine) -> None:
    large = picture(2, 40, 60, 3)
    view = large[:, 3:19, 5:25]
    assert not view.flags.c_contiguous
    np.testing.assert_allclose(engine.run({"image": view})["map"], compute(view)["map"], rtol=1e-4, atol=2e-3)


def test_input_is_unchanged(engine: Engine) -> None:
    image = picture(1, 9, 9, 3)
    before = image.copy()
    engine.run({"image": image})
    np.testing.assert_array_equal(image, before)


def test_outputs_live_until_the_next_run_even_of_another_engine(make: Make) -> None:
    one, other = make(small_network()), make(small_network())
    image = picture(1, 20, 20, 3)
    outputs = one.run({"image": image})
    other.run({"image": picture(1, 200, 200, 3, seed=2)})
    np.testing.assert_allclose(outputs["map"], compute(image)["map"], rtol=1e-4, atol=2e-3)


def test_outputs_of_a_free_shape_may_be_kept(engine: Engine) -> None:
    """A view that the next, larger run leaves pointing nowhere would be a crash, not a wrong number."""
    image = picture(1, 20, 20, 3)
    kept = engine.run({"image": image})["map"]
    engine.run({"image": picture(1, 300, 300, 3)})
    np.testing.assert_allclose(kept, compute(image)["map"], rtol=1e-4, atol=2e-3)


def test_the_same_input_gives_the_same_bits(engine: Engine) -> None:
    image = picture(2, 24, 24, 3)
    first = {name: value.copy() for name, value in engine.run({"image": image}).items()}
    second = engine.run({"image": image})
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"picture": picture(1, 8, 8, 3)},
        {"image": picture(1, 8, 8, 3), "more": picture(1)},
        {"image": picture(1, 8, 8, 3).astype(np.float32)},
        {"image": picture(8, 8, 3)},
        {"image": picture(1, 8, 8, 4)},
        {"image": picture(0, 8, 8, 3)},
        {"image": picture(1, 0, 8, 3)},
    ],
    ids=["nothing", "other name", "too many", "float", "no batch", "four channels", "empty batch", "no rows"],
)
def test_a_wrong_input_is_one_line_and_does_no_harm(engine: Engine, inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(EngineError) as caught:
        engine.run(inputs)
    assert "\n" not in str(caught.value)
    image = picture(1, 8, 8, 3)
    np.testing.assert_allclose(engine.run({"image": image})["mean"], compute(image)["mean"], rtol=1e-4, atol=2e-3)


def test_a_failure_inside_the_network_does_no_harm(make: Make) -> None:
    g = Graph("needs 3 x 3")
    g.conv(g.nhwc_u8("image"), KERNEL, BIAS)
    g.add("Identity", "t2", to="map")
    engine = make(g.serialise({"image": ["n", "h", "w", 3]}, {"map": ["n", 4, "y", "x"]}, {}))
    told = ""
    try:
        assert engine.run({"image": picture(1, 1, 1, 3)})["map"].size == 0, "OpenVINO (2026.4.1) on one thread"
    except EngineError as error:
        told = str(error)
    assert "\n" not in told
    assert engine.run({"image": picture(1, 5, 5, 3)})["map"].shape == (1, 4, 3, 3)


def test_fixed_shapes_are_kept_to(make: Make) -> None:
    engine = make(small_network((1, 8, 8, 3)))
    image = picture(1, 8, 8, 3)
    np.testing.assert_allclose(engine.run({"image": image})["mean"], compute(image)["mean"], rtol=1e-4, atol=2e-3)
    with pytest.raises(EngineError, match="has the wrong"):
        engine.run({"image": picture(1, 9, 8, 3)})


def test_takes_a_path_as_well_as_bytes(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "mödel äé.onnx"
    path.write_bytes(small_network())
    image = picture(1, 6, 6, 3)
    np.testing.assert_allclose(make(path).run({"image": image})["mean"], compute(image)["mean"], rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_is_refused(make: Make, threads: int) -> None:
    with pytest.raises(EngineError, match="thread"):
        make(small_network(), threads=threads)


def hostile_files() -> dict[str, bytes]:
    good = small_network()
    return {
        "zero bytes": b"",
        "text": b"this is not a network\n" * 30,
        "random": np.random.default_rng(3).bytes(5000),
        "first half": good[: len(good) // 2],
        "last byte missing": good[:-1],
        "header only": good[:20],
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "xml": b"<?xml version='1.0'?><net name='x' version='11'></net>",
        "another operator": good.replace(b"\x04Relu", b"\x04Rxlu"),
    }


@pytest.mark.parametrize("name", hostile_files())
@pytest.mark.parametrize("as_path", [True, False])
def test_invalid_network_is_reported_in_one_line(
    make: Make, name: str, as_path: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = hostile_files()[name]
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        make(path if as_path else content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    if as_path:
        assert str(path) in str(caught.value)
    assert capfd.readouterr() == ("", ""), "a library talked over the one line"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, 10_000), junk=st.binary(min_size=1, max_size=12))
def test_a_damaged_file_either_loads_or_is_refused(make: Make, at: int, junk: bytes) -> None:
    """What ONNX Runtime refuses, ``choose_engines`` gives to no other: OpenVINO would overwrite memory."""
    good, image = small_network(), {"image": picture(1, 8, 8, 3)}
    at %= len(good)
    damaged = good[:at] + junk + good[at + len(junk) :]
    with suppress(ModelError, EngineError):
        OnnxRuntimeEngine(damaged).run(image)
        make(damaged).run(image)


def test_missing_file_and_folder_are_reported(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        make(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="not a file"):
        make(tmp_path)


def test_a_file_of_ten_gigabytes_is_refused_unread(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 10 * 2**30)
    with pytest.raises(ModelError, match=r"too large.*10\.0 GiB"):
        make(path)


@pytest.mark.parametrize("location", ["weights.bin", "../../../../etc/passwd", "/etc/passwd"])
def test_weights_in_other_files_are_refused(make: Make, location: str, tmp_path: Path) -> None:
    import onnx

    model = onnx.load_from_string(small_network())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(KERNEL.nbytes))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path = tmp_path / "outside.onnx"
    path.write_bytes(model.SerializeToString())
    (tmp_path / "weights.bin").write_bytes(KERNEL.tobytes())
    with pytest.raises(ModelError, match="in other files"):
        make(path)
    with pytest.raises(ModelError, match="in other files"):
        read_model_file(path.read_bytes())


@pytest.mark.parametrize("length", [2**45, 2**62])
def test_a_small_file_that_wants_all_memory_is_refused(make: Make, length: int) -> None:
    """A few bytes that ask for more than an address can reach, folded when loaded or made when run."""
    g = Graph("bomb")
    big = g.add("ConstantOfShape", g.constant(np.array([length, 64], np.int64)))
    g.add("Add", g.add("ReduceSum", big, keepdims=0), g.add("ReduceSum", g.nhwc_u8("image"), keepdims=0), to="sum")
    content = g.serialise({"image": [1, 2, 2, 3]}, {"sum": []}, {})
    with pytest.raises((ModelError, EngineError)) as caught:
        make(content).run({"image": picture(1, 2, 2, 3)})
    assert "\n" not in str(caught.value)


def test_openvino_precision_is_checked() -> None:
    with pytest.raises(EngineError, match="precision"):
        openvino(small_network(), precision="f8")


def test_in_its_usual_shapes_openvino_computes_the_same_and_compiles_nothing_in_the_loop() -> None:
    engine = openvino(small_network(), threads=1, usual={"image": (1, 8, 8, 3)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rtswap.engines.openvino._core", lambda: pytest.fail("compiled in the loop"))
        for side in (8, 6) * 20:
            image = picture(1, side, side, 3)
            for name, value in compute(image).items():
                np.testing.assert_allclose(engine.run({"image": image})[name], value, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("usual", [{"image": (1, 8, 8, 5)}, {"other": (1, 8, 8, 3)}, {}])
def test_usual_shapes_that_do_not_fit_are_ignored(usual: dict[str, tuple[int, ...]]) -> None:
    found = openvino(small_network(), threads=1, usual=usual).run({"image": picture(1, 8, 8, 3)})
    np.testing.assert_allclose(found["mean"], compute(picture(1, 8, 8, 3))["mean"], rtol=1e-4, atol=2e-3)


def test_openvino_gets_over_a_damaged_cache(tmp_path: Path) -> None:
    image = picture(1, 8, 8, 3)
    openvino(small_network(), cache_dir=tmp_path)
    blobs = list(tmp_path.glob("*.blob"))
    assert blobs, "the cache is of no use"
    for blob in blobs:
        blob.write_bytes(blob.read_bytes()[:100] + b"junk" * 50)
    outputs = openvino(small_network(), cache_dir=tmp_path).run({"image": image})
    np.testing.assert_allclose(outputs["mean"], compute(image)["mean"], rtol=1e-4, atol=2e-3)


def test_openvino_works_while_another_fills_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that begin on a fresh machine at once: one removes the file of which the other sets the permissions."""
    Core = pytest.importorskip("openvino", reason="OpenVINO is not installed").Core
    compile_model = Core.compile_model

    def in_the_way(core: Any, model: Any, device: str, settings: dict[str, Any]) -> Any:
        if "CACHE_DIR" in settings:
            raise RuntimeError("filesystem error: cannot set permissions: No such file or directory")
        return compile_model(core, model, device, settings)

    monkeypatch.setattr(Core, "compile_model", in_the_way)
    image = picture(1, 8, 8, 3)
    outputs = openvino(small_network(), cache_dir=tmp_path).run({"image": image})
    np.testing.assert_allclose(outputs["mean"], compute(image)["mean"], rtol=1e-4, atol=2e-3)


def test_openvino_works_without_a_place_for_its_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    image = picture(1, 8, 8, 3)
    outputs = openvino(small_network(), cache_dir=tmp_path / "file" / "cache").run({"image": image})
    np.testing.assert_allclose(outputs["mean"], compute(image)["mean"], rtol=1e-4, atol=2e-3)


def test_a_signal_after_engines_are_closed_does_not_crash() -> None:
    """OpenVINO 2026.4 left a dangling stack for signal handlers behind; in a child, which may crash."""
    program = """
import gc, signal, sys
from rtswap.engines.openvino import OpenVinoEngine
first, second = (OpenVinoEngine(sys.argv[1], threads=2) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""
    model = Path(str(resources.files("rtswap") / "assets/recognition.onnx"))
    done = subprocess.run([sys.executable, "-c", program, str(model)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "handled" in done.stdout) == (0, True), done.stderr
