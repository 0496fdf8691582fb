"""``rtswap doctor`` reports what is missing and how to fix it, and fails only if the default job cannot run."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import Mock

import foreign_models as foreign
import pytest

from rtswap.app.console import Console
from rtswap.commands.doctor import checks, report
from rtswap.commands.doctor.checks import Finding, State
from rtswap.core.errors import InputError
from rtswap.core.isolation import pip_install
from rtswap.networks.model_store import add


def fixed(*findings: Finding) -> list[checks.Check]:
    return [lambda finding=finding: [finding] for finding in findings]  # type: ignore[misc]


def outputs(package: State, driver: State, window: State) -> list[Finding]:
    return [
        Finding("Virtual camera", package, "x"),
        Finding("Virtual camera driver", driver, "x"),
        Finding("Preview window", window, "x"),
    ]


@pytest.mark.parametrize(("state", "code"), [(State.OK, 0), (State.NOTE, 0), (State.MISSING, 1)])
def test_exit_code(state: State, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.examine(Console(), fixed(Finding("X", state, "found", "sudo mend"))) == code
    out = capsys.readouterr().out
    assert "sudo mend" in out
    assert ("Ready" in out) == (code == 0)


@pytest.mark.parametrize(
    ("states", "enough"),
    [
        ((State.OK, State.OK, State.NOTE), True),
        ((State.NOTE, State.NOTE, State.OK), True),
        ((State.OK, State.NOTE, State.NOTE), False),
        ((State.NOTE, State.OK, State.NOTE), False),
    ],
)
def test_default_job_needs_a_virtual_camera_or_a_window(states: tuple[State, State, State], enough: bool) -> None:
    verdict = report.outputs_verdict(outputs(*states))
    assert (verdict is None) == enough
    if verdict is not None:
        assert verdict.state is State.MISSING
        assert "--output" in verdict.mend


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.examine(Console(json=True), fixed(Finding("X", State.MISSING, "né", "mend"))) == 1
    found = json.loads(capsys.readouterr().out)
    assert found == {"ok": False, "checks": [{"name": "X", "state": "missing", "found": "né", "mend": "mend"}]}


def test_quiet_leaves_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.examine(Console(quiet=True), fixed(Finding("X", State.MISSING, "x"))) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("reason", "mend"),
    [
        ("libGL.so.1: cannot open shared object file: No such file or directory", "sudo apt install libgl1"),
        ("No module named 'av'", f"{pip_install('--force-reinstall .')} (in the folder with rtswap's source)"),
    ],
)
def test_a_package_that_does_not_import_is_a_finding(reason: str, mend: str) -> None:
    def check_some_thing() -> list[Finding]:
        raise ImportError(reason)

    finding = report.carefully(check_some_thing)[0]
    assert (finding.name, finding.state, finding.found) == ("Some thing", State.MISSING, reason)
    assert mend in finding.mend


def test_brackets_in_what_was_found_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    report.examine(Console(), fixed(Finding("[bold]X", State.NOTE, "[red]text[/nonsense]", "pip install 'x[y]'")))
    out = capsys.readouterr().out
    assert "[bold]X" in out
    assert "[red]text[/nonsense]" in out
    assert "pip install 'x[y]'" in out


def test_long_commands_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command = "sudo " + " ".join(f"word{n}" for n in range(60))
    report.examine(Console(), fixed(Finding("X", State.NOTE, "x", command)))
    assert command in capsys.readouterr().out


def loopback(folder: Path, caps: str | None) -> Path:
    module = folder / "module/v4l2loopback/parameters"
    module.mkdir(parents=True)
    if caps is not None:
        (module / "exclusive_caps").write_text(caps)
    return folder


@pytest.mark.parametrize(
    ("caps", "state", "mends"),
    [
        ("Y,N,N,N,N,N,N,N\n", State.OK, ""),
        ("1\n", State.OK, ""),
        ("N,N,N,N,N,N,N,N\n", State.NOTE, "modprobe -r v4l2loopback"),
        (None, State.NOTE, ""),
    ],
)
def test_loopback_driver(tmp_path: Path, caps: str | None, state: State, mends: str) -> None:
    package, driver = checks.check_virtual_camera(system="Linux", sys_folder=loopback(tmp_path, caps), package=True)
    assert package.state is State.OK
    assert driver.state is state
    assert mends in driver.mend


def test_loopback_driver_absent(tmp_path: Path) -> None:
    package, driver = checks.check_virtual_camera(system="Linux", sys_folder=tmp_path, package=False)
    assert "pip install pyvirtualcam" in package.mend
    assert "exclusive_caps=1" in driver.mend


@pytest.mark.parametrize("system", ["Darwin", "Windows", "FreeBSD"])
def test_other_systems_use_obs(system: str) -> None:
    driver = checks.check_virtual_camera(system=system, package=True)[1]
    assert driver.state is State.NOTE
    assert "OBS" in driver.found


def test_display() -> None:
    assert checks.check_display(system="Linux", environ={})[0].state is State.NOTE
    assert checks.check_display(system="Linux", environ={"WAYLAND_DISPLAY": "wayland-0"})[0].state is State.OK
    assert checks.check_display(system="Darwin", environ={})[0].state is State.OK


def test_a_broken_engine_reports_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    found = {finding.name: finding for finding in checks.check_engines()}
    assert found["OpenVINO"].state is State.NOTE
    assert "openvino" in found["OpenVINO"].mend
    assert found["ONNX Runtime"].state is State.OK
    assert "Engines" not in found


def test_no_engine_at_all_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("openvino", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    assert checks.check_engines()[-1].state is State.MISSING


def with_cameras(monkeypatch: pytest.MonkeyPatch, answer: list[str] | Exception) -> Finding:
    module = ModuleType("rtswap.media.cameras")

    def list_cameras() -> list[str]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    module.list_cameras = list_cameras  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rtswap.media.cameras", module)
    return checks.check_cameras()[0]


def test_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_cameras(monkeypatch, ["0: Integrated camera\n  1280x720"]).found == "0: Integrated camera"
    for none in ([], InputError("/dev/video0: permission denied")):
        finding = with_cameras(monkeypatch, none)
        assert finding.state is State.MISSING
        assert finding.mend


def test_codecs_of_this_install() -> None:
    assert checks.check_codecs()[0].state is State.OK


@pytest.mark.parametrize("blocked", ["a file is in the way", "full"])
def test_folder_that_cannot_be_used(tmp_path: Path, blocked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    if blocked == "full":
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10))
    else:
        folder.write_text("")
    finding = checks.check_folder("Model cache", folder)[0]
    assert finding.state is State.MISSING
    assert finding.mend


@pytest.mark.parametrize(("cause", "mend"), [(errno.EROFS, "Set RTSWAP_CACHE to "), (errno.EACCES, "mkdir -p ")])
def test_a_folder_on_a_disk_without_write_access_is_not_to_be_made(
    tmp_path: Path, cause: int, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", Mock(side_effect=OSError(cause, os.strerror(cause))))
    (finding,) = checks.check_folder("Model cache", tmp_path)
    assert os.strerror(cause) in finding.found
    assert finding.mend.startswith(mend)


def test_folder_is_made(tmp_path: Path) -> None:
    assert checks.check_folder("Model cache", tmp_path / "a/b")[0].state is State.OK


def test_the_real_machine_can_be_examined(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is missing here, the doctor says so and does not fall ill itself."""
    code = report.examine(Console(json=True))
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["ok"] else 1)
    assert {"Python", "CPU", "GPU", "Codecs", "Cameras", "Preview window"} <= {row["name"] for row in found["checks"]}
    for row in found["checks"]:
        assert row["found"]
        assert row["state"] != "missing" or row["mend"]


@pytest.mark.usefixtures("models")
def test_imported_models_are_read_and_damage_is_reported(tmp_path: Path) -> None:
    assert [one.found for one in report.check_imported_models()] == ["none; see rtswap models"]
    for path in foreign.write(
        tmp_path, inswapper_128=foreign.swapper("inswapper"), w600k_r50=foreign.arcface()
    ).values():
        add(path)
    assert [one.found for one in report.check_imported_models()] == ["inswapper_128, w600k_r50"]
    with (tmp_path / "models/inswapper_128/inswapper_128.onnx").open("ab") as file:
        file.write(b"more")
    damaged, good = report.check_imported_models()
    assert damaged.state is State.NOTE
    assert damaged.found == "inswapper_128: inswapper_128.onnx has changed since it was added"
    assert damaged.mend == "Run: rtswap models remove inswapper_128, and add it again."
    assert good.found == "w600k_r50"
