"""A folder or a pattern of files is a batch whose outputs keep the inputs' names."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import make_animation, make_clip, read_back
from people import face_models
from PIL import Image as Pillow
from prepared_sources import ready  # noqa: F401

from rtswap.app import program
from rtswap.app.batch import batch_of
from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig, OutputConfig
from rtswap.commands.extract.files import files_in
from rtswap.commands.main import main
from rtswap.runtime.session import Session
from rtswap.source.personas import persona_photo

VERA = ["-q", "-s", "persona:vera"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clips and a damaged one in ``clips/``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    make_clip("clips/one [1].mkv", 2)
    make_clip("clips/two.flv", 3)
    return tmp_path


@pytest.mark.parametrize("address", ["clips", "clips/", "clips/*"])
def test_every_video_is_swapped_and_keeps_its_name(folder: Path, address: str) -> None:
    assert main([*VERA, "-i", address, "-o", "out/"]) == 0
    assert {path.name for path in (folder / "out").iterdir()} == {"one [1].mkv", "one [1].c2pa", "two.mp4"}
    assert len(read_back(folder / "out/two.mp4")[0]) == 3


@pytest.mark.parametrize("suffix", ["ogv", "MTS", "m2ts", "vob", "mpeg", "3gp", "wmv", "h264", "265", "insv"])
def test_films_of_cameras_discs_and_old_programs_are_not_passed_over(folder: Path, suffix: str) -> None:
    """A folder's ``.m2ts``, ``.vob``, ``.mpeg`` and ``.ogv`` were left out without a word, by ``extract`` also
    others."""
    for clip in (folder / "clips").iterdir():
        clip.unlink()
    make_clip("clips/a.mkv", 2)
    Path("clips/a.mkv").rename(f"clips/a.{suffix}")
    assert [config.input.address for config in batch_of(_into_a_folder())] == [f"clips/a.{suffix}"]
    assert files_in(["clips"], folder / "faces") == [Path(f"clips/a.{suffix}")]


def _into_a_folder() -> Config:
    return Config(input=InputConfig(address="clips"), output=OutputConfig(to=("out/",)))


def test_a_folder_without_a_flag_is_the_output_also_the_second_time(folder: Path) -> None:
    for _ in range(2):
        assert main([*VERA, "-i", "clips/two*", "out/", "-y"]) == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["two.mp4"]


@pytest.mark.parametrize("name", ["two.flv", "two", "two.seq"])
@pytest.mark.parametrize("output", ["out/", "out"])
def test_one_film_into_a_folder_stays_a_film(folder: Path, name: str, output: str) -> None:
    """``clips/*.mp4`` may stand for one file: each of its frames became a picture."""
    Path("clips/two.flv").rename(f"clips/{name}")
    Path("out").mkdir()
    assert main([*VERA, f"clips/{name}", output]) == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["two.mp4"]
    assert main([*VERA, f"clips/{name}", "%03d.png", "--pass-through"]) == 0
    assert len(list(folder.glob("*.png"))) == 3


@pytest.mark.parametrize("address", ["stills/p_%03d.png", "stills/p_*.png"])
def test_numbered_pictures_become_a_film(folder: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Their pattern was refused, and --fps was for cameras alone."""
    person = Pillow.open(persona_photo("persona:ben")).resize((256, 256))
    (folder / "stills").mkdir()
    for name in ("p_001", "p_002", "p_003", "other"):
        person.save(f"stills/{name}.png")
    assert main(["-s", "persona:vera", address, "film.mp4", "--fps", "10"]) == 0
    assert read_back(Path("film.mp4"))[1] == pytest.approx([0.0, 0.1, 0.2], abs=1e-3)
    assert "ignored" not in capsys.readouterr().err
    assert main([*VERA, address, "out/"]) == 0
    assert {path.name for path in (folder / "out").iterdir()} == {"p_001.png", "p_002.png", "p_003.png"}
    for output in ("stills/", "stills/p_%d.png"):
        assert main([*VERA, address, output, "-y"]) == 2
    assert "the output stills" in capsys.readouterr().err
    assert main([*VERA, "stills/other.png", "stills/p_001.png", "stills/p_002.png", "film2.mp4"]) == 2
    assert "quote their pattern" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["clips/two.flv", "stills/"])
def test_one_picture_does_not_hold_a_film(folder: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its first frame was written before the error, in the place of what was there with -y."""
    (folder / "stills").mkdir()
    for name in ("a", "b", "c"):
        Pillow.open(persona_photo("persona:ben")).resize((256, 256)).save(f"stills/{name}.png")
    (folder / "one.jpg").write_bytes(b"kept")
    assert main([*VERA, address, "one.jpg", "-y"]) == 1
    said = capsys.readouterr().err
    assert "one.jpg can hold only one frame; got several. Write a video or .gif, or use one_%05d.jpg" in said
    assert (folder / "one.jpg").read_bytes() == b"kept"


def test_a_picture_into_a_folder_stays_a_picture(folder: Path) -> None:
    Pillow.open(persona_photo("persona:ben")).resize((256, 256)).save("photo", "PNG")
    assert main([*VERA, "photo", "out/"]) == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["photo.png"]


@pytest.mark.parametrize("made_before", [False, True])
def test_a_folder_may_have_a_dot_in_its_name(folder: Path, made_before: bool) -> None:
    out = "v1.2" if made_before else "v1.2/"
    if made_before:
        (folder / out).mkdir()
    for given in (["-i", "clips", "-o", out], ["clips/two.flv", "clips/one [1].mkv", out]):
        assert main([*VERA, "-y", *given]) == 0
        assert {path.name for path in (folder / out).iterdir()} == {"one [1].mkv", "one [1].c2pa", "two.mp4"}
    Pillow.open(persona_photo("persona:ben")).resize((256, 256)).save("still.png")
    assert main([*VERA, "still.png", out.replace("v1", "v2")]) == (2 if made_before else 0), (
        "no folder, no known suffix"
    )
    assert (folder / "v2.2/still.png").exists() != made_before


def test_a_misspelt_input_among_several_is_not_taken_for_an_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*VERA, "clips/two.flv", "clips/tow.mp4", "out/"]) == 2
    assert "no such file: 'clips/tow.mp4'. Check the path. For several outputs" in capsys.readouterr().err
    assert not (folder / "out").exists()
    assert not (folder / "clips/tow.mp4").exists()


def test_several_files_do_not_fit_behind_a_prefix(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*VERA, "-i", "clips/*", "-o", "vcam:out"]) == 2
    assert "expected one folder" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {"clips"}


def test_a_folder_that_cannot_be_made_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "taken").write_text("a file")
    for out in ("taken", "taken/new/"):
        assert main([*VERA, "-i", "clips", "-o", out]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"rtswap: cannot create the folder {out.rstrip('/')}; got ")
        assert said.count("\n") == 1


def test_a_damaged_video_does_not_keep_the_others_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "clips/bad.mp4").write_bytes(b"no video")
    assert main(["-s", "persona:vera", "-i", "clips", "-o", "out/"]) == 1
    assert "1 of 3 files failed: clips/bad.mp4" in capsys.readouterr().err
    assert (folder / "out/two.mp4").exists()


def test_json_has_a_line_for_each_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "clips/bad.mp4").write_bytes(b"no video")
    assert main([*VERA, "-i", "clips", "-o", "out/", "--json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["input"] for one in found] == ["clips/bad.mp4", "clips/one [1].mkv", "clips/two.flv"]
    assert ["error" in one for one in found] == [True, False, False]
    assert found[0]["error"].startswith("cannot read clips/bad.mp4; ")
    assert [one.get("frames") for one in found] == [None, 2, 3]


def test_the_same_command_goes_on_with_a_batch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C: what was swapped before is kept, and has not failed."""
    assert main(["-s", "persona:vera", "-i", "clips/two*", "-o", "out/"]) == 0
    before = (folder / "out/two.mp4").stat().st_mtime_ns
    capsys.readouterr()
    assert main(["-s", "persona:vera", "-i", "clips", "-o", "out/"]) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[-1] == "1 of 2 files skipped, since their outputs exist"
    assert "failed" not in said
    assert (folder / "out/one [1].mkv").exists()
    assert (folder / "out/two.mp4").stat().st_mtime_ns == before


@pytest.mark.parametrize("flags", ["--crf 20", "--bitrate 1M", "--codec hevc", "--codec hevc --crf 28"])
def test_an_animation_among_videos_has_no_quality_or_codec(folder: Path, flags: str) -> None:
    make_animation(folder / "clips/a.gif", 2)
    make_clip("clips/three.avi", 2, codec="mpeg4")
    assert main([*VERA, "-i", "clips", "-o", "out/", *flags.split()]) == 0
    third = "three.mp4" if "hevc" in flags else "three.avi"
    assert {path.name for path in (folder / "out").iterdir()} == {
        "a.gif", "one [1].mkv", "one [1].c2pa", "two.mp4", third,
    }  # fmt: skip


@pytest.mark.parametrize("address", ["clips", "clips/*"])
def test_what_moves_and_what_does_not_may_lie_in_one_folder(
    folder: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "clips/one [1].mkv").unlink()
    person = Pillow.open(persona_photo("persona:ben")).resize((256, 256))
    person.save("clips/still.webp")
    person.save("clips/moves.webp", save_all=True, append_images=[person.rotate(2)], duration=100)
    began = time.perf_counter()
    assert main(["-s", "persona:vera", "-i", address, "-o", "out/"]) == 0
    assert {path.name for path in (folder / "out").iterdir()} == {"two.mp4", "still.webp", "moves.mp4"}
    with av.open("out/moves.mp4") as moves:
        assert len(list(moves.decode(video=0))) == 2
    told = re.search(r"done ([\d.]+) s after the start", capsys.readouterr().err)
    assert told, "of the picture"
    assert float(told[1]) <= time.perf_counter() - began, "not since the process began"


def test_a_batch_loads_once_and_swaps_each_file_as_if_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "clips/two.flv").unlink()
    ben, dan = (Pillow.open(persona_photo(f"persona:{name}")).resize((256, 256)) for name in ("ben", "dan"))
    make_clip("clips/one [1].mkv", [np.asarray(ben)[..., ::-1].copy()] * 2)
    dan.save("clips/still.png")
    assert main([*VERA, "-i", "clips/still.png", "-o", "alone.png"]) == 0
    loaded: list[str] = []
    monkeypatch.setattr(program, "open_models", lambda config, on_event: loaded.append("once") or face_models())
    assert main([*VERA, "-i", "clips", "-o", "out/"]) == 0
    assert loaded == ["once"]
    assert (folder / "out/one [1].mkv").exists()
    np.testing.assert_array_equal(Pillow.open("out/still.png"), Pillow.open("alone.png"))


def test_ctrl_c_ends_the_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_interrupted(session: Session) -> None:
        session.stop()
        run(session)

    run = Session.run
    monkeypatch.setattr(Session, "run", run_interrupted)
    assert main(["-s", "persona:vera", "-i", "clips", "-o", "out/"]) == 0
    assert "interrupted: 1 file not swapped" in capsys.readouterr().err
    assert not (folder / "out/two.mp4").exists()


def test_a_batch_never_replaces_its_inputs(folder: Path) -> None:
    (folder / "clips/two.flv").unlink()
    before = Path("clips/one [1].mkv").read_bytes()
    assert main([*VERA, "-i", "clips", "-o", "clips/", "-y"]) in (1, 2)
    assert Path("clips/one [1].mkv").read_bytes() == before


def test_a_number_in_a_name_is_part_of_the_name(folder: Path) -> None:
    """What was made of a%d.jpg took the place of what was made of a0.jpg."""
    for name, source in {"a%d.jpg": "ben", "a0.jpg": "vera", "b%d%03d.png": "ada"}.items():
        Pillow.open(persona_photo(f"persona:{source}")).resize((256, 256)).save(f"clips/{name}")
    assert main([*VERA, "-i", "clips", "-o", "out/", "-y"]) == 0
    made = {path.name for path in (folder / "out").iterdir() if path.suffix in (".jpg", ".png")}
    assert made == {"a_d.jpg", "a0.jpg", "b_d_03d.png"}


def test_a_name_like_an_output_is_a_file_in_the_working_folder(folder: Path) -> None:
    """A stranger's vcam:x.mp4 was shown in the virtual camera."""
    (folder / "clips/two.flv").rename("clips/vcam:x.flv")
    (folder / "clips/one [1].mkv").rename("clips/window:.mkv")
    assert main([*VERA, "-i", "clips", "-o", "."]) == 0
    assert {path.name for path in folder.iterdir()} == {"clips", "vcam:x.mp4", "window:.mkv", "window:.c2pa"}


@pytest.mark.parametrize("args", ["-i clips -o one.mp4", "-i clips -o a/ -o b/", "-i clips", "-i nothing* -o out/"])
def test_what_cannot_be_a_batch_is_one_line(args: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*VERA, *args.split()]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_two_files_of_one_name_get_two_names(folder: Path) -> None:
    make_clip("clips/two.mp4", 2)
    make_clip("clips/one [1].webm", 2, codec="libvpx-vp9")
    assert main([*VERA, "-i", "clips", "-o", "out/"]) == 0
    clips = {"one [1].mkv", "one [1].webm.mp4", "two.mp4", "two.flv.mp4"}
    assert {path.name for path in (folder / "out").iterdir()} == {*clips, "one [1].c2pa"}
    assert [len(read_back(folder / "out" / name)[0]) for name in ("two.flv.mp4", "two.mp4")] == [3, 2]


def test_the_same_command_goes_on_with_a_folder_of_pictures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C: what was swapped before is kept, also under names that follow from the order of the files."""
    (folder / "stills").mkdir()
    for name in ("a.heif", "a.jp2", "b.png"):
        Pillow.open(persona_photo("persona:ben")).resize((256, 256)).save(folder / "stills" / name, format="PNG")
    assert main([*VERA, "stills", "whole/"]) == 0
    names = {path.name for path in (folder / "whole").iterdir()}
    assert names == {"a.png", "a.jp2.png", "b.png"}
    for left in ("b.png", "a.jp2.png"):
        (folder / "whole" / left).unlink()
        before = {path.name: path.stat().st_mtime_ns for path in (folder / "whole").iterdir()}
        capsys.readouterr()
        assert main(["-s", "persona:vera", "stills", "whole/"]) == 1
        assert "2 of 3 pictures skipped, since their outputs exist" in capsys.readouterr().err
        after = {path.name: path.stat().st_mtime_ns for path in (folder / "whole").iterdir()}
        assert set(after) == names
        assert before.items() <= after.items()
    assert main(["-s", "persona:vera", "stills", "whole/"]) == 1
    assert "all 3 pictures exist in whole. Choose another folder, or add --overwrite." in capsys.readouterr().err
    assert main([*VERA, "stills", "whole/", "-y"]) == 0
