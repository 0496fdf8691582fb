"""End to end: the command line in its own process, with real input and output files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from media_files import clicks, make_clip, numbered_picture
from people import group, person
from prepared_sources import ready  # noqa: F401

from rtswap.commands.main import main
from rtswap.vision.talking_head import AnimatedHead, clip, persona

ADA = str(resources.files("rtswap").joinpath("assets/personas/ada.jpg"))
SIZE = (320, 240)


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "rtswap", *map(str, args)]


def rtswap(*args: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), capture_output=True, text=True, timeout=60, check=False, env=os.environ | environ
    )


def frames_of(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
        return [frame.to_ndarray(format="bgr24") for frame in frames], [float(frame.time or 0) for frame in frames]


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """Share of the middle of the picture that is clearly other than before."""
    height, width = before.shape[:2]
    middle = np.s_[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4]
    return float((np.abs(before.astype(int) - after).max(2) > 16)[middle].mean())


def one_line(done: Any, code: int) -> str:
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines
    assert lines[-1].startswith("rtswap: ")
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    return str(lines[-1])


@pytest.fixture(autouse=True)
def keep_process_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """``main`` sets the process up for itself; undo that here."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(signal, "signal", lambda *_: None)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ben, turning his head, with a tone, at uneven times."""
    path = tmp_path_factory.mktemp("film") / "ben.mp4"
    ben = person("ben")
    head = AnimatedHead(ben.portrait, ben.landmarks, 110)
    make_clip(path, list(clip([head], SIZE, fps=25, frames=30)), fps=25, audio=True, vfr=True)
    return path


def test_a_film_becomes_a_film_and_more_at_once(film: Path, tmp_path: Path) -> None:
    first, second, log = tmp_path / "a.mp4", tmp_path / "b.mkv", tmp_path / "m.jsonl"
    done = rtswap("-s", ADA, "-i", film, "-o", first, "-o", second, "-o", "null", "--metrics", log, "--json", "-q")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["frames"] == 30
    assert figures["frames_with_swap"] >= 28
    pictures, times = frames_of(film)
    for path in (first, second):
        found, found_times = frames_of(path)
        assert len(found) == 30
        assert np.abs(np.array(found_times) - times).max() < 0.002
        assert np.mean([changed(a, b) for a, b in zip(pictures, found, strict=True)]) > 0.03
        heard = clicks(path)
        assert len(heard) == len(clicks(film))
        assert np.abs(np.array(heard) - clicks(film)).max() < 0.03
    last = json.loads(log.read_text().splitlines()[-1])
    page = (Path(__file__).parents[1] / "docs/usage.md").read_text()
    assert [key for key in figures | last | figures["stages_ms"] if f"`{key}`" not in page] == [], "of what unit?"


def test_a_picture_becomes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, out = tmp_path / "three.png", tmp_path / "out.png"
    picture = group("ben", "carl", "dan", size=256)
    cv2.imwrite(str(given), picture)
    assert main(["-s", ADA, "-i", str(given), "-o", str(out), "--faces", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 1
    found = cv2.imread(str(out))
    assert found.shape == picture.shape
    for number in range(3):
        part = np.s_[:, 256 * number : 256 * (number + 1)]
        assert changed(picture[part], found[part]) > 0.1


def test_a_folder_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("ben", "dan"):
        cv2.imwrite(str(folder / f"{name}.png"), persona(name))
    out = tmp_path / "out.mp4"
    assert main(["-s", ADA, "-i", str(folder), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 2
    assert len(frames_of(out)[0]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for children")
def test_ctrl_c_in_the_middle_leaves_a_film_that_plays(tmp_path: Path) -> None:
    given, out = tmp_path / "long.mp4", tmp_path / "out.mp4"
    image = cv2.resize(persona("ben"), (320, 320))
    make_clip(given, [image] * 1000, fps=25, options={"preset": "ultrafast"})
    with subprocess.Popen(
        command("-s", ADA, "-i", given, "-o", out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 40
        while set(tmp_path.iterdir()) == {given} and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(2)  # a fragment of a second has been written by then
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    found, _ = frames_of(out)
    assert 1 <= len(found) < 1000


# --- sources


def written(path: Path, picture: np.ndarray, suffix: str = ".png") -> Path:
    done, data = cv2.imencode(suffix, picture)
    assert done
    path.write_bytes(data.tobytes())
    return path


def turned(path: Path) -> Path:
    """A JPEG that lies on its side and says so in its EXIF data."""
    data = cv2.imencode(".jpg", cv2.rotate(persona("ada"), cv2.ROTATE_90_COUNTERCLOCKWISE))[1].tobytes()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    return path


def ada() -> np.ndarray:
    return persona("ada")


def alpha(path: Path) -> Path:
    return written(path, np.dstack([ada(), np.full((512, 512), 128, np.uint8)]))


GOOD = {
    "16-bit": lambda path: written(path, ada().astype(np.uint16) * 257),
    "alpha": alpha,
    "grey": lambda path: written(path, cv2.cvtColor(ada(), cv2.COLOR_BGR2GRAY)),
    "lying, by EXIF": turned,
    "20 megapixels": lambda path: written(path, cv2.resize(ada(), (4500, 4500)), ".jpg"),
    "three faces": lambda path: written(path, group("ada", "dan", "carl", size=400)),
}


@pytest.mark.parametrize("kind", GOOD)
def test_photos_of_many_kinds_are_taken(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = GOOD[kind](tmp_path / "me.png")
    given, out = written(tmp_path / "ben.png", persona("ben")), tmp_path / "out.png"
    assert main(["-s", str(photo), "-i", str(given), "-o", str(out), "--json", "--i-have-consent"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["frames_with_swap"] == 1
    assert changed(persona("ben"), cv2.imread(str(out))) > 0.1
    assert ("--source-face" in told.err) == (kind == "three faces")


BAD = {
    "no face": lambda path: written(path, np.full((300, 300, 3), 100, np.uint8)),
    "tiny face": lambda path: written(path, cv2.resize(ada(), (90, 90), interpolation=cv2.INTER_AREA)),
    "blurred": lambda path: written(path, cv2.GaussianBlur(ada(), (0, 0), 14)),
    "truncated": lambda path: path.write_bytes(written(path, ada()).read_bytes()[:5000]),
    "empty": lambda path: path.write_bytes(b""),
    "a text": lambda path: path.write_text("this is no picture\n" * 20),
    "a folder without pictures": lambda path: path.mkdir(),
    "missing": lambda path: None,
}


@pytest.mark.parametrize("kind", BAD)
def test_photos_that_cannot_be_used_are_refused_in_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "me.jpg", tmp_path / "out.png"
    BAD[kind](path)
    given = written(tmp_path / "ben.png", persona("ben"))
    assert main(["-s", str(path), "-i", str(given), "-o", str(out)]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("rtswap: ")
    assert "me.jpg" in last
    assert not out.exists()


# --- machines that are not in order


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """Either it works without one, or it says in one line what to do."""
    blocked = tmp_path / "cache"
    blocked.write_text("a file is in the way")
    out = tmp_path / "out.png"
    given = written(tmp_path / "ben.png", persona("ben"))
    done = rtswap("-s", ADA, "-i", given, "-o", out, RTSWAP_CACHE=str(blocked))
    if done.returncode:
        assert "RTSWAP_CACHE" in one_line(done, 1)
        assert not out.exists()
    else:
        assert "RTSWAP_CACHE" in done.stderr
        assert changed(persona("ben"), cv2.imread(str(out))) > 0.1
    assert blocked.read_text() == "a file is in the way"


def test_a_cache_full_of_rubbish_is_made_anew(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("pnet-1", "rnet-1", "onet-1"):
        (cache / f"{name}.onnx").write_bytes(b"\x08\x07rubbish" * 50)
        (cache / f"{name}.json").write_text('{"sha256": "0", "nonsense": [')
        (cache / f"{name}.engine.json").write_text("null")
    (cache / "landmarks.engine.json").write_bytes(b"\xff\xfe\0")
    given, out = written(tmp_path / "ben.png", persona("ben")), tmp_path / "out.png"
    done = rtswap("-s", ADA, "-i", given, "-o", out, RTSWAP_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    assert changed(persona("ben"), cv2.imread(str(out))) > 0.1


def test_an_output_folder_that_is_not_there(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("out.mp4", "out.png"):
        out = tmp_path / "absent" / name
        assert main(["-s", ADA, "-i", str(film), "-o", str(out)]) in (1, 2)
        assert capsys.readouterr().err.strip().splitlines()[-1].startswith("rtswap: ")
        assert not out.parent.exists()


def test_existing_files_are_not_replaced(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.mp4"
    out.write_bytes(b"mine")
    assert main(["-s", ADA, "-i", str(film), "-o", str(out)]) in (1, 2)
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"


def test_inputs_that_are_not_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mp4"
    for name, data in (("empty.mp4", b""), ("text.mp4", b"no film " * 99), ("zeros.mkv", bytes(5000))):
        given = tmp_path / name
        given.write_bytes(data)
        assert main(["-s", ADA, "-i", str(given), "-o", str(out)]) in (1, 2)
        assert capsys.readouterr().err.strip().splitlines()[-1].startswith("rtswap: ")
        assert not out.exists()


def test_a_film_without_faces_is_written_with_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, out = tmp_path / "plain.mp4", tmp_path / "out.mp4"
    make_clip(given, lambda index: numbered_picture(index, (160, 120)), count=8)
    assert main(["-s", ADA, "-i", str(given), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames_with_swap"] == 0
    assert len(frames_of(out)[0]) == 8
