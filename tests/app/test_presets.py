"""Presets in rtswap.toml leave everything else in it as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtswap.app.config_file import effective, read
from rtswap.app.presets import read_presets, write_preset
from rtswap.core.errors import ConfigError

FILE = """# mine
[presets.old]
swap.strength = 0.3
swap.of_tomorrow = [
  [1, 2],
]
# of the old one

# my own settings
[swap]
strength = 0.5  # a comment
"""
VALUES = {"swap.color": "rct", "mask.parts": ("eyes",)}


@pytest.mark.parametrize("name", ['a "name" äé', "😀", "swap", "old.er", "#"])
def test_a_preset_comes_back_and_the_rest_stays(tmp_path: Path, name: str) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_text(FILE)
    assert read_presets(path) == {"old": {"swap.strength": 0.3}}
    write_preset(path, name, VALUES)
    write_preset(path, name, VALUES)
    assert path.read_text().startswith(FILE)
    assert read_presets(path) == {"old": {"swap.strength": 0.3}, name: VALUES}
    assert read(path) == {"swap.strength": 0.5}
    write_preset(path, "old", {"swap.strength": 0.1})
    assert "# my own settings\n[swap]\nstrength = 0.5  # a comment\n" in path.read_text()
    assert read_presets(path) == {"old": {"swap.strength": 0.1}, name: VALUES}
    assert effective({}, file=str(path)).config.swap.strength == 0.5
    for one in (name, "old"):
        write_preset(path, one, None)
    assert read_presets(path) == {}
    assert read(path) == {"swap.strength": 0.5}


def test_a_file_as_windows_writes_it_takes_presets(tmp_path: Path) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_bytes(b"\xef\xbb\xbf# mine\r\n[swap]\r\nstrength = 0.5\r\n")
    write_preset(path, "one", VALUES)
    assert path.read_bytes().startswith(b"# mine\r\n[swap]\r\nstrength = 0.5")
    assert read_presets(path) == {"one": VALUES}
    assert read(path) == {"swap.strength": 0.5}


def test_a_new_file_holds_presets_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rtswap.toml"
    assert read_presets(path) == {}
    write_preset(path, "one", {"swap.strength": 0.1})
    assert read_presets(path) == {"one": {"swap.strength": 0.1}}
    assert read(path) == {}


def test_what_is_wrong_in_a_preset_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_text(
        '[presets]\na = 1\n[presets.b]\nswap = 2\nbadge.look = []\n[presets.c]\nswap.strength = "x"\nz.y = 1\n'
    )
    assert read_presets(path) == {"a": {}, "b": {}, "c": {}}
    path.write_text("presets = 3\n")
    assert read_presets(path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "[swap\n",
        "presets = {a = {}}\n",
        "[presets]\none.swap.strength = 0.2\n",
        '[swap]\nswapper = """\n[presets.one]\n"""\n',
    ],
)
def test_a_file_that_cannot_be_kept_is_not_changed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        write_preset(path, "one", {"swap.strength": 0.1})
    assert path.read_text() == text


def test_presets_alone_are_no_settings_of_a_run(tmp_path: Path) -> None:
    """After one was saved, each run said that its settings came from the file."""
    write_preset(tmp_path / "rtswap.toml", "soft", VALUES)
    assert effective({}, folders=[tmp_path]).files == ()
    (tmp_path / "rtswap.toml").write_text(FILE)
    assert effective({}, folders=[tmp_path]).files == (tmp_path / "rtswap.toml",)
