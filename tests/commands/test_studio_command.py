"""``rtswap studio``: where it listens, and who it lets in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from rtswap.commands.main import main

server = pytest.importorskip("rtswap.web.server", reason="aiohttp is not installed")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The addresses at which a studio would have listened."""
    seen: list[Any] = []

    def run(config: Any, address: Any, folder: Path, *, on_event: Any, ready: Any) -> None:
        seen.append((address, folder))
        ready(address)

    monkeypatch.setattr(server, "run", run)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return seen


def test_on_loopback_it_needs_no_token(begun: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studio", "--recordings", "clips"]) == 0
    address, folder = begun[0]
    assert (address.host, address.port, address.token, address.link) == (
        "127.0.0.1",
        7860,
        None,
        "http://127.0.0.1:7860/",
    )
    assert folder == Path("clips").absolute()
    assert "http://127.0.0.1:7860/" in capsys.readouterr().err


def test_elsewhere_it_has_a_new_token_and_says_that_it_is_not_encrypted(
    begun: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["studio", "--host", "0.0.0.0", "--port", "8000"]) == 0
    (first, _), (second, _) = begun
    assert len(first.token) >= 32
    assert first.token != second.token
    shown = capsys.readouterr().err
    assert f"http://localhost:8000/?token={first.token}" in shown
    assert "unencrypted" in shown
    assert first.access().any_address


def test_a_browser_is_not_started_with_the_token(begun: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """All users of a computer can read the arguments of its programs."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["studio", "--host", "0.0.0.0", "--open"]) == 0
    assert main(["studio", "--open"]) == 0
    (address, _), _ = begun
    assert opened == [f"http://localhost:7860/?token={address.own_token}", "http://127.0.0.1:7860/"]
    assert address.own_token not in (None, address.token)


@pytest.mark.parametrize("folder", ["file", "file/below", "\0"])
def test_a_folder_that_cannot_be_written_is_told_at_the_start(
    begun: list[Any], capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    Path("file").write_text("no folder")
    assert main(["studio", "--recordings", folder]) == 1
    assert not begun
    shown = capsys.readouterr().err
    assert "cannot record into" in shown
    assert "--recordings" in shown


def test_without_a_folder_it_is_videos_or_where_it_was_started(
    begun: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    videos = tmp_path / "Videos"
    monkeypatch.setattr("platformdirs.user_videos_path", lambda: videos)
    assert main(["studio"]) == 0
    videos.mkdir()
    assert main(["studio"]) == 0
    assert [folder for _, folder in begun] == [tmp_path, videos]
    videos.rmdir()
    videos.write_text("no folder")
    monkeypatch.setattr(Path, "cwd", lambda: videos)
    assert main(["studio"]) == 1
    assert "cannot record into" in capsys.readouterr().err


def test_half_a_certificate_and_a_wrong_port_are_usage_errors(begun: list[Any]) -> None:
    assert main(["studio", "--certificate", "cert.pem"]) == 2
    assert main(["studio", "--port", "70000"]) == 2
    assert not begun


def test_what_is_given_at_the_start_is_checked_there(begun: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studio", "-i", "missing.mp4"]) != 0
    assert "no such file or folder: 'missing.mp4'" in capsys.readouterr().err
    assert not begun


def test_an_address_that_does_not_exist_is_not_said_to_be_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studio", "--host", "256.1.1.1", "--port", "0"]) == 1
    shown = capsys.readouterr().err
    assert "cannot listen on 256.1.1.1" in shown
    assert "Check --host" in shown


def test_a_broken_certificate_and_a_taken_port_are_told_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    broken = tmp_path / "cert.pem"
    broken.write_text("no certificate")
    assert main(["studio", "--host", "0.0.0.0", "--certificate", str(broken), "--key", str(broken)]) == 2
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["studio", "--port", str(taken.getsockname()[1])]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 2
    assert "cannot use" in lines[0]
    assert "cannot listen on 127.0.0.1" in lines[1]
