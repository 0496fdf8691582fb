"""``rtswap extract``: which faces are extracted, how they are aligned, and what is never lost or overwritten."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from extraction import contents, open_quick_models, run, save
from media_files import make_clip
from people import face_models, group

from rtswap.app.console import Console
from rtswap.app.networks import FaceModels
from rtswap.commands.extract.limits import QualityLimits
from rtswap.commands.extract.measurement import measure_faces
from rtswap.commands.extract.options import ExtractOptions
from rtswap.commands.extract.run import extract
from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.faceset.faceset import Faceset
from rtswap.faceset.record import FaceRecord
from rtswap.faceset.table import TABLE
from rtswap.vision.geometry import inverse, keypoints_of, transform
from rtswap.vision.images import read_image
from rtswap.vision.talking_head import persona
from rtswap.vision.templates import TEMPLATES


def faces_in(out: Path) -> list[FaceRecord]:
    return list(Faceset.open(out).records)


def progress_in(out: Path) -> list[dict]:
    """The last line of each input file."""
    lines = [json.loads(line) for line in (out / TABLE).read_text().splitlines()]
    return list({line["input"]: line for line in lines if "input" in line}.values())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "faces"


@pytest.fixture
def people_photo(tmp_path: Path) -> Path:
    """Four people side by side."""
    return save(tmp_path / "people.png", group("ada", "ben", "carl", "dan"))


class Interrupted:
    """An embedder during whose third look Ctrl-C is pressed."""

    def __init__(self) -> None:
        self.looks = 0

    def embed(self, image, keypoints):
        self.looks += 1
        if self.looks == 3:
            raise KeyboardInterrupt
        return face_models().recogniser.embed(image, keypoints)


def test_everybody_in_a_picture_is_kept_from_left_to_right(people_photo: Path, out: Path) -> None:
    assert run(out, people_photo)["faces"] == 4
    faces = Faceset.open(out)
    middles = [transform(inverse(face.matrix), face.keypoints).mean(axis=0)[0] for face in faces.records]
    assert [int(middle // 320) for middle in middles] == [0, 1, 2, 3]
    for face in faces.records:
        assert faces.picture(face).shape == (512, 512, 3)
        assert (face.clip, face.frame, face.time_s) == ("people.png", None, None)
        assert face.embedding is None
    assert set(faces.people()) == {0, 1, 2, 3}  # in one picture nobody is there twice
    assert read_image(out / "sheet.png").shape[1] > 1000


@pytest.mark.parametrize(("template", "size"), [("ffhq", 512), ("arcface", 128), ("whole", 256)])
def test_keypoints_lie_where_they_are_said_to(people_photo: Path, out: Path, template: str, size: int) -> None:
    run(out, people_photo, template=template, size=size)
    faces = Faceset.open(out)
    for face in faces.records:
        np.testing.assert_allclose(keypoints_of(face.landmarks), face.keypoints, atol=0.02)
        (seen,) = measure_faces(faces.picture(face), face_models().photo_detector, face_models().landmarks)
        assert seen is not None
        assert np.abs(keypoints_of(seen.landmarks) - face.keypoints).max() <= {512: 3.0, 256: 2.0, 128: 1.5}[size]
        corners = [0, 1, 3, 4]  # eyes and mouth
        off = face.keypoints[corners] - (TEMPLATES[template] * size)[corners]
        assert np.abs(off.mean(axis=0)).max() < 0.05
        assert np.abs(off).max() <= 3 * size / 128  # people differ


def test_a_face_at_the_edge_is_continued_not_black(tmp_path: Path, out: Path) -> None:
    picture = save(tmp_path / "close.png", persona("ada")[120:400, 140:375])
    run(out, picture)
    (face,) = faces_in(out)
    assert read_image(out / face.file)[:8].max(axis=2).min() > 0


def test_a_picture_without_a_face_is_an_error_in_one_line(tmp_path: Path, out: Path) -> None:
    with pytest.raises(InputError, match=r"^no face found; got 1 file without one") as caught:
        run(out, save(tmp_path / "grey.png", np.full((200, 300, 3), 128, np.uint8)))
    assert caught.value.exit_code == 1


def test_a_photo_on_its_side_by_exif_is_put_upright(tmp_path: Path, out: Path) -> None:
    lying = cv2.rotate(persona("ben"), cv2.ROTATE_90_COUNTERCLOCKWISE)
    data = cv2.imencode(".jpg", lying)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    photo = tmp_path / "phone.jpg"
    photo.write_bytes(data[:2] + segment + data[2:])
    run(out, photo)
    assert abs(faces_in(out)[0].pose.roll) < 10


def test_sixteen_bit_pictures_look_like_eight_bit_ones(tmp_path: Path, out: Path) -> None:
    run(out / "16", save(tmp_path / "deep.png", persona("ada").astype(np.uint16) * 257))
    run(out / "8", save(tmp_path / "flat.png", persona("ada")))
    deep, flat = (read_image(next((out / name).glob("*_1.png"))).astype(int) for name in ("16", "8"))
    assert np.abs(deep - flat).max() <= 2


def test_files_that_cannot_be_read_are_named_and_the_rest_is_done(tmp_path: Path, out: Path) -> None:
    good = save(tmp_path / "good.jpg", persona("ada"))
    (tmp_path / "cut.png").write_bytes(cv2.imencode(".png", persona("ben"))[1].tobytes()[:400])
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    )
    (tmp_path / "words.mp4").write_text("no video")
    result = run(out, tmp_path, tmp_path / "missing.jpg", Path("\0"))
    assert result["faces"] == 1
    assert {Path(name).name for name in result["unreadable"]} == {
        "cut.png",
        "bomb.png",
        "words.mp4",
        "missing.jpg",
        "\0",
    }
    assert [face.clip for face in faces_in(out)] == [good.name]


@pytest.mark.parametrize("embedder", ["dlib", "rtswap"])
def test_the_same_again_is_left_out_and_different_people_stay(tmp_path: Path, out: Path, embedder: str) -> None:
    if embedder == "dlib" and face_models().embedder() is None:
        pytest.skip("dlib's network is not installed")
    first = save(tmp_path / "1.png", group("ada", "ben"))
    again = save(tmp_path / "2.jpg", cv2.resize(group("ben", "ada", "carl"), None, fx=0.9, fy=0.9), 1, 80)
    result = run(out, first, again, seeing=face_models if embedder == "dlib" else open_quick_models)
    assert (result["faces"], result["refused"]) == (3, {"alike": 2})
    assert result["told apart by"] == embedder
    assert run(out / "all", first, again, keep_all=True)["faces"] == 5


def test_every_refusal_is_counted_by_its_reason(tmp_path: Path, out: Path) -> None:
    blurred = cv2.GaussianBlur(persona("ben"), (0, 0), 9)
    folder = tmp_path / "in"
    folder.mkdir()
    for name, image in (
        ("small", cv2.resize(persona("ada"), (140, 140), interpolation=cv2.INTER_AREA)),
        ("blurred", blurred),
        ("dark", (persona("ada") * 0.18).astype(np.uint8)),
        ("good", persona("dan")),
    ):
        save(folder / f"{name}.png", image)
    result = run(out, folder)
    assert result["faces"] == 1
    assert result["refused"] == {"too small": 1, "blurred": 1, "too dark": 1}
    assert sum(sum(entry["refused"].values()) for entry in progress_in(out)) == 3


def test_none_good_enough_is_an_error_with_the_reasons(tmp_path: Path, out: Path) -> None:
    photo = save(tmp_path / "a.png", persona("ada"))
    with pytest.raises(InputError, match=r"no face is good enough; got 1 face: 1 too small\. --min-face changes"):
        run(out, photo, limits=replace(QualityLimits(), min_face_px=2000))


def test_a_clip_gives_pictures_some_time_apart(tmp_path: Path, out: Path) -> None:
    clip = tmp_path / "talk.mp4"
    pictures = [cv2.resize(persona(name), (360, 360), interpolation=cv2.INTER_AREA) for name in ("ada", "ben")]
    make_clip(clip, lambda number: pictures[number // 8 % 2], count=32, fps=16)
    result = run(out, clip)
    assert result["faces"] == 2
    assert result["refused"] == {"alike": 2}
    assert [(face.frame, face.time_s) for face in faces_in(out)] == [(0, 0.0), (8, 0.5)]
    run(out / "all", clip, keep_all=True, every_s=1.0)
    assert [face.frame for face in faces_in(out / "all")] == [0, 16]


def test_a_last_tick_shows_100_percent(tmp_path: Path, out: Path) -> None:
    make_clip(tmp_path / "clip.mp4", 12)
    photo, shown = save(tmp_path / "photo.png", group("ada")), io.StringIO()
    extract(
        ExtractOptions((str(tmp_path / "clip.mp4"), str(photo)), out),
        open_quick_models,
        console=Console(stream=shown),
    )
    assert [line.split()[:2] for line in shown.getvalue().splitlines() if "%" in line][-1] == ["100%", "13/13"]


def test_finished_files_are_skipped(people_photo: Path, tmp_path: Path, out: Path) -> None:
    run(out, people_photo)
    before = contents(out)

    def blind() -> FaceModels:
        raise AssertionError("a network was opened")

    result = run(out, people_photo, seeing=blind)
    assert (result["new"], result["faces"], result["done before"]) == (0, 4, 1)
    assert contents(out) == before
    more = save(tmp_path / "more.png", group("ada", "vera"))
    assert run(out, people_photo, more)["new"] == 1  # ada is known from the picture of the first run


def test_files_that_an_earlier_run_found_nothing_in_are_not_said_to_show_nobody(tmp_path: Path, out: Path) -> None:
    photo = save(tmp_path / "small.png", cv2.resize(group("ada"), (120, 120)))
    with pytest.raises(InputError, match="no face is good enough"):
        run(out, photo)
    with pytest.raises(InputError, match=r"no new face; got 1 file that an earlier run finished\. Add --overwrite"):
        run(out, photo)
    found = run(out, photo, limits=QualityLimits(min_face_px=20))
    assert (found["new"], found["faces"]) == (1, 1), "there is nothing to lose, so that no -y is needed"


def test_nothing_is_overwritten_without_the_flag(people_photo: Path, out: Path) -> None:
    run(out, people_photo)
    before = contents(out)
    other = QualityLimits(min_face_px=100, light=(30, 200))
    with pytest.raises(
        OutputError, match=r"was extracted with a different --size, --min-face, --max-light, --every\."
    ):
        run(out, people_photo, size=256, every_s=1.0, limits=other)
    assert contents(out) == before
    run(out, people_photo, size=256, overwrite=True)
    assert {face.size for face in faces_in(out)} == {256}
    assert run(out, people_photo, size=256, overwrite=True)["new"] == 4
    assert len(contents(out)) == 10


def test_foreign_files_in_the_folder_are_kept(people_photo: Path, out: Path) -> None:
    run(out, people_photo)
    (out / TABLE).unlink()
    (out / "sheet.png").unlink()
    save(next(out.glob("*_1.png")), persona("ada"))
    before = contents(out)
    with pytest.raises(OutputError, match=r"exists but is not in faces\.jsonl"):
        run(out, people_photo)
    assert {name: data for name, data in contents(out).items() if name in before} == before


HEADER = '{"faceset": 1, "settings": {}}\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]\n",
        "{\n",
        HEADER + '{"file": "../x.png"}\n',
        HEADER + '{"input": 7, "name": "a.mp4"}\n',
        HEADER + '{"input": "ab", "name": "a.mp4", "refused": 3}\n',
        HEADER + '{"input": "ab", "name": "a.mp4", "next_s": "1"}\n',
        HEADER + '{"input": "ab", "name": "a.mp4", "more": 1}\n',
    ],
)
def test_a_hostile_index_removes_nothing(people_photo: Path, out: Path, text: str) -> None:
    out.mkdir()
    outside = save(out.parent / "x.png", persona("ada"))
    (out / TABLE).write_text(text)
    with pytest.raises(OutputError, match="was not written by rtswap extract"):
        run(out, people_photo)
    assert (out / TABLE).read_text() == text
    run(out, people_photo, overwrite=True)
    assert outside.exists()
    assert len(faces_in(out)) == 4


def test_ctrl_c_keeps_finished_faces_and_the_next_run_continues(people_photo: Path, out: Path) -> None:
    interrupted = Interrupted()
    result = run(out, people_photo, seeing=lambda: open_quick_models()._replace(embedder=lambda: interrupted))
    assert result["interrupted"] is True
    faces = Faceset.open(out)
    assert len(faces.records) == 2
    assert all(faces.picture(face).shape == (512, 512, 3) for face in faces.records)
    assert not list(out.glob(".*"))
    run(out, people_photo)
    run(out.parent / "whole", people_photo)
    assert contents(out) == contents(out.parent / "whole")


def test_embeddings_are_written_only_with_the_flag(tmp_path: Path, out: Path) -> None:
    run(out, save(tmp_path / "a.png", persona("ada")), embeddings=True)
    (face,) = faces_in(out)
    assert face.space == "rtswap"
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-3)


def test_output_is_not_read_as_input(people_photo: Path) -> None:
    with pytest.raises(UsageError, match="is both input and output"):
        run(people_photo.parent, people_photo.parent)


@pytest.mark.parametrize("address", ["0", "rtsp://host/cam"])
def test_live_inputs_are_refused(out: Path, address: str) -> None:
    with pytest.raises(UsageError, match="expected photos, folders or video files"):
        run(out, Path(address)) if address == "0" else extract(
            ExtractOptions((address,), out), open_quick_models, console=Console()
        )
    assert not out.exists()


def test_enlarged_faces_are_reported(tmp_path: Path, out: Path) -> None:
    small = save(tmp_path / "a.png", cv2.resize(persona("ada"), (256, 256), interpolation=cv2.INTER_AREA))
    assert run(out, small)["enlarged more than 1.5 times"] == 1


def test_made_anew_a_file_is_not_taken_for_like_itself(tmp_path: Path, out: Path) -> None:
    photos = [save(tmp_path / f"{name}.png", persona(name)) for name in ("ada", "ben")]
    run(out, *photos)
    result = run(out, *photos, overwrite=True)
    assert (result["new"], result["refused"]) == (2, {})


def test_interrupted_clip_continues_from_its_frame(tmp_path: Path, out: Path) -> None:
    clip = tmp_path / "group.mp4"
    pictures = [group("ada", "ben", size=256), group("carl", "vera", size=256)]
    make_clip(clip, lambda number: pictures[number // 4], count=8, fps=8)
    interrupted = Interrupted()
    run(out, clip, seeing=lambda: open_quick_models()._replace(embedder=lambda: interrupted))
    assert len(faces_in(out)) == 2
    assert run(out, clip)["new"] == 2
    assert [face.frame for face in faces_in(out)] == [0, 0, 4, 4]
    assert run(out, clip)["done before"] == 1


def test_a_file_given_twice_counts_once(tmp_path: Path, out: Path) -> None:
    photo = save(tmp_path / "a.png", persona("ada"))
    copy = tmp_path / "b.png"
    copy.write_bytes(photo.read_bytes())
    result = run(out, photo, copy, keep_all=True)
    assert (result["faces"], result["given twice"]) == (1, 1)
