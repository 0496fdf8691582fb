"""``--swap PERSON=SOURCE``: parsing, the resulting mapping, and mistakes reported in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import group
from prepared_sources import ready  # noqa: F401

from rtswap.app.config import Config
from rtswap.app.mapping import photos_of_sources, read_swap_rules
from rtswap.app.sections import SourceConfig
from rtswap.commands.main import main
from rtswap.vision.talking_head import persona


def config_of(*swap: str, photos: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> Config:
    return replace(Config(), source=SourceConfig(photos=photos, also=also, swap=swap))


def test_every_source_is_bound_once_and_keys_choose_from_the_first() -> None:
    config = config_of("left=a", "2=b", "right=a", "largest=you", photos=("me",), also=("you",))
    assert photos_of_sources(config) == [("me",), ("you",), ("a",), ("b",)]
    assert photos_of_sources(config_of("left=a", "right=b=c")) == [("a",), ("b=c",)]
    assert photos_of_sources(config_of()) == [()], "which is told when it is loaded"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["lef=persona:ada"], ["lef", "left, right, largest", "Did you mean left?"]),
        (["gone.jpg=persona:ada"], ["gone.jpg", "an example photo", "Check the path"]),
        (["0=persona:ada"], ["no person 0", "from 1"]),
        (["17=persona:ada"], ["no person 17", "to 16"]),
        (["left=persona:ada", "left=persona:dan"], ["left has two sources"]),
        (["left"], ["--swap", "PERSON=SOURCE", "left=me.jpg"]),
        (["=me.jpg"], ["--swap", "PERSON=SOURCE"]),
        (["left=gone.jpg"], ["gone.jpg"]),
        (["left=persona:nobody"], ["nobody"]),
        (["persona:nobody=persona:ada"], ["nobody"]),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(
    rules: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cv2.imwrite(str(tmp_path / "in.png"), group("ben"))
    flags = [flag for rule in rules for flag in ("--swap", rule)]
    command = [*flags, "-i", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--i-have-consent", "-q"]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(word in line for word in words), line
    assert not (tmp_path / "out.png").exists()


def test_example_photos_need_the_recogniser() -> None:
    config = config_of("persona:ben=persona:ada")
    with pytest.raises(Exception, match="needs face recognition, which --follow place turns off"):
        read_swap_rules(replace(config, tracking=replace(config.tracking, follow="place")))


def test_consent_is_asked_for_every_source_of_swap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ada = persona("ada")
    ada[5, 7] ^= 93  # nobody has agreed to this photo
    for name, image in (("me.png", ada), ("in.png", group("ben"))):
        assert cv2.imwrite(str(tmp_path / name), image)
    out = tmp_path / "out.png"
    assert main(["--swap", f"left={tmp_path / 'me.png'}", "-i", str(tmp_path / "in.png"), "-o", str(out)]) == 2
    assert "consent" in capsys.readouterr().err
    assert not out.exists()


def swapped(tmp_path: Path, image: np.ndarray, *flags: str) -> np.ndarray:
    assert cv2.imwrite(str(tmp_path / "in.png"), image)
    out = tmp_path / "out.png"
    assert main([*flags, "-i", str(tmp_path / "in.png"), "-o", str(out), "-y", "--i-have-consent"]) == 0
    return cv2.imread(str(out))


def test_different_people_get_different_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To the bit what each would get alone, without ``--faces all`` and without ``--source``."""
    image, middle = group("ben", "carl", size=400), 400
    ada, dan = (swapped(tmp_path, image, "-s", f"persona:{who}", "--faces", "all") for who in ("ada", "dan"))
    for left, right in (("left", "2"), ("persona:ben", "right")):
        both = swapped(tmp_path, image, "--swap", f"{left}=persona:ada", "--swap", f"{right}=persona:dan")
        np.testing.assert_array_equal(both[:, :middle], ada[:, :middle])
        np.testing.assert_array_equal(both[:, middle:], dan[:, middle:])
    assert not np.array_equal(ada, dan)
    capsys.readouterr()
    shown = "--others", "show"
    one = swapped(tmp_path, image, "--swap", "right=persona:dan", "--swap", "persona:grace=persona:vera", *shown)
    np.testing.assert_array_equal(one[:, middle:], dan[:, middle:])
    assert "nobody in the picture was recognised as persona:grace" in capsys.readouterr().err
    rest = swapped(tmp_path, image, "--swap", "2=persona:dan", "-s", "persona:ada")
    np.testing.assert_array_equal(rest, both)


def test_a_rule_that_nobody_meets_is_the_reason_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), group("ben", size=400))
    out = tmp_path / "out.png"
    assert main(["-i", str(tmp_path / "in.png"), "-o", str(out), "--swap", "9=persona:ada"]) == 1
    err = capsys.readouterr().err
    assert "--swap 9=persona:ada: nobody in the picture was recognised as 9" in err
    assert err.splitlines()[-1].endswith("nothing was written. Change --swap, or name a --source for everybody else.")
    assert not out.exists()
