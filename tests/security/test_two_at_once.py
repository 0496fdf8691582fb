"""Two runs that write into one folder at the same time: the second is refused before it writes anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from extraction import contents, run
from paths import ROOT
from requirements import need_torch
from two_people import two_people

from rtswap.commands.main import main
from rtswap.core.errors import OutputError
from rtswap.core.files import alone_in
from rtswap.faceset.faceset import Faceset
from rtswap.vision.talking_head import persona

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")


def test_two_extractions_do_not_write_over_each_others_lines(tmp_path: Path) -> None:
    """Each wrote at a place of its own into the table, which nobody could read any more."""
    photos = [tmp_path / f"{name}.png" for name in ("ada", "ben")]
    for photo in photos:
        cv2.imwrite(str(photo), persona(photo.stem))
    out = tmp_path / "faces"
    run(out, photos[0])
    before = contents(out)
    with alone_in(out), pytest.raises(OutputError, match="another run is writing into"):
        run(out, photos[1])
    assert contents(out) == before
    run(out, photos[1])
    assert len(Faceset.open(out).records) == 2


def test_two_trainings_do_not_replace_each_others_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_torch()
    ada, ben = two_people(tmp_path)
    out = tmp_path / "me"
    out.mkdir()
    words = ["train", "df", "--data", str(ada), "--data", str(ben), "--out", str(out)]
    with alone_in(out):
        assert main([*words, "--minutes", "0.01"]) == 1
        assert "another run is writing into" in capsys.readouterr().err
        assert main([*words, "--minutes", "0"]) == 2, "which writes the file of a training that may still run"
    assert not list(out.iterdir())


def test_a_run_that_was_killed_keeps_nobody_out_and_fills_no_disk(tmp_path: Path) -> None:
    """What it was writing, a checkpoint of gigabytes, stayed there hidden, once for each time."""
    code = f"""if True:
        import os, signal
        from pathlib import Path
        from rtswap.core.files import alone_in, replacing
        folder = Path({str(tmp_path)!r})
        with alone_in(folder), replacing(folder / "checkpoint.pt") as file:
            file.write(bytes(1000))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    (tmp_path / ".notes.part").write_text("mine")
    subprocess.run([sys.executable, "-P", "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60)
    assert len(list(tmp_path.iterdir())) == 2
    with alone_in(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".notes.part"]
