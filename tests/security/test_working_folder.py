"""Code in the working folder is never run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from people import group
from processes import run_python

from rtswap.core.isolation import leave_working_folder, program, python, trusted

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = (
    "av",
    "c2pa",
    "cryptography",
    "cv2",
    "joblib",
    "lz4",
    "numpy",
    "onnx",
    "onnxruntime",
    "openvino",
    "platformdirs",
)
INSTALLED += ("psutil", "pyvirtualcam", "rich", "torch", "sitecustomize", "usercustomize")

PROGRAMS = ("uname", "nvidia-smi", "modinfo", "ldconfig", "gcc", "sh")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture, a module of every name there is, and programs; each leaves a file RAN_its_name."""
    folder = tmp_path_factory.mktemp("hostile")
    loaded = subprocess.run(  # by Python itself for `python -m`, before any code of ours
        [sys.executable, "-P", "-c", "import runpy, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in (*INSTALLED, *sorted(set(sys.stdlib_module_names) - set(loaded))):
        (folder / f"{name}.py").write_text(f"open('RAN_{name}', 'w')\n")
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\n>RAN_{name}\n")
        (folder / name).chmod(0o755)
    assert (folder / "json.py").exists()
    assert cv2.imwrite(str(folder / "people.png"), group("ada"))
    return folder


def ran(folder: Path, *args: str, **environ: str) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """Which modules of the folder Python ran there. The checkout is on the path, as if rtswap were installed."""
    done = subprocess.run(
        [sys.executable, *args], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return sorted(path.name for path in folder.glob("RAN_*")), done


def test_the_folder_bites(hostile: Path, tmp_path: Path) -> None:
    """Python alone, started as usual, does run what lies there."""
    (tmp_path / "numpy.py").write_text((hostile / "numpy.py").read_text())
    assert ran(tmp_path, "-c", "import numpy")[0] == ["RAN_numpy"]


@pytest.mark.parametrize(
    "args",
    [
        "doctor",
        "config",
        "-q -s persona:vera -i people.png -o udp://127.0.0.1:5998",
        "-q -s persona:vera -i people.png -o swapped.png -o clip.mkv -y --log run.log",
        "verify people.png",
    ],
)
def test_no_command_runs_it(hostile: Path, args: str) -> None:
    """As ``python -m rtswap``, the way with the working folder in front, which is in ``PATH`` as well."""
    found, done = ran(hostile, "-m", "rtswap", *args.split(), PATH=f".:{os.environ['PATH']}:")
    assert found == []
    assert done.returncode in (0, 1, 3), done.stderr  # 3: verify found no mark
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_search_for_a_screen_does_not_run_it(hostile: Path) -> None:
    """The console script, whose own path is clean: the child is what looked in the working folder."""
    code = (
        "import sys\nfrom rtswap.media.outputs.window import available\nprint('no window can' in available()[1])\n"
        "print('cv2' in sys.modules)"
    )
    found, done = ran(hostile, "-P", "-c", code, DISPLAY=":99", WAYLAND_DISPLAY="")
    assert found == []
    assert done.stdout.split()[-1:] == ["True"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the loader of Linux")
@pytest.mark.parametrize("first", ["rtswap, cv2", "cv2, rtswap"])
def test_no_child_loads_a_library_of_it(first: str, tmp_path: Path) -> None:
    """OpenCV changes ``LD_LIBRARY_PATH``, so that the loader looked there."""
    (tmp_path / "libc.so.6").write_bytes(b"hostile")
    code = f"import {first}, subprocess\nraise SystemExit(subprocess.run(['uname']).returncode)"
    _, done = ran(tmp_path, "-P", "-c", code, LD_LIBRARY_PATH="")
    assert (done.returncode, done.stderr) == (0, "")


LOADS = """
import os, sys
from pathlib import Path
here = os.getcwd()
def watch(event, given):
    if event == "ctypes.dlopen" and os.sep in str(given[0]) and os.path.realpath(str(given[0])).startswith(here):
        print("loads", given[0])
sys.addaudithook(watch)
from rtswap.commands.main import main
print(main(["-q", "-s", "persona:vera", "-i", "people.png", "-o", "swapped.png"]))
"""
LIBRARIES = ("libc2pa_c.so", "libcuda.so.1", "libnvidia-ml.so.1", "libtbb.so.12", "libonnxruntime.so", "libva.so.2")


def test_no_command_loads_a_library_of_it(tmp_path: Path) -> None:
    """As Python loads them: c2pa looked in the working folder before its own."""
    assert cv2.imwrite(str(tmp_path / "people.png"), group("ada", size=320))
    for folder in (".", "libs", "artifacts"):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in LIBRARIES:
            (tmp_path / folder / name).write_bytes(b"hostile")
    _, done = ran(tmp_path, "-P", "-c", LOADS)
    assert done.stdout == "0\n", done.stderr
    assert (tmp_path / "swapped.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="wheels for Windows use its own TLS")
def test_the_encryption_of_streams_is_not_set_where_anybody_writes() -> None:
    """GnuTLS of PyAV's wheels looked in /tmp/vendor, where it was built."""
    code = "import os, rtswap\nprint(os.environ['GNUTLS_SYSTEM_PRIORITY_FILE'])"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GNUTLS")}
    assert run_python(code, env=environ).stdout == "/etc/gnutls/config\n"


def test_packages_read_no_settings_in_it(tmp_path: Path) -> None:
    """A ``matplotlibrc`` had texts set by LaTeX, with the preamble that it gives."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    code = (
        "import numpy as np\nfrom rtswap.drawing.chart import Chart, Curve, draw_charts\n"
        "curve = Curve('', [1, 2, 3], (0, 0, 0))\n"
        "draw_charts('', '', [[Chart('', [curve], np.arange(3))]], (400, 300))\n"
        "import matplotlib\nprint(matplotlib.rcParams['text.usetex'])"
    )
    _, done = ran(tmp_path, "-P", "-c", code)
    assert done.stdout == "False\n", done.stderr


def test_children_import_what_their_parent_imports(tmp_path: Path) -> None:
    code = (
        "import subprocess, rtswap, cv2\nfrom rtswap.core.isolation import python\n"
        "child = python('import rtswap, cv2; print(rtswap.__file__, cv2.__file__)')\n"
        "print(rtswap.__file__, cv2.__file__, flush=True)\nsubprocess.run(child, check=True)"
    )
    for folder in (tmp_path, ROOT):
        _, done = ran(folder, "-c", code)
        mine, childs = done.stdout.splitlines()
        assert mine == childs


def test_the_working_folder_leaves_the_path_by_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, link = tmp_path / "work", tmp_path / "link"
    work.mkdir()
    link.symlink_to(work)
    monkeypatch.chdir(work)
    (work / "sub").mkdir()
    names = ["", ".", "sub", str(work), str(link), f"{work}/../work", str(tmp_path)]
    assert trusted(names) == [str(tmp_path), str(ROOT)]


def test_empty_entries_do_not_mean_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``$PATH:/more`` and ``$PYTHONPATH:/more`` leave them where nothing was set."""
    monkeypatch.chdir(tmp_path)
    for entry in ("", "."):
        monkeypatch.setattr(sys, "path", [str(tmp_path), "/more"])
        monkeypatch.setenv("PYTHONPATH", f"{entry}:/more")
        monkeypatch.setenv("PATH", f"{entry}:/more")
        leave_working_folder()
        assert str(tmp_path) not in sys.path
        assert os.environ["PATH"] == "/more"
    monkeypatch.setenv("PATH", ".")
    leave_working_folder()
    assert os.environ["PATH"] == os.defpath
    monkeypatch.setattr(sys, "path", [str(tmp_path), "__editable__.some.finder.__path_hook__"])
    monkeypatch.setenv("PYTHONPATH", "/more")
    leave_working_folder()
    assert sys.path == [str(tmp_path)], "that of a package that is developed there"


def test_folders_of_rtswap_and_python_stay_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert trusted([""]) == [str(ROOT)]
    standard = str(Path(os.__file__).resolve().parent)
    monkeypatch.chdir(standard)
    assert standard in trusted([standard])


def test_programs_are_not_taken_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "tool-of-nobody"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", f":{os.defpath}", str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        assert program("tool-of-nobody") is None
    monkeypatch.chdir("/")
    assert program("tool-of-nobody") == str(tool)


def test_python_is_started_in_one_way() -> None:
    """Whoever writes ``sys.executable`` elsewhere has to think of the working folder again."""
    users = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "rtswap").rglob("*.py"))
        if any(
            isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert users == ["rtswap/core/isolation.py"]
    assert python("pass")[1] == "-P"
