"""Presets in rtswap.toml leave everything else in it as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtswap.app.config_file import effective, read
from rtswap.app.presets import read_presets, write_presets
from rtswap.core.errors import ConfigError

FILE = """# mine
[presets.old]
swap.strength = 0.3

[swap]
strength = 0.5  # a comment
"""


def test_presets_come_back_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_text(FILE)
    assert read_presets(path) == {"old": {"swap.strength": 0.3}}
    presets = {"old": {"swap.strength": 0.3}, 'a "name" äé 😀 \x7f': {"swap.color": "rct", "mask.parts": ("eyes",)}}
    write_presets(path, presets)
    assert read_presets(path) == presets
    text = path.read_text()
    assert text.startswith("# mine\n[swap]\nstrength = 0.5  # a comment\n")
    assert read(path) == {"swap.strength": 0.5}
    assert effective({}, file=str(path)).config.swap.strength == 0.5
    write_presets(path, {})
    assert read_presets(path) == {}
    assert read(path) == {"swap.strength": 0.5}


def test_a_new_file_holds_presets_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rtswap.toml"
    assert read_presets(path) == {}
    write_presets(path, {"one": {"swap.strength": 0.1}})
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


@pytest.mark.parametrize("text", ["[swap\n", "presets = {a = {}}\n", '[swap]\nswapper = """\n[presets.x]\n"""\n'])
def test_a_file_that_cannot_be_kept_is_not_changed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        write_presets(path, {"one": {"swap.strength": 0.1}})
    assert path.read_text() == text
