"""One-shot systems from files: bound once, given what they ask for, refused if they are something else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from foreign_models import FLOAT
from imported_swappers import ENGINES, Counted
from people import person, place_mesh, swap_face
from system_files import (
    PIXELS,
    SIDE,
    assisted_system,
    bind_graph,
    describe,
    frame_graph,
    plain_system,
    write_pack,
)

from rtswap.commands.main import main
from rtswap.core.errors import ModelError
from rtswap.core.types import SourceIdentity
from rtswap.networks.catalog import imported_models
from rtswap.networks.installed_models import list_installed, verify
from rtswap.networks.model_store import add
from rtswap.networks.registry import Registry
from rtswap.source.personas import persona_photo
from rtswap.swappers import swapper_spec
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.one_shot.swapper import BoundGraph, OneShotSwapModel

pytestmark = pytest.mark.usefixtures("models")


def opened(name: str, engine: str = "onnxruntime") -> tuple[BoundGraph, Counted]:
    counted = Counted(ENGINES[engine](Registry().path(name).read_bytes()))
    return BoundGraph(counted, imported_models()[name]), counted


def known(source: SourceIdentity) -> SourceIdentity:
    def identity(space: str) -> np.ndarray:
        assert space == "rtswap"
        return np.eye(1, 128, dtype=np.float32)[0]

    return SourceIdentity(source.portrait, source.landmarks, identity=identity)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_the_source_is_bound_once_and_every_face_gets_its_colour(engine: str, tmp_path: Path) -> None:
    add(plain_system(tmp_path / "trial.rtswap"))
    (frame, frames), (bind, binds) = opened("trial", engine), opened("trial-bind", engine)
    swapper = OneShotSwapModel(frame, bind).bind(known(person("ada")))
    picture = np.full((480, 640, 3), 90, np.uint8)
    for _ in range(3):
        result, _ = swap_face(swapper, picture, place_mesh(200, (320, 240)))
    assert len(binds.inputs) == 1
    assert len(frames.inputs) == 3
    mean = binds.inputs[0]["photo"][0].reshape(-1, 3).mean(0)
    assert np.abs(result.crop.astype(float) - mean).max() <= 1
    mask, size = result.mask, len(result.mask)
    assert mask[size // 2 + size // SIDE + 1 :].max() == 240, "the graph's own mask is weaker below"
    assert mask[: size // 2].max() == 255


def test_an_assisted_system_sees_what_mesh_makes(tmp_path: Path) -> None:
    add(assisted_system(tmp_path / "helped.rtswap"))
    frame, frames = opened("helped")
    source, picture = person("ada"), np.full((480, 640, 3), 90, np.uint8)
    swapper = OneShotSwapModel(frame, None, MeshSwapModel()).bind(source)
    swap_face(swapper, picture, place_mesh(200, (320, 240)))
    warped = frames.inputs[0]["warped"][0]
    assert warped.std() > 2, "a face, not the flat picture"
    points = frames.inputs[0]["points"][0]
    assert 10 < points[:, 0].mean() < 54


def test_a_file_is_played_by_its_path_and_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = plain_system(tmp_path / "any.rtswap"), tmp_path / "out.png"
    picture = tmp_path / "in.png"
    cv2.imwrite(str(picture), cv2.imread(str(persona_photo("ben"))))
    words = [str(picture), str(out), "--source", "persona:ada", "--engine", "onnxruntime", "--no-badge", "-y"]
    for _ in range(2):
        assert main([*words, "--swapper", str(path)]) == 0, capsys.readouterr().err
        assert [model.name for model in list_installed()] == ["any"]
    assert not any(map(verify, list_installed()))
    assert swapper_spec("any").needs_source
    first = cv2.imread(str(out))
    assert main([*words, "--swapper", "any"]) == 0, capsys.readouterr().err
    assert np.array_equal(first, cv2.imread(str(out)))


GRAPHS = {"frame.onnx": describe(frame_graph(), "frame"), "bind.onnx": describe(bind_graph(), "bind")}


def asking(name: str, shape: list[int | str], kind: int = PIXELS) -> dict[str, bytes]:
    """A file whose graph has one more input."""
    model = onnx.load_from_string(frame_graph())
    kept = [port for port in model.graph.input if port.name != name]
    del model.graph.input[:]
    model.graph.input.extend([*kept, onnx.helper.make_tensor_value_info(name, kind, shape)])
    return {"frame.onnx": describe(model.SerializeToString(), "frame")}


def with_ports(count: int) -> dict[str, bytes]:
    """A file whose graph has so many more inputs."""
    model = onnx.load_from_string(frame_graph())
    model.graph.input.extend(onnx.helper.make_tensor_value_info(f"i{n}", FLOAT, [1]) for n in range(count))
    return {"frame.onnx": describe(model.SerializeToString(), "frame")}


FAULTS = {
    "no zip": b"not a zip",
    "empty": {},
    "a folder in it": {"a/frame.onnx": GRAPHS["frame.onnx"]},
    "a way out": {"../frame.onnx": GRAPHS["frame.onnx"]},
    "something else in it": {**GRAPHS, "run.py": b"print()"},
    "graphs without metadata": {"frame.onnx": frame_graph()},
    "graphs of two systems": {**GRAPHS, "bind.onnx": describe(bind_graph(), "bind", system="other")},
    "an unknown template": {"frame.onnx": describe(frame_graph(), "frame", template="none")},
    "exchanged graphs": {"frame.onnx": GRAPHS["bind.onnx"], "bind.onnx": GRAPHS["frame.onnx"]},
    "too many graphs": {f"g{n}.onnx": describe(frame_graph(), f"g{n}") for n in range(9)},
    "a picture without sides": asking("face", []),
    "a picture in grey": asking("face", [1, SIDE, SIDE]),
    "a picture that is not square": asking("face", [1, SIDE, 2 * SIDE, 3]),
    "a picture of 200 megabytes": asking("face", [1, 8192, 8192, 3]),
    "a picture in floating point": asking("face", [1, SIDE, SIDE, 3], FLOAT),
    "pictures of two sizes": asking("warped", [1, SIDE // 2, SIDE // 2, 3]),
    "another number of landmarks": asking("points", [1, 10, 3], FLOAT),
    "another length of an embedding": asking("embedding", [1, 512], FLOAT),
    "50,000 inputs, for which a run took a minute": with_ports(50_000),
    "an input with a name of 5 MB": asking("y" * 5_000_000, [1]),
    "a system with a name of 10 MB": {"frame.onnx": describe(frame_graph(), "frame", system="x" * 10_000_000)},
    "a system that steers the terminal": {"frame.onnx": describe(frame_graph(), "frame", system="\x1b]0;x\x07")},
    "a part that is no name of a network": {"Größe.onnx": describe(frame_graph(), "Größe")},
    "a cut graph": {"frame.onnx": GRAPHS["frame.onnx"][:-300]},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_system_is_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    path, content = tmp_path / "x.rtswap", FAULTS[fault]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_pack(path, content)
    with pytest.raises(ModelError, match=r"x\.rtswap|frame\.onnx") as refused:
        add(path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1200
    assert not list_installed()


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "x.rtswap", GRAPHS, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="compressed"):
        add(path)


def test_a_graph_without_its_input_and_a_picture_that_is_not_finite_are_faults(tmp_path: Path) -> None:
    add(plain_system(tmp_path / "trial.rtswap"))
    frame, counted = opened("trial")
    with pytest.raises(ModelError, match="colour"):
        frame.run({"face": np.zeros((1, 64, 64, 3), np.uint8)})
    bind, _ = opened("trial-bind")
    swapper = OneShotSwapModel(frame, bind).bind(known(person("ada")))
    swapper.given["colour"][:] = np.nan  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="not finite"):
        swap_face(swapper, np.full((480, 640, 3), 90, np.uint8), place_mesh(200, (320, 240)))
    assert counted.inputs
