"""What a training has learnt is compared with what it is given next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtswap.core.errors import UsageError
from rtswap.training.known_faces import FACES, compare_faces, keep_faces

ME, SCENE = [f"me_{n}.png" for n in range(40)], [f"scene_{n}.png" for n in range(40)]


def said(out: Path, source: list[str], target: list[str]) -> list[str]:
    told: list[str] = []
    compare_faces(out, [source, target], told.append)
    return told


def test_exchanged_people_are_refused_and_other_people_told(tmp_path: Path) -> None:
    assert said(tmp_path, ME, SCENE) == [], "a training from before there was such a file"
    keep_faces(tmp_path, [ME, SCENE])
    assert said(tmp_path, ME, SCENE) == []
    assert said(tmp_path, [*ME[5:], "me_new.png"], SCENE[:-5]) == []
    with pytest.raises(UsageError, match="the other way round"):
        compare_faces(tmp_path, [SCENE, ME], print)
    with pytest.raises(UsageError, match="the other way round"):
        compare_faces(tmp_path, [SCENE, ["you.png"]], print)
    assert said(tmp_path, ["you.png"], SCENE) == [
        f"the training in {tmp_path} goes on with other faces of the source than before"
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"source": 3, "target": []}', "[" * 100_000])
def test_a_file_that_somebody_changed_is_ignored(text: str, tmp_path: Path) -> None:
    (tmp_path / FACES).write_text(text)
    assert said(tmp_path, ME, SCENE) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
def test_a_pipe_in_the_folder_of_a_training_is_not_waited_for(tmp_path: Path) -> None:
    """Nor is what somebody else put there read without end."""
    os.mkfifo(tmp_path / FACES)
    assert said(tmp_path, ME, SCENE) == []
    (tmp_path / FACES).unlink()
    (tmp_path / FACES).write_bytes(b'{"source": [' + b"[" * 100_000)
    assert said(tmp_path, ME, SCENE) == []
    os.truncate(tmp_path / FACES, 1 << 40)
    assert said(tmp_path, ME, SCENE) == []
