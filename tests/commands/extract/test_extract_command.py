"""``rtswap extract`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtswap.commands.extract.command import COMMAND
from rtswap.commands.extract.tally import LIMITS, format_tally
from rtswap.core.errors import NotInstalled, UsageError
from rtswap.faceset.faceset import Faceset


def typed(*words: str) -> int:
    return COMMAND.run(COMMAND.parser().read(words))


def test_help_says_that_pictures_of_people_are_personal_data(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        COMMAND.parser().read(["--help"])
    told = capsys.readouterr().out
    assert "Pictures of people are personal data, and so are embeddings" in told
    assert "biometric" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no input given"),
        (("a.jpg",), "no output folder given"),
        (("a.jpg", "--out", "x", "--size", "64"), "a whole number from 112 to 1024"),
        (("a.jpg", "--out", "x", "--template", "ffh"), "did you mean ffhq"),
        (("a.jpg", "--out", "x", "--similar", "nan"), "a number from 0 to 1"),
        (("a.jpg", "--out", "x", "--every", "soon"), "a duration"),
        (("a.jpg", "--out", "x", "--smooth", "1s"), "at most 500ms"),
        (("a.jpg", "--out", "x", "--person", "nobody.jpg"), "no such person"),
        (("persona:nobody", "--out", "x"), "no persona called"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        typed(*words)
    assert not list(tmp_path.iterdir())


def test_another_detector_is_taken_if_it_is_installed(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match="no scrfd detector is installed"):
        typed("persona:vera", "--out", str(tmp_path / "out"), "--detector", "scrfd")
    assert not (tmp_path / "out").exists()


def test_persona_is_extracted_as_requested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ("persona:vera", "--out", str(out), "--template", "arcface", "--size", "112", "--format", "jpg", "--json")
    words += ("--licence", "CC0", "--provenance", "made for rtswap")
    assert typed(*words) == 0
    assert json.loads(capsys.readouterr().out)["faces"] == 1
    faces = Faceset.open(out)
    assert faces.settings["size"] == 112
    (face,) = faces.records
    assert [path.name for path in out.glob("*.jpg")] == [face.file]
    assert (face.licence, face.provenance, face.person) == ("CC0", "made for rtswap", 0)


def test_one_word_asks_for_what_training_needs_and_other_flags_override_it(tmp_path: Path) -> None:
    assert typed("persona:vera", "--out", str(tmp_path), "--for-training", "--every", "1s") == 0
    settings = Faceset.open(tmp_path).settings
    assert (settings["template"], settings["size"], settings["keep_all"]) == ("whole", 256, True)
    assert (settings["every_s"], settings["smooth_s"]) == (1.0, 0.1)
    assert settings["limits"]["max_yaw"] == 90


def test_the_summary_names_what_changes_a_limit_and_counts_the_new_only_where_there_were_others() -> None:
    """23 too small left the reader with no way to get them."""
    result = {"folder": "faces", "files": 1, "faces": 32, "new": 32, "refused": {"too small": 23, "unclear": 1}}
    assert format_tally(result) == [
        "Wrote faces: 32 faces from 1 file.",
        "Faces left out: 23 too small (--min-face), 1 unclear.",
    ]
    assert format_tally({**result, "new": 2, "refused": {}}) == ["Wrote faces: 32 faces, 2 of them new, from 1 file."]
    known = {action.dest for action in COMMAND.parser().actions}
    assert {flag.removeprefix("--").replace("-", "_") for flag in LIMITS.values()} <= known
