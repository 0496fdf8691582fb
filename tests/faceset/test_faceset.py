"""The faceset: what is written is read again, and what is missing, damaged or hostile is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from facesets import make_faceset, make_record

from rtswap.core.errors import InputError, OutputError
from rtswap.faceset import table
from rtswap.faceset.faceset import Faceset
from rtswap.faceset.record import line_of, record_of
from rtswap.faceset.table import TABLE, TableWriter, header, read_lines, rewrite
from rtswap.vision.geometry import points68_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "faces"


def lines(folder: Path) -> list[bytes]:
    return (folder / TABLE).read_bytes().splitlines(keepends=True)


def test_record_survives_its_line() -> None:
    record = make_record(2, embedding=np.full(128, 128**-0.5, np.float32), space="dlib", clip="fête \udcff.mp4")
    again = record_of(json.loads(line_of(record)))
    for name in FIELDS:
        wrote, read = getattr(record, name), getattr(again, name)
        if isinstance(wrote, np.ndarray):
            assert read.dtype == np.float32
            np.testing.assert_allclose(read, wrote, atol=0.0051)
        elif name == "pose":
            np.testing.assert_allclose(read, wrote, atol=0.001)
        else:
            assert read == wrote


FIELDS = tuple(make_record().__dataclass_fields__)


def test_faceset_gives_pictures_masks_and_people(folder: Path) -> None:
    records = make_faceset(folder)
    faces = Faceset.open(folder)
    assert faces.settings == {"size": 64, "template": "whole"}
    assert [face.file for face in faces.records] == [record.file for record in records]
    for face in faces.records:
        assert faces.picture(face).shape == (64, 64, 3)
        mask = faces.mask(face)
        assert (mask.shape, mask.dtype, set(np.unique(mask))) == ((64, 64), np.uint8, {0, 255})
        assert mask[tuple(np.round(face.landmarks[1, 1::-1]).astype(int))] == 255  # the nose is visible
        np.testing.assert_array_equal(face.points68, points68_of(face.landmarks))
    assert {person: [face.frame for face in found] for person, found in faces.people().items()} == {
        0: [0, 30],
        1: [15, 45],
    }


def test_table_is_plain_json_lines(folder: Path) -> None:
    make_faceset(folder)
    first, *faces = [json.loads(line) for line in lines(folder)]
    assert first["faceset"] == 1
    assert first["made_by"].startswith("rtswap ")
    assert "personal data" in first["about"]
    assert len(faces) == 4
    assert "embedding" not in faces[0]


def test_a_line_cut_off_by_a_kill_is_passed_over_and_repaired(folder: Path) -> None:
    make_faceset(folder)
    whole = (folder / TABLE).read_bytes()
    (folder / TABLE).write_bytes(whole[:-5000])
    assert len(Faceset.open(folder).records) == 3
    *_, last = read_lines(folder)
    with TableWriter(folder, {}, keep=last.end) as table:
        table.append(line_of(make_record(3)))
    assert (folder / TABLE).read_bytes() == whole


def test_deleted_pictures_are_left_out(folder: Path) -> None:
    make_faceset(folder)
    (folder / "clip_1.png").unlink()
    faces = Faceset.open(folder)
    assert [face.frame for face in faces.records] == [0, 30, 45]
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"there are no faces in .*; got 4 in faces.jsonl, and none of their pict"):
        Faceset.open(folder)


def test_missing_torn_and_exchanged_pictures_are_told(folder: Path) -> None:
    first, second, *_ = make_faceset(folder)
    faces = Faceset.open(folder)
    (folder / first.mask).unlink()
    with pytest.raises(InputError, match=r"no such file: .*clip_0_mask.png"):
        faces.mask(first)
    (folder / first.file).write_bytes((folder / first.file).read_bytes()[:500])
    with pytest.raises(InputError, match=r"clip_0\.png.* damaged"):
        faces.picture(first)
    (folder / second.mask).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError, match=r"cannot decode .*clip_1_mask.png"):
        faces.mask(second)
    cv2.imwrite(str(folder / second.file), np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(InputError, match=r"expected 64x64; got 48x32"):
        faces.picture(second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "was not written by rtswap extract"),
        ("[]\n", "was not written by rtswap extract"),
        ('{"faceset": 1}\n', "was not written by rtswap extract"),
        ('{"faceset": "1", "settings": {}}\n', "was not written by rtswap extract"),
        ('{"faceset": 2, "settings": {}}\n', "another version; expected version 1; got version 2. Update rtswap."),
        ('{"faceset": 0, "settings": {}}\n', "got version 0. Extract the faces again"),
        ('{"faceset": 1, "settings": {}}\n', "there are no faces in"),
        ('{"faceset": 1, "settings": {}}\n{"file": "a.png"}\n', "something else in line 2"),
        ('{"faceset": 1, "settings": {}}\n{"file": NaN}\n', "something else in line 2"),
        ('{"faceset": 1, "settings": {}}\n' + "[" * 100_000 + "\n", "something else in line 2"),
    ],
)
def test_foreign_tables_are_one_line(folder: Path, text: str, message: str) -> None:
    folder.mkdir()
    (folder / TABLE).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Faceset.open(folder)
    assert "\n" not in str(caught.value)


def test_an_endless_line_is_not_read_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_faceset(folder, 1)
    Faceset.open(folder)
    with monkeypatch.context() as patched:
        patched.setattr(table, "_LONGEST", 1000)
        with pytest.raises(InputError, match="there are no faces"):
            Faceset.open(folder)
    (folder / TABLE).write_bytes(json.dumps(header({})).encode() + b"\n" + b" " * (3 << 20) + b"\n")
    with pytest.raises(InputError):
        Faceset.open(folder)


def test_folder_of_an_older_version_says_what_to_do(folder: Path) -> None:
    folder.mkdir()
    (folder / "faces.json").write_text("{}")
    with pytest.raises(InputError, match=r"older rtswap extract; expected faces.jsonl; got faces.json. Extract"):
        Faceset.open(folder)


@pytest.mark.parametrize("name", ["missing", "\0", "file"])
def test_no_folder_and_no_table_are_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"not a faceset|cannot read") as caught:
        Faceset.open(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(
        InputError, match=r"is not a faceset.*no faces.jsonl. Extract its faces first: rtswap extract /"
    ):
        Faceset.open(tmp_path)
    if name == "file":
        assert "got a file. Extract its faces first: rtswap extract " in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[
            ("file", name)
            for name in ("../x.png", "/x.png", "a/b.png", "a\\b.png", "C:x.png", ".png", "x.gif", "a\0.png")
        ],
        ("file", 7),
        ("mask", "../x.png"),
        ("mask", "x.jpg"),
        ("size", 0),
        ("size", True),
        ("size", 1 << 20),
        ("matrix", [[1, 0], [0, 1]]),
        ("keypoints", [[1, 2]]),
        ("keypoints", [["1", "2"]] * 5),
        ("landmarks", [[1e9, 0, 0]] * 468),
        ("landmarks", [[x * 1e5, 30, 0] for x in (-1, 1) * 234]),  # ended a training in an internal error
        ("keypoints", [[1e5, 0]] * 5),
        ("points68", [[1e9, 0]] * 68),
        ("matrix", [[12345.5, 0, 0], [0, 1, 0]]),  # becomes 1e400: infinite
        ("matrix", [[1e300, 0, 0], [0, 1, 0]]),
        ("landmarks", [[5, 5, 0]] * 468),
        ("points68", [[1, [2]]] * 68),
        ("pose", [1, 2]),
        ("pose", [1e6, 0, 0]),
        ("person", 1.5),
        ("clip", None),
        ("frame", "1"),
        ("time_s", "soon"),
        ("score", "good"),
        ("quality", {"yaw": None}),
        ("quality", 3),
        ("embedding", "abc"),
        ("embedding", 3),
        ("embedding", []),
        ("embedding", [0.0] * 128),
        ("embedding", [1e5] * 128),
        ("licence", 3),
    ],
)
def test_hostile_records_are_refused(folder: Path, key: str, value: object) -> None:
    make_faceset(folder, 1)
    first, face = [json.loads(line) for line in lines(folder)]
    line = json.dumps(face | {key: value}).replace("12345.5", "1e400")
    (folder / TABLE).write_text(f"{json.dumps(first)}\n{line}\n")
    with pytest.raises(InputError, match=r"was not written by rtswap extract.* in line 2"):
        Faceset.open(folder)


def test_a_full_disk_leaves_complete_lines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_faceset(folder)
    before = (folder / TABLE).read_bytes()

    class Full:
        """Takes a part of the line, then is full."""

        def __init__(self, file: object) -> None:
            self._file, self._writes = file, 0

        def write(self, data: bytes) -> int:
            self._writes += 1
            if self._writes > 1:
                raise OSError(28, "No space left on device")
            return self._file.write(data[:100])

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

    table = TableWriter(folder, {}, keep=len(before))
    table._file = Full(table._file)
    with pytest.raises(OutputError, match=r"cannot write .*faces.jsonl; got No space left on device"):
        table.append(line_of(make_record(4)))
    table.close()
    assert (folder / TABLE).read_bytes() == before


def test_rewriting_is_all_or_nothing(folder: Path) -> None:
    make_faceset(folder)
    before = (folder / TABLE).read_bytes()

    def some():
        yield header({})
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"No space left"):
        rewrite(folder, some())
    assert (folder / TABLE).read_bytes() == before
    assert not list(folder.glob(".*"))
    rewrite(folder, (line.entry | ({"person": 5} if "file" in line.entry else {}) for line in read_lines(folder)))
    assert set(Faceset.open(folder).people()) == {5}
