"""Secrets in addresses are never printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_files import make_clip, mark_picture
from tls_front import web

from rtswap.commands.main import main
from rtswap.core.parts import OutputRequest
from rtswap.core.urls import hide_secrets, redact
from rtswap.core.web import Web
from rtswap.media.outputs import open_output
from rtswap.media.outputs.video import VideoWriter

SECRET = "gEh31mQ9xz7"
HIDING_PLACES = [
    "rtsp://user:{}@cam/s1",
    "rtsp://{}@cam/s1",
    "rtsp://user:a/{}@cam/s1",
    "rtsp://user:12/{}@cam/s1",
    "rtsp://user:12?{}@cam/s1",
    "rtsp://user:12#{}@cam/s1",
    "rtsp://cam/{}",
    "rtsp://cam/live/{}",
    "rtmp://host/app/{}",
    "rtmps://host/app/inst/{}",
    "RTMP://host/app/{}",
    "rtmpt://host/app/{}",
    "http://host/hls/{}/live.m3u8",
    "https://host/live;token={}/a.mp4",
    "https://host/{}",
    "https://host/{}.mp4",
    "https://host/a.mp4?{}",
    "https://host/a.mp4?k={}",
    "https://host/a.mp4?x-amz-signature={}&b=1",
    "https://host/a.mp4?{}=1",
    "https://host/a.mp4?a=1;key={}",
    "https://host/a.mp4#{}",
    "https://host/a.mp4?mode=caller%26{}",
    "srt://host:9000?passphrase={}",
    "srt://host:9000?streamid=#!::r={},m=publish",
    "srt://host:9000?mode={}=",
    "udp://host:1?localaddr={}",
    "http://ho st:{}/x",
    "http://[::1/{}",
]


@pytest.mark.parametrize("place", HIDING_PLACES)
def test_it_is_not_shown(place: str) -> None:
    shown = redact(place.format(SECRET))
    assert SECRET not in shown
    assert "***" in shown or "#" in place
    assert shown.lower().startswith(place.split(":")[0].lower() + "://")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmp://host/app/geheim", "rtmp://host/app/***"),  # a key may be a word
        ("https://host/live/geheim/a.mp4", "https://host/live/***/a.mp4"),
        (
            "rtsp://user:12/geheim@cam/s1",
            "rtsp://***",
        ),  # a password with a slash: what is before it looks like a port
        ("rtsp://geheim wort/s1", "rtsp://***"),
        ("https://host/a.mp4?mode=geheim-", "https://host/a.mp4?mode=***"),
    ],
)
def test_only_what_is_harmless_is_shown(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/a", "http://127.0.0.1/{}/a b"])
def test_what_python_says_of_an_address_is_not_passed_on(url: str) -> None:
    """It repeats a part; also for who uses rtswap from Python."""
    with pytest.raises(OSError, match="an invalid address"):
        Web(limit_s=1).get(url.format(SECRET))


def test_a_stream_has_a_name_without_secrets() -> None:
    output = open_output(f"rtmp://127.0.0.1:9/live/{SECRET}", OutputRequest(fps=25))
    assert output.name == "rtmp://127.0.0.1:9/live/***"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/clip_5fps.mp4", "udp://239.0.0.1:1234", "rtmp://live.example/app", "rtsp://cam/s1"]
)
def test_what_tells_addresses_apart_is_shown(url: str) -> None:
    assert redact(url) == url


def test_internal_errors_hide_it_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a traceback, in which nothing steers the terminal."""
    monkeypatch.setattr("sys.excepthook", None)
    for debug in ([], ["--debug"]):
        main(["version", f"http://u:{SECRET}@h/a", *debug])
        error = ValueError(f"\x1b[2J {SECRET}")
        sys.excepthook(ValueError, error, None)
        told = capsys.readouterr().err
        assert "rtswap: internal error: ValueError: ?[2J ***. This is a bug" in told
        assert SECRET not in told
        assert "\x1b" not in told


@given(st.text(max_size=60))
def test_it_never_raises(text: str) -> None:
    assert redact(text) is not None
    assert redact(f"http://{text}").startswith("http://")


def test_messages_show_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip("clip.mp4", 2)
    for args in (
        ["-i", f"http://127.0.0.1:9/{SECRET}/a.mp4", "-o", "null"],
        ["-i", "clip.mp4", "-o", f"rtmp://127.0.0.1:9/live/{SECRET}"],
        ["-i", "clip.mp4", "-o", f"nothing://127.0.0.1:9/{SECRET}"],
        ["verify", f"http://u:{SECRET}@127.0.0.1:9/a.mp4"],
        ["-i", f"rtmp:/127.0.0.1/live/{SECRET}", "-o", "null"],
        ["-i", "clip.mp4", "-o", f"rtmp:/127.0.0.1/live/{SECRET}"],
        ["verify", f" http://u:{SECRET}@127.0.0.1:9/a.mp4"],
        ["inspect", f"http://u:{SECRET}@127.0.0.1:9/a.mp4"],
        ["extract", f"http://127.0.0.1:9/{SECRET}/a.mp4", "--out", "faces"],
        ["models", "add", f"http://u:{SECRET}@127.0.0.1:9/a.onnx"],
        ["inspect", "--source", f"http://u:{SECRET}@127.0.0.1:9/a.jpg", "--debug"],
        ["inspect", "clip.mp4", "-o", f"http://u:{SECRET}@127.0.0.1:9/a/b"],
        ["-i", "clip.mp4", "-o", "null", "--swap", f"left=http://u:{SECRET}@127.0.0.1:9/a.jpg"],
        ["-i", f"http://127.0.0.1:9/{SECRET}/a b.mp4", "-o", "null"],
        ["-i", "clip.mp4", "-o", "null", "--swap", f"http://u:{SECRET}\\@127.0.0.1:9/a=persona:vera"],
        ["-i", "clip.mp4", "-o", "null", "-s", f"http://u:{SECRET}@127.0.0.1:9/a.jpg"],
        ["-i", "clip.mp4", "-o", "null", "--metrics", f"http:/127.0.0.1/{SECRET}"],
        ["-i", "clip.mp4", "-o", f"http:/127.0.0.1/{SECRET}/a.mp4"],
        ["extract", f"http:/127.0.0.1/{SECRET}/a.mp4", "--out", "faces"],
    ):
        source = ["-s", "persona:vera"] if args[0] == "-i" and not {"--swap", "-s"} & set(args) else []
        log = ["--log", "run.log", "--i-have-consent"] if args[0] == "-i" else []
        monkeypatch.setattr("sys.argv", ["rtswap", *args])
        assert main([*args, *source, *log]) != 0
        told = capsys.readouterr()
        assert SECRET not in told.out + told.err
    assert "no such file: http:/" in Path("run.log").read_text()
    assert SECRET not in Path("run.log").read_text()
    (tmp_path / "rtswap.toml").write_text(f"[output]\nto = {json.dumps([f'rtmp://h/app/{SECRET}'])}\n")
    assert main(["-s", "persona:vera", "-i", "clip.mp4"]) == 2
    assert SECRET not in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        'input = "rtsp://u:{}@cam/s1"',
        'output = ["rtmp://host/app/{}"]',
        '[input]\naddress = "https:/u:{}@host/a.mp4"',
        '[input]\naddress = "http//u:{}@host/a.mp4"',
        '[input]\naddress = "rtsp:/cam/live/{}"',
        '[output]\nto = ["rtmp:/host/app/{}"]',
        '[input]\naddress = "https:/u:{}@host/a.mp4"\n[broken',
    ],
)
def test_a_mistake_in_the_own_settings_shows_none(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an address with a secret belongs: as a flag, every user of the computer sees it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "rtswap").mkdir()
    (tmp_path / "rtswap" / "rtswap.toml").write_text(line.format(SECRET) + "\n")
    to = [] if "output" in line else ["-o", "null"]
    given = ["-i", "gone.mp4"] if "output" in line else []
    for more in ([], ["--debug"], ["--config", "rtswap/rtswap.toml"]):
        assert main(["-s", "persona:vera", *given, *to, *more]) in (1, 2)
        told = capsys.readouterr()
        assert SECRET not in told.out + told.err


@pytest.mark.parametrize("address", ["http//u:{}@host/a.mp4", "u:{}@host/a.mp4"])
def test_an_address_without_a_scheme_shows_no_password(address: str) -> None:
    given = address.format(SECRET)
    assert SECRET not in hide_secrets(f"no such file: {given}", [given])


def test_a_long_word_before_an_address_hides_nothing() -> None:
    assert hide_secrets("no file http:/h/s3cretpart", [f"{'a' * 100}http://h/s3cretpart"]) == "no file http:/h/***"
    assert "s3cretpart" not in hide_secrets("x" * 40 + "://h/s3cretpart", ["x" * 40 + "://h/s3cretpart"])


def test_the_sound_of_an_address_shows_none(tmp_path: Path) -> None:
    told: list[str] = []
    writer = VideoWriter(
        tmp_path / "out.mp4",
        OutputRequest(fps=25, audio_from=f"http://u:{SECRET}@127.0.0.1:9/a.mp4", on_event=told.append),
    )
    writer.send(mark_picture(0, time_s=0.0))
    writer.close()
    assert told
    assert SECRET not in "".join(told)


@pytest.mark.parametrize(
    "address", ["http://[::1", "https://[", "http://[::1]:99999/a.mp4", "http://[x]/", "http://"]
)
def test_invalid_address_is_reported_in_one_line(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["verify", address], ["-s", "persona:vera", "-i", address, "-o", "null"]):
        assert main(args) in (1, 2)
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("rtswap: cannot")
        assert "internal error" not in line


def test_no_output_holds_the_address(tmp_path: Path) -> None:
    """Neither the recordings, nor their manifests, nor the figures."""
    make_clip(tmp_path / "clip.mp4", 3)
    made = tmp_path / "made"
    made.mkdir()
    with web(tmp_path) as port:
        outputs = [f"{made}/out.mp4", f"{made}/out.mkv", f"{made}/%05d.png"]
        args = ["-q", "-s", "persona:vera", "-i", f"http://127.0.0.1:{port}/clip.mp4?token={SECRET}"]
        args += [word for out in outputs for word in ("-o", out)]
        assert main([*args, "--metrics", f"{made}/figures.jsonl"]) == 0
    files = list(made.iterdir())
    assert {path.suffix for path in files} == {".mp4", ".mkv", ".c2pa", ".png", ".jsonl"}
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path.name
