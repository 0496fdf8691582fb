"""Neither rtswap nor the libraries it loads open a socket on their own."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from people import group
from PIL import Image as Picture
from processes import run_python
from requirements import need_namespace
from wire import REFUSED

from rtswap.core.errors import InputError
from rtswap.disclosure.manifest import read_manifest
from rtswap.networks.registry import cache_folder

ROOT = Path(__file__).resolve().parents[2]
WIRE = ROOT / "tests/helpers/wire.py"
RUNTIMES = ("onnxruntime", "openvino")
LOADS_BOTH = """
import rtswap.engines.onnxruntime, rtswap.engines.openvino
from importlib import resources
model = resources.files("rtswap").joinpath("assets/recognition.onnx").read_bytes()
kept = [rtswap.engines.onnxruntime.OnnxRuntimeEngine(model), rtswap.engines.openvino.OpenVinoEngine(model)]
"""
EVERY_COMMAND = """
import os, signal, sys, threading
from rtswap.commands.main import main
persona, cpu = ["-s", "persona:vera", "-q"], ["--engine", "onnxruntime"]
for args in (
    ["doctor"], ["cameras"], ["personas"], ["config"], ["forget", "--all"], ["models"], ["completion", "bash"],
    [*persona, "-i", "people.png", "-o", "swapped.png"],
    [*persona, "-i", "people.png", "-o", "again.mkv"],
    ["verify", "swapped.png"], ["inspect", "people.png", "--output", "seen", *cpu],
    ["extract", "people.png", "--out", "faces"],
    ["eval", "--sources", ".", "--pairs", "1", "--i-have-consent", "--out", "judged", *cpu],
    ["train", "df", "--data", "faces", "--data", "faces", "--out", "run", "--minutes", "0"],
    ["bench", "--engine", "onnxruntime", "--streams", "1", "--seconds", "0.1"],
    ["studio", "--port", "0"],
):
    if args[0] == "studio":
        threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()
    print(args, main(args), file=sys.stderr)
"""


def recorded(folder: Path, code: str) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """What a fresh user's ``python -c code`` sends, a line a packet. Skips where that cannot be recorded."""
    log, home = folder / "wire.log", folder / "home"
    log.touch()
    home.mkdir()
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_"))}
    environ |= {"HOME": str(home), "RTSWAP_CACHE": str(cache_folder()), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(WIRE), str(log), sys.executable, "-P", "-c", code],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    need_namespace(done.returncode, done.stderr)
    return log.read_text().splitlines(), done


def test_sent_packets_are_recorded(tmp_path: Path) -> None:
    """The recorder itself: a look-up and a connection, each to nowhere."""
    code = (
        "import socket\ns = socket.socket(); s.setblocking(False); s.connect_ex(('203.0.113.9', 443))\n"
        "u = socket.socket(type=socket.SOCK_DGRAM)\n"
        "u.sendto(bytes(12) + b'\\x07example\\x03org\\x00\\x00\\x01\\x00\\x01', ('203.0.113.53', 53))\n"
    )
    lines, _ = recorded(tmp_path, code)
    assert lines == ["tcp 203.0.113.9 443", "udp 203.0.113.53 53 example.org"]


def test_the_suite_can_run_without_a_network() -> None:
    """``make test`` does: only this machine itself is reached."""
    code = (
        "import os, socket\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    socket.create_connection(server.getsockname()).close()\n"
        "try: socket.create_connection(('203.0.113.9', 443), 5)\n"
        "except OSError as error: print(error.strerror, os.getuid())\n"
    )
    done = subprocess.run(
        [sys.executable, str(WIRE.with_name("offline.py")), sys.executable, "-c", code],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    need_namespace(REFUSED if "running with the network" in done.stderr else 0, done.stderr)
    assert done.stdout == f"Network is unreachable {os.getuid()}\n"


def test_loading_the_runtimes_sends_nothing_and_keeps_no_id(tmp_path: Path) -> None:
    lines, done = recorded(tmp_path, LOADS_BOTH)
    assert done.returncode == 0, done.stderr
    assert lines == []
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert kept == [], "a library keeps something that tells this user from others"


def test_no_command_sends_anything(tmp_path: Path) -> None:
    import cv2

    assert cv2.imwrite(str(tmp_path / "people.png"), group("ada"))
    lines, done = recorded(tmp_path, EVERY_COMMAND)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "swapped.png").exists()
    assert "['studio', '--port', '0'] 0" in done.stderr
    assert lines == []


@pytest.mark.parametrize(
    "asked",
    ["import rtswap.engines.onnxruntime", "from rtswap.commands.doctor.checks import check_engines as f; f()"],
)
def test_telemetry_is_off_before_onnxruntime_loads(asked: str) -> None:
    """Its first event comes only after 10 to 20 s: too long to wait for in a test."""
    code = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'onnxruntime': print('loads', os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        f"sys.meta_path.insert(0, Watch())\n{asked}"
    )
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    assert run_python(code, env=environ).stdout == "loads 1\n"


def test_openvinos_reporter_is_not_loaded_and_not_taken_from_others() -> None:
    code = (
        "import sys\nimport rtswap.engines.openvino\n"
        "print([name for name in sys.modules if 'openvino_telemetry' in name])\n"
        "import openvino_telemetry\nprint(openvino_telemetry.__name__)\n"
    )
    assert run_python(code).stdout == "[]\nopenvino_telemetry\n"


def test_no_manifest_is_fetched_from_where_a_picture_says(tmp_path: Path) -> None:
    """The library for manifests alone does: whoever made the file would learn who looks at it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.c2pa"
        xmp = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" '
            f'dcterms:provenance="{address}"/></rdf:RDF></x:xmpmeta>'
        )
        Picture.new("RGB", (64, 64)).save(tmp_path / "a.jpg", xmp=xmp.encode())
        with pytest.raises(InputError, match="must fetch remote manifests"):
            read_manifest(tmp_path / "a.jpg")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def loud_imports(tree: ast.AST, quiet: bool = False) -> Iterator[int]:
    """Lines that import a runtime outside ``with no_telemetry():``."""
    for node in ast.iter_child_nodes(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if not quiet and any(name.split(".")[0] in RUNTIMES for name in names):
            yield node.lineno  # type: ignore[attr-defined]
        inside = isinstance(node, ast.With) and any(
            ast.unparse(item.context_expr) == "no_telemetry()" for item in node.items
        )
        yield from loud_imports(node, quiet or inside)


def test_every_import_of_a_runtime_is_quiet() -> None:
    folders = ("rtswap", "scripts", "benchmarks", "training")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 200
    loud = [
        f"{path.relative_to(ROOT)}:{line}" for path in files for line in loud_imports(ast.parse(path.read_text()))
    ]
    assert loud == []


def test_a_loud_import_is_noticed() -> None:
    assert list(loud_imports(ast.parse("def f():\n    import onnxruntime.capi"))) == [2]
    assert list(loud_imports(ast.parse("with no_telemetry():\n    import openvino as ov"))) == []
