"""A foreign network file reads no other file and runs only ONNX's own operators, however it is encoded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import foreign_models as foreign
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from rtswap.core.errors import ModelError
from rtswap.engines.contract import read_model_file
from rtswap.engines.onnx_fields import why_refused
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.openvino import OpenVinoEngine

ROOT = Path(__file__).resolve().parents[2]
ENTRY = b"\x0a\x08location\x12\x0asecret.bin"
REVERSED = b"\x12\x0asecret.bin\x0a\x08location"
OVERLONG = b"\x0a\x88\x00location\x12\x8a\x00secret.bin"
OVERLONG_TAG = b"\x8a\x00\x08location\x12\x0asecret.bin"


def model(*nodes: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...] = ()) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [16])],
        list(weights),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def external(entry: bytes = ENTRY) -> onnx.TensorProto:
    """A tensor whose numbers lie in secret.bin, as ``entry`` spells that; onnx keeps the spelling as it is."""
    coded = onnx.TensorProto(name="w", data_type=TensorProto.UINT8, dims=[16]).SerializeToString()
    tensor = onnx.TensorProto()
    tensor.ParseFromString(coded + b"\x6a" + bytes([len(entry)]) + entry + b"\x70\x01")
    assert {pair.key for pair in tensor.external_data} == {"location"}
    return tensor


def spelled(entry: bytes) -> bytes:
    """A whole file with ``entry`` in it byte for byte."""
    room = len(entry)
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.UINT8, dims=[16], doc_string="#" * room)
    tensor.data_location = TensorProto.EXTERNAL
    coded = model(helper.make_node("Identity", ["w"], ["y"]), weights=(tensor,)).SerializeToString()
    assert coded.count(b"#" * room) == 1
    return coded.replace(b"\x62" + bytes([room]) + b"#" * room, b"\x6a" + bytes([room]) + entry)


def within(attribute: onnx.AttributeProto) -> bytes:
    node = helper.make_node("Constant", [], ["y"])
    node.attribute.append(attribute)
    return model(node).SerializeToString()


def inner_graph() -> onnx.GraphProto:
    return helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "inner", [], [], [external()])


def function() -> bytes:
    made = model(helper.make_node("Identity", ["x"], ["y"]))
    node = helper.make_node("Constant", [], ["y"], value=external())
    made.functions.append(helper.make_function("", "F", [], ["y"], [node], [helper.make_opsetid("", 17)]))
    return made.SerializeToString()


def sparse() -> bytes:
    made = model(helper.make_node("Identity", ["w"], ["y"]))
    made.graph.sparse_initializer.add().values.CopyFrom(external())
    return made.SerializeToString()


def twice() -> bytes:
    """Protobuf merges what is written twice: the second part adds the location to the first one's graph."""
    other = onnx.ModelProto()
    other.graph.initializer.append(external())
    return model(helper.make_node("Identity", ["w"], ["y"])).SerializeToString() + other.SerializeToString()


def foreign_operator() -> bytes:
    made = model(helper.make_node("EPContext", [], ["y"], domain="com.microsoft", ep_cache_context="/etc/passwd"))
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return made.SerializeToString()


WAYS: dict[str, Callable[[], bytes]] = {
    "as usual": lambda: spelled(ENTRY),
    "value before key": lambda: spelled(REVERSED),
    "an overlong length": lambda: spelled(OVERLONG),
    "an overlong tag": lambda: spelled(OVERLONG_TAG),
    "in an attribute": lambda: within(onnx.AttributeProto(name="value", type=4, t=external())),
    "in a list of an attribute": lambda: within(onnx.AttributeProto(name="v", type=9, tensors=[external()])),
    "in a graph of an attribute": lambda: within(onnx.AttributeProto(name="body", type=5, g=inner_graph())),
    "in a list of graphs": lambda: within(onnx.AttributeProto(name="b", type=10, graphs=[inner_graph()])),
    "in a function": function,
    "in a sparse tensor": sparse,
    "merged from two parts": twice,
    "an operator of somebody else": foreign_operator,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(b"0123456789abcdef")


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_no_other_file_is_read(write: Callable[[], bytes]) -> None:
    content = write()
    for make in (OnnxRuntimeEngine, OpenVinoEngine, read_model_file):
        with pytest.raises(ModelError, match="self-contained"):
            make(content)


def test_either_half_of_a_reference_is_refused() -> None:
    """The place without the flag that says that it counts, and the flag without the place."""
    for half in (b"\x6a" + bytes([len(ENTRY)]) + ENTRY, b"\x70\x01"):
        tensor = onnx.TensorProto(name="w", data_type=TensorProto.UINT8, dims=[16], raw_data=bytes(16))
        tensor.MergeFromString(half)
        content = model(helper.make_node("Identity", ["w"], ["y"]), weights=(tensor,)).SerializeToString()
        assert why_refused(content) == "weights in other files"


def test_networks_that_come_with_rtswap_stand_alone() -> None:
    found = sorted((ROOT / "rtswap").rglob("*.onnx"))
    assert len(found) >= 5
    for path in found:
        assert read_model_file(path) == path.read_bytes()


def test_messages_too_deep_are_refused() -> None:
    content = b""
    for _ in range(40):
        attribute = b"\x32" + length(content) + content
        node = b"\x2a" + length(attribute) + attribute
        content = b"\x0a" + length(node) + node
    assert "deep" in why_refused(b"\x08\x08\x3a" + length(content) + content)


def length(content: bytes) -> bytes:
    size, out = len(content), b""
    while size >= 128:
        out, size = out + bytes([size & 127 | 128]), size >> 7
    return out + bytes([size])


@given(st.data())
def test_accepted_networks_reference_no_other_file(data: st.DataObject) -> None:
    """Any damage done to a file that is refused: either it still is, or onnx finds no other file in it."""
    content = bytearray(data.draw(st.sampled_from([way() for way in WAYS.values()])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    if why_refused(bytes(content)):
        return
    loaded = onnx.ModelProto()
    try:
        loaded.ParseFromString(bytes(content))
    except Exception:  # noqa: BLE001  # protobuf's own, by whatever name
        return
    for tensor in loaded.graph.initializer:
        assert not tensor.external_data
        assert tensor.data_location == TensorProto.DEFAULT


@pytest.mark.skipif(os.name == "nt", reason="a user's folders are their own")
@pytest.mark.parametrize("how", ["writable by all", "a link", "of another user"])
def test_a_compiled_network_that_others_could_have_written_is_not_run(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO runs whatever lies in its cache under the right name."""

    def tripled(times: float) -> bytes:
        weights = {"w": np.full(3, times, np.float32)}
        return foreign.file([foreign.node("Mul", "x w", "y")], {"x": [1, 3]}, {"y": [1, 3]}, weights)

    cache, other = tmp_path / "cache", tmp_path / "other"
    for times, folder in ((2.0, cache), (5.0, other)):
        OpenVinoEngine(tripled(times), cache_dir=folder)
    (mine,), (theirs,) = cache.glob("*.blob"), other.glob("*.blob")
    theirs.replace(mine)
    if how == "writable by all":
        cache.chmod(0o777)
    elif how == "a link":
        cache = cache.rename(tmp_path / "elsewhere")
        (tmp_path / "cache").symlink_to(cache)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: cache.stat().st_uid + 1)
    found = OpenVinoEngine(tripled(2.0), cache_dir=tmp_path / "cache").run({"x": np.ones((1, 3), np.float32)})
    assert found["y"].tolist() == [[2.0] * 3]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
def test_a_network_of_the_cache_reads_nothing_in_the_working_folder(tmp_path: Path) -> None:
    """OpenVINO looked for weights in ``.bin``, and waited for ever for a pipe of that name."""
    code = (
        "import sys, numpy as np\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "import foreign_models as foreign\nfrom rtswap.engines.openvino import OpenVinoEngine\n"
        "content = foreign.file([foreign.node('Mul', 'x w', 'y')], {'x': [1, 3]}, {'y': [1, 3]},"
        " {'w': np.full(3, 2, np.float32)})\n"
        "for _ in range(2):\n"
        "    OpenVinoEngine(content, cache_dir=Path('cache'))\n"
        "    print(len(list(Path('cache').glob('*.blob'))))\n"
        "    if not Path('.bin').exists(): __import__('os').mkfifo('.bin')"
    )
    command = [sys.executable, "-P", "-c", code, str(ROOT / "tests/helpers")]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1\n1\n"
