"""A picture in which no face was swapped is not written, and the exit code is 1; photos of two people are noticed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from prepared_sources import ready  # noqa: F401

from rtswap.commands.main import main
from rtswap.source.personas import persona_photo


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    Path("in").mkdir()
    cv2.imwrite("in/wall.png", np.full((480, 640, 3), 128, np.uint8))


def test_one_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["in/wall.png", "out.png", "-s", "persona:vera"]) == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("rtswap: no face was swapped in in/wall.png; nothing was written.")
    )
    assert not Path("out.png").exists()


def test_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    face = cv2.imread(str(persona_photo("persona:erik")))
    cv2.imwrite("in/face.png", face)
    assert main(["in", "out/", "-s", "persona:vera"]) == 1
    err = capsys.readouterr().err
    assert "not written: in/wall.png: no face was swapped in it" in err
    assert "1 picture without a swap not written" in err
    assert [path.name for path in Path("out").iterdir()] == ["face.png"]


def test_a_damaged_picture_of_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite("in/face.png", cv2.imread(str(persona_photo("persona:erik"))))
    Path("in/wall.png").write_bytes(b"no picture")
    assert main(["in", "out/", "-s", "persona:vera"]) == 1
    assert "skipped: " in capsys.readouterr().err
    assert [path.name for path in Path("out").iterdir()] == ["face.png"]


@pytest.mark.parametrize("address", ["in", "in/wall.jpg"])
def test_pictures_keep_their_names_in_a_folder(address: str) -> None:
    cv2.imwrite("in/wall.jpg", cv2.imread(str(persona_photo("persona:erik"))))
    main([address, "out/", "-s", "persona:vera"])
    assert [path.name for path in Path("out").iterdir()] == ["wall.jpg"]


def test_passed_through_it_is_written() -> None:
    assert main(["in/wall.png", "out.png", "-s", "persona:vera", "--pass-through"]) == 0
    assert Path("out.png").exists()


def test_photos_of_two_people_are_noticed_without_dlib(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtswap.networks.dlib.weights_path", _absent)
    for follow in ("person", "place"):
        main(f"in/wall.png out.png -s persona:amara -s persona:erik --follow {follow}".split())
        assert "may show two different people" in capsys.readouterr().err


def _absent() -> Path:
    from rtswap.core.errors import NotInstalled

    raise NotInstalled("dlib's network is not installed")


def test_an_existing_output_is_refused_before_consent_and_loading(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out.png").write_bytes(b"precious")
    assert main(["in/wall.png", "out.png", "-s", "in/wall.png"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("rtswap: out.png already exists")
    assert len(err.splitlines()) == 1
    assert Path("out.png").read_bytes() == b"precious"


def test_a_missing_input_is_told_before_consent_and_loading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["absent.mp4", "out.mp4", "-s", "in/wall.png"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("rtswap: no such file or folder: 'absent.mp4'")
    assert len(err.splitlines()) == 1


def test_times_of_a_picture_are_ignored_with_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    main(["in/wall.png", "out.png", "-s", "persona:vera", "--start", "5"])
    assert "--start has no effect: pictures have no times" in capsys.readouterr().err
