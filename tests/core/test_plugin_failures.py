"""Whatever a plugin raises or returns, at any call, is one error that names it; nothing ends the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paths import ASSETS, ROOT

from rtswap.core import plugins
from rtswap.core.errors import InputError, ModelError, OutputError, RtswapError, UsageError
from rtswap.core.parts import InputSpec, OutputSpec, SwapperSpec
from rtswap.core.plugins import plugin
from rtswap.runtime.sender import Sender

PART = """
import sys
from rtswap.core.parts import InputSpec, OutputSpec, SwapperSpec
FAULT = {fault!r}

def may_fail(name):
    if FAULT == name + " raises":
        raise ValueError("broken on purpose\\nin two lines")
    if FAULT == name + " exits":
        sys.exit(7)
    return FAULT != name + " gives nothing"

class Part:
    name = "bad"
    def bind(self, source): return Part() if may_fail("bind") else None
    def swap(self, *given): return may_fail("swap")
    def is_like(self, other): return isinstance(other, Part)
    def frames(self):
        if not may_fail("frames"):
            return None
        return iter(self.each())
    def each(self):
        yield may_fail("each") and 7
    def send(self, marked): may_fail("send")
    def close(self): may_fail("close")

def build(*given):
    return Part() if may_fail("build") else None

def takes(address):
    may_fail("takes")
    return address.startswith("bad:")

may_fail("import")
SWAPPER = SwapperSpec("bad", "breaks", build)
INPUT = InputSpec("bad", "bad:", takes, build)
OUTPUT = OutputSpec("bad", "bad:", takes, build)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with an installed package ``badpkg``."""
    info = tmp_path / "badpkg-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: badpkg\nVersion: 1.0\n")
    groups = {"swappers": "SWAPPER", "inputs": "INPUT", "outputs": "OUTPUT"}
    points = [f"[rtswap.{group}]\nbad = bad_part:{value}\n" for group, value in groups.items()]
    (info / "entry_points.txt").write_text("".join(points))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("bad_part", None)


def use(what: str) -> None:
    """Do with the plugin what rtswap does until the call ``what``."""
    if what in ("build", "bind", "swap", "import"):
        plugin("rtswap.swappers", "bad", SwapperSpec).build(None).bind(None).swap()  # type: ignore[call-arg, arg-type]
    elif what in ("takes", "frames", "each"):
        spec: Any = plugin("rtswap.inputs", "bad", InputSpec)
        spec.takes("bad:")
        list(spec.open("bad:", None).frames())
    else:
        output: Any = plugin("rtswap.outputs", "bad", OutputSpec).open("bad:", None)  # type: ignore[arg-type]
        output.send(None)
        output.close()


CALLS = ("import", "build", "bind", "swap", "takes", "frames", "each", "send", "close")


@pytest.mark.parametrize(
    "fault",
    [f"{what} {how}" for what in CALLS for how in ("raises", "exits")]
    + [f"{what} gives nothing" for what in ("build", "bind", "frames", "each")],
)
def test_its_failure_names_it_in_one_line(fault: str, site: Path) -> None:
    (site / "bad_part.py").write_text(PART.format(fault=fault))
    what = fault.split()[0]
    kinds = {"import": UsageError, "takes": InputError, "frames": InputError, "each": InputError}
    kind = OutputError if what in ("send", "close") else kinds.get(what, ModelError)
    with pytest.raises(kind, match=r"\A[^\n]*the plugin bad of the package badpkg[^\n]*\Z"):
        use(what)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarms")
def test_an_import_that_hangs_is_given_up(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "LOADING_S", 0.1)
    (site / "bad_part.py").write_text("import time\ntime.sleep(9)\n")
    began = time.monotonic()
    with pytest.raises(
        UsageError, match=r"cannot load the plugin bad of .*; got TimeoutError: it took longer than 0\.1 s"
    ):
        plugin("rtswap.inputs", "bad", InputSpec)
    assert time.monotonic() - began < 5
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.parametrize("code", [None, "", "raise ValueError('no')", "raise SystemExit('\\x1b[2J')"])
def test_a_package_of_networks_that_is_not_there_or_breaks_is_named(code: str | None, site: Path) -> None:
    """Python imports the packages around the one that lists the networks."""
    with (site / "badpkg-1.0.dist-info/entry_points.txt").open("a") as points:
        points.write("[rtswap.networks]\nbad = bad_part.networks\n")
    if code is not None:
        (site / "bad_part.py").write_text(code)
    with pytest.raises(UsageError, match=r"\A[^\n]*cannot load the plugin bad of the package badpkg[^\n]*\Z"):
        list(plugins.plugin_folders("rtswap.networks"))


def test_what_looks_like_ctrl_c_in_a_thread_of_an_output_is_its_failure(site: Path) -> None:
    (site / "bad_part.py").write_text(
        PART.replace("sys.exit(7)", "raise KeyboardInterrupt").format(fault="send exits")
    )
    output: Any = plugin("rtswap.outputs", "bad", OutputSpec).open("bad:", None)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        output.send(None)
    failures: list[BaseException] = []

    def failed(_: Sender, error: BaseException) -> None:
        failures.append(error)

    sender = Sender(output, live=False, repeat=lambda one: one, sent=lambda *_: None, failed=failed)
    sender.start()
    sender.box.put(object())  # type: ignore[arg-type]
    sender.finish(5)
    assert [type(error) for error in failures] == [OutputError]


def test_a_part_that_is_incomplete_is_one_error_and_still_lacks_what_it_lacks(site: Path) -> None:
    (site / "bad_part.py").write_text(PART.format(fault=""))
    model: Any = plugin("rtswap.swappers", "bad", SwapperSpec).build(None)  # type: ignore[arg-type]
    assert model.name == "bad"
    assert not hasattr(model, "batch")
    with pytest.raises(RtswapError, match="badpkg does not work; got a Part without batch"):
        _ = model.batch


def test_a_part_knows_its_own_kind(site: Path) -> None:
    """A swapper that swaps several faces at once is given the others."""
    (site / "bad_part.py").write_text(PART.format(fault=""))
    build: Any = plugin("rtswap.swappers", "bad", SwapperSpec).build
    assert build(None).is_like(build(None))
    assert not build(None).is_like("bad")


def test_an_output_that_exits_neither_hangs_nor_ends_the_run_in_silence(site: Path, tmp_path: Path) -> None:
    (site / "bad_part.py").write_text(PART.format(fault="send exits"))
    clip = ASSETS / "personas/ben.jpg"
    words = ["-s", "persona:ada", "-i", str(clip), "-o", "bad:", "-o", str(tmp_path / "out.png")]
    done = subprocess.run(
        [sys.executable, "-m", "rtswap", *words], capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": f"{site}:{ROOT}", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 1
    assert (
        done.stderr.strip().splitlines()[-1].startswith("rtswap: the plugin bad of the package badpkg failed in send")
    )
    assert (tmp_path / "out.png").exists()
