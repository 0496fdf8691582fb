"""A ``rtswap.toml`` in a downloaded folder cannot make rtswap unsafe, and is reported."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from rtswap.app import option_kinds
from rtswap.app.config import OPTIONS
from rtswap.app.config_file import Effective, effective, to_toml
from rtswap.commands.main import main
from rtswap.core import files
from rtswap.core.errors import ConfigError

UNSAFE = [
    ("safety", 'others = "show"'),
    ("safety", "pass_through = true"),
    ("safety", 'on_failure = "stop"'),
    ("safety", 'empty_after = "0"'),
    ("marks", "unmarked = true"),
    ("marks", 'reason = "x"'),
    ("marks", 'certificate = "mine.pem"'),
    ("marks", 'key = "mine.pem"'),
    ("badge", "hide = true"),
    ("source", "i_have_consent = true"),
    ("source", 'swap = ["left=me.jpg"]'),
    ("source", 'photos = ["../me.jpg"]'),
    ("source", 'also = ["persona:vera", "link/me.jpg"]'),
    ("source", 'photos = [" away"]'),
    ("source", 'photos = ["of_links"]'),
    ("input", 'address = "of_links"'),
    ("input", 'address = "of_links/*.jpg"'),
    ("input", 'address = "lin*/*.jpg"'),
    ("input", 'address = "*/*/*/*/*/*/*/*/*/*/*.jpg"'),
    ("input", 'address = "of_links/%02d.jpg"'),
    ("output", 'to = ["udp://127.0.0.1:5999"]'),
    ("output", 'to = ["out.mp4", "rtmp://host/app/key"]'),
    ("output", 'to = ["/tmp/elsewhere.mp4"]'),
    ("output", 'to = ["../elsewhere.mp4"]'),
    ("output", 'to = ["~/elsewhere.mp4"]'),
    ("output", 'to = ["link/elsewhere.mp4"]'),
    ("output", 'to = ["theirs:anywhere"]'),
    ("output", 'to = ["vcam:/dev/video7"]'),
    ("output", "overwrite = true"),
    ("input", 'address = "theirs:anything"'),
    ("input", 'address = "https://host/film.mp4"'),
    ("input", 'address = "file:///etc/passwd"'),
    ("input", 'address = "/dev/video7"'),
    ("tracking", 'faces = "all"'),
    ("tracking", 'follow = "place"'),
    ("tracking", "min_face = 4096"),
    ("tracking", 'thresholds = "1,1,1"'),
    ("tracking", "kalman_noise = 0.01"),
    ("tracking", "box_average = 0.9"),
    ("models", 'detector = "yunet"'),
    ("models", 'enhance = "theirs"'),
    ("models", "coverage = 0.3"),
    ("swap", 'swapper = "theirs"'),
    ("swap", 'swapper = "theirs.dfm"'),
    ("swap", 'finishes = ["theirs"]'),
    ("mask", 'masks = "hull,xseg"'),
    ("mask", 'parts = ["nose"]'),
    ("mask", 'keep = ["eyes"]'),
    ("network", 'tls_ca = "theirs.pem"'),
    ("metrics", 'file = "/tmp/elsewhere.jsonl"'),
    ("metrics", 'log = "/tmp/elsewhere.log"'),
    ("console", "quiet = true"),
]
HARMLESS = """
[source]
photos = ["me.jpg"]
also = ["persona:vera"]
[input]
address = "clip.mp4"
size = "640x480"
[output]
to = ["out/clip.mp4", "vcam", "window", "null"]
[swap]
strength = 0.8
swapper = "one"
[mask]
masks = ["hull", "occlusion"]
[models]
enhance = "none"
[badge]
look = "light tr"
language = "de"
[metrics]
file = "metrics.jsonl"
"""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """(the working folder, the user's configuration folder)."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    here, own = tmp_path / "downloaded", tmp_path / "config/rtswap"
    here.mkdir()
    own.mkdir(parents=True)
    for name in ("link", " away"):
        (here / name).symlink_to(tmp_path)
    for number in range(9):
        (here / f"again{number}").symlink_to(".")
    (here / "of_links").mkdir()
    (tmp_path / "me.jpg").touch()
    (here / "of_links/01.jpg").symlink_to(tmp_path / "me.jpg")
    (here / "theirs.dfm").write_bytes(b"")
    monkeypatch.chdir(here)
    monkeypatch.setattr(option_kinds, "plugin_names", lambda group: ("theirs",))  # installed once, by the user
    monkeypatch.setattr(option_kinds, "_enhancers", lambda: ("theirs",))
    return here, own


def found(**flags: Any) -> Effective:
    return effective({key.replace("__", "."): (value, "--flag") for key, value in flags.items()})


@pytest.mark.parametrize(("section", "line"), UNSAFE)
def test_it_may_not_make_rtswap_unsafe(folders: tuple[Path, Path], section: str, line: str) -> None:
    """Refused in one line that names file, key and what to do; believed where the user vouches for the same file."""
    (folders[0] / "rtswap.toml").write_text(f"[{section}]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        found()
    key = f"{section}.{line.split()[0]}"
    told = str(caught.value)
    assert str(folders[0] / "rtswap.toml") in told
    assert key in told
    assert "--config" in told
    assert "\n" not in told
    assert effective({}, file="rtswap.toml").origins[key] == "rtswap.toml"
    (folders[0] / "rtswap.toml").rename(folders[1] / "rtswap.toml")
    assert found().origins[key] == str(folders[1] / "rtswap.toml")


def test_every_risky_setting_is_checked() -> None:
    """Whoever adds a setting says here whether a stranger may set it."""
    guarded = {f"{section}.{line.split()[0]}" for section, line in UNSAFE}
    taste = {
        "source.face",
        "input.size",
        "input.fps",
        "input.hwaccel",
        "input.start",
        "input.end",
        "input.duration",
        "output.codec",
        "output.crf",
        "output.bitrate",
        "output.no_audio",
    }
    taste |= {"badge.look", "badge.language", "budget.target", "console.json", "console.stats"}
    taste |= {row.key for row in OPTIONS if row.section in ("swap", "engine")} - {"swap.swapper", "swap.finishes"}
    taste |= {"models.boost", "models.morph"}
    taste |= {"models.enhance_weight", "models.enhance_blend", "models.enhance_every"}
    assert guarded.isdisjoint(taste)
    assert {row.key for row in OPTIONS} == guarded | taste


def test_harmless_settings_are_accepted(folders: tuple[Path, Path]) -> None:
    (folders[0] / "rtswap.toml").write_text(HARMLESS)
    assert found().config.swap.strength == 0.8
    assert found().config.output.to == ("out/clip.mp4", "vcam", "window", "null")


def test_the_users_own_file_counts_beside_it(folders: tuple[Path, Path]) -> None:
    """A file in the working folder must not put the user's safety back to the defaults."""
    (folders[1] / "rtswap.toml").write_text('[safety]\non_failure = "stop"\n[swap]\nstrength = 0.5\n')
    (folders[0] / "rtswap.toml").write_text("[swap]\nstrength = 0.7\n")
    assert found().config.safety.on_failure == "stop"
    assert found().config.swap.strength == 0.7
    (folders[0] / "rtswap.toml").write_text('[safety]\non_failure = "blur"\n')
    with pytest.raises(ConfigError, match=r"safety\.on_failure"):
        found()


def test_a_flag_settles_it(folders: tuple[Path, Path]) -> None:
    (folders[0] / "rtswap.toml").write_text('[output]\nto = ["udp://127.0.0.1:5999"]\n')
    assert found(output__to=("mine.mp4",)).config.output.to == ("mine.mp4",)


def test_what_config_prints_is_taken(folders: tuple[Path, Path]) -> None:
    """``rtswap config --write rtswap.toml`` writes every key; one that changes nothing is no matter."""
    (folders[0] / "rtswap.toml").write_text(to_toml(found()))
    assert found().config == effective({}, folders=[]).config


def test_the_users_folder_stays_the_users(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folders[1])
    (folders[1] / "rtswap.toml").write_text("[marks]\nunmarked = true\nreason = 'a study'\n")
    assert found().config.marks.unmarked


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no modes")
@pytest.mark.parametrize("place", ["rtswap.toml", ".", "..", "a link", "another owner"])
def test_an_own_file_that_others_can_write_is_not_the_users_own(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    own = folders[1] / "rtswap.toml"
    own.write_text('[marks]\nunmarked = true\nreason = "x"\n[badge]\nlook = "light tr"\n')
    assert found().config.marks.unmarked
    if place == "a link":
        elsewhere = folders[1].parent / "anybody"
        elsewhere.mkdir()
        elsewhere.chmod(0o777)
        own.rename(elsewhere / "rtswap.toml")
        own.symlink_to(elsewhere / "rtswap.toml")
    elif place == "another owner":
        monkeypatch.setattr(os, "geteuid", lambda: 54_321)
        monkeypatch.setattr(files, "ADMINISTRATOR", -1)
    else:
        (folders[1] / place).chmod(0o777)
    with pytest.raises(ConfigError, match=r"marks\.unmarked, which a file that other users can write may not set"):
        found()
    own.write_text('[badge]\nlook = "light tr"\n')
    assert found().config.badge.look == "light tr"
    assert effective({}, file=str(own)).config.badge.look == "light tr"


def test_files_that_were_read_are_reported(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for folder in folders:
        (folder / "rtswap.toml").write_text("[swap]\nstrength = 0.7\n")
    assert main(["-s", "absent.jpg", "-i", "absent.mp4"]) != 0
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("settings from")]
    assert told == [f"settings from {folders[1] / 'rtswap.toml'}, {folders[0] / 'rtswap.toml'}"]


@pytest.mark.parametrize(
    "line", ["a." * 400_000 + "b = 1", "\n".join(["[[" + "a." * 2000 + "b]]"] * 200), '"' + '\\"' * 400_000]
)
def test_it_does_not_take_minutes_to_read(folders: tuple[Path, Path], line: str) -> None:
    (folders[0] / "rtswap.toml").write_text(line)
    began = time.monotonic()
    with pytest.raises(ConfigError):
        found()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("key", ["to", "also", "photos", "finishes"])
def test_a_list_without_end_is_reported(folders: tuple[Path, Path], key: str) -> None:
    """Each of 60,000 outputs got a thread, and each source was loaded: hours."""
    section, value = {"to": ("output", "null"), "finishes": ("swap", "grain")}.get(key, ("source", "persona:vera"))
    (folders[0] / "rtswap.toml").write_text(f"[{section}]\n{key} = [{101 * f'{value!r}, '}]\n")
    with pytest.raises(ConfigError, match="got 101 of them, more than 100"):
        found()


@pytest.mark.parametrize("text", ["input = {}", "[source]\nface = {}", "[output]\ncrf = [[{}]]"])
def test_number_beyond_64_bits_is_reported(folders: tuple[Path, Path], text: str) -> None:
    """Python reads such a number in hexadecimal, and then can neither print nor convert it."""
    (folders[0] / "rtswap.toml").write_text(text.format("0x" + 5000 * "f"))
    with pytest.raises(ConfigError, match="an integer of more than 64 bits"):
        found()


def test_number_with_5000_digits_is_reported(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    (folders[0] / "rtswap.toml").write_text(f"[engine]\nthreads = {'9' * 5000}\n")
    assert main(["config"]) == 2
    assert re.fullmatch(r"rtswap: rtswap\.toml: invalid TOML: .*\n", capsys.readouterr().err)


@pytest.mark.parametrize("text", ['[source]\nphotos = ["{}"]', "{} = 1", 'presets.x = "{}"'])
@pytest.mark.parametrize("broken", ["", "\n= 1"], ids=["TOML", "no TOML"])
def test_a_text_of_a_million_letters_is_reported_at_once(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], text: str, broken: str
) -> None:
    """It was searched for an address from each letter on, which takes hours."""
    (folders[0] / "rtswap.toml").write_text(text.format(990_000 * "a") + broken)
    assert main(["config"]) == 2
    said = "Invalid" if broken else "a text of more than 10,000 letters"
    assert re.fullmatch(rf"rtswap: rtswap\.toml: invalid TOML: {said}.*\n", capsys.readouterr().err)
