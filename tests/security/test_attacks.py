"""The driver of ``make fuzz`` finds faults, and repeats a case."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from attack_material import FLAGS, face_picture, mutate
from attack_plugin import FINISH
from media_files import make_clip
from paths import ROOT
from processes import run_python
from scripts_loader import load_script

from rtswap.commands import COMMANDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the driver runs on Linux alone")


def test_a_bare_face_and_a_broken_file_are_noticed(tmp_path: Path) -> None:
    attack = load_script("scripts/attack.py")
    make_clip(tmp_path / "clip.mp4", 3)
    make_clip(tmp_path / "out.mp4", [face_picture()] * 3)
    (tmp_path / "out.png").write_bytes(b"x")
    assert sorted(attack.check_outputs(tmp_path)) == ["bare face in out.mp4", "out.png does not play"]


def test_the_same_number_gives_the_same_damage() -> None:
    data = bytes(range(256)) * 20
    one, two, other = (mutate(data, [data], np.random.default_rng([7, n])) for n in (1, 1, 2))
    assert one == two
    assert len({data, one, other}) == 3


def test_a_part_breaks_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTACK_FAULT", "apply 2 ValueError")
    finish = FINISH.build(None)  # type: ignore[arg-type]
    assert finish.apply("as it is", None, None) == "as it is"
    with pytest.raises(ValueError, match="on purpose"):
        finish.apply("as it is", None, None)


def test_the_tests_that_hold_each_point_exist() -> None:
    """Those that ``docs/security.md`` names."""
    named = set(re.findall(r"`(tests/\S+\.py|rtswap/assets/\S+\.md)`", (ROOT / "docs/security.md").read_text()))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_flags_exist() -> None:
    known = {
        word for command in COMMANDS.values() for word in command.parser().format_help().replace(",", " ").split()
    }
    assert [flag for flag in FLAGS if flag not in known] == []


def test_one_case_runs() -> None:
    code = "import runpy, sys\nrunpy.run_path('scripts/attack.py', run_name='__main__')"
    done = run_python(code, "--seed", "1", "--case", "4", check=False)
    assert done.returncode == 0, done.stdout
