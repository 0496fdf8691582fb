"""``rtswap extract --from-dfl`` and ``--to-dfl``: aligned sets of DeepFaceLab come in and go out."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from extraction import contents, run, save
from people import group

from rtswap.commands.extract.command import COMMAND
from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.faceset.dfl import read_aligned
from rtswap.faceset.faceset import Faceset
from rtswap.vision.geometry import inverse, transform


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A faceset of three people, and the same as an aligned set."""
    folder = tmp_path_factory.mktemp("sets")
    photo = save(folder / "photo.png", group("ada", "ben", "carl"))
    result = run(folder / "faces", photo, template="whole", size=256, to_dfl=folder / "aligned")
    assert result["exported"] == 3
    return folder / "faces", folder / "aligned"


def test_what_is_exported_is_imported_again(exported: tuple[Path, Path], tmp_path: Path) -> None:
    ours, aligned = exported
    result = run(tmp_path / "again", aligned, from_dfl=True)
    assert (result["faces"], result["people"]) == (3, 3)
    before, after = Faceset.open(ours), Faceset.open(tmp_path / "again")
    assert after.settings["template"] == "whole"
    for one, other in zip(before.records, after.records, strict=True):
        assert other.clip == "photo.png"
        assert other.size == 256
        np.testing.assert_allclose(other.matrix, one.matrix, atol=1e-4)
        np.testing.assert_allclose(other.points68, one.points68, atol=0.011)
        assert np.abs(other.landmarks - one.landmarks)[:, :2].mean() < 1.5  # looked for anew
        assert np.abs(np.array(other.pose) - one.pose).max() < 4
        assert other.quality["face_px"] == pytest.approx(one.quality["face_px"], rel=0.05)
        assert np.abs(after.picture(other).astype(int) - before.picture(one)).mean() < 2
        assert (np.abs(after.mask(other).astype(int) - before.mask(one)) > 64).mean() < 0.01


def test_an_imported_picture_is_the_same_to_the_byte(exported: tuple[Path, Path], tmp_path: Path) -> None:
    _, aligned = exported
    run(tmp_path / "again", aligned, from_dfl=True)
    faces = Faceset.open(tmp_path / "again")
    for record, path in zip(faces.records, sorted(aligned.iterdir()), strict=True):
        stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(faces.picture(record), stored)


def test_an_import_continues_and_a_second_one_does_nothing(exported: tuple[Path, Path], tmp_path: Path) -> None:
    _, aligned = exported
    out = tmp_path / "again"
    run(out, aligned, from_dfl=True)
    before = contents(out)
    result = run(out, aligned, from_dfl=True)
    assert (result["new"], result["done before"]) == (0, 3)
    assert contents(out) == before


def test_foreign_and_hostile_files_are_named_and_the_rest_is_taken(
    exported: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, aligned = exported
    monkeypatch.chdir(tmp_path)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    good = min(aligned.iterdir()).read_bytes()
    (mixed / "a.jpg").write_bytes(cv2.imencode(".jpg", group("ada"))[1].tobytes())
    place = good.index(b"\xff\xef")
    end = place + 2 + int.from_bytes(good[place + 2 : place + 4], "big")

    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, ("touch ran",)

    def carrying(value: object) -> bytes:
        payload = pickle.dumps(value, 3)
        return good[:place] + b"\xff\xef" + (len(payload) + 2).to_bytes(2, "big") + payload + good[end:]

    (mixed / "b.jpg").write_bytes(carrying({"landmarks": Runs()}))
    points = read_aligned(good).points68.tolist()
    (mixed / "c.jpg").write_bytes(good)
    (mixed / "d.jpg").write_bytes(carrying({"face_type": "head", "landmarks": points}))
    (mixed / "e.jpg").write_bytes(carrying({"face_type": "half_face", "landmarks": points}))
    jaw_afar = [[60 * x, y] for x, y in points[:17]] + points[17:]
    (mixed / "f.jpg").write_bytes(carrying({"face_type": "whole_face", "landmarks": jaw_afar}))
    result = run(tmp_path / "out", mixed, from_dfl=True)
    assert len(Faceset.open(tmp_path / "out").records) == 1
    assert (result["faces"], result["refused"]) == (1, {"of another face type": 1})
    told = {Path(name).name: why for name, why in result["unreadable"].items()}
    assert set(told) == {"a.jpg", "b.jpg", "e.jpg", "f.jpg"}
    assert "no data of DeepFaceLab" in told["a.jpg"]
    assert "posix.system" in told["b.jpg"] or "nt.system" in told["b.jpg"]
    assert "half_face" in told["e.jpg"]
    assert "far away" in told["f.jpg"]
    assert not (tmp_path / "ran").exists()


def test_folders_that_are_no_aligned_set_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the folder"):
        run(tmp_path / "out", tmp_path / "missing", from_dfl=True)
    with pytest.raises(InputError, match=r"not an aligned set of DeepFaceLab.*no \.jpg files"):
        run(tmp_path / "out", tmp_path, from_dfl=True)
    (tmp_path / "faceset.pak").write_bytes(b"")
    with pytest.raises(InputError, match=r"packed set.*Unpack it"):
        run(tmp_path / "out", tmp_path, from_dfl=True)
    assert not (tmp_path / "out").exists()


def test_templates_that_deepfacelab_does_not_know_are_refused_at_once(tmp_path: Path) -> None:
    photo = save(tmp_path / "photo.png", group("ada"))
    with pytest.raises(UsageError, match=r"does not know the template ffhq; expected full, whole, head"):
        run(tmp_path / "faces", photo, to_dfl=tmp_path / "aligned")
    assert not (tmp_path / "faces").exists()


def test_an_export_overwrites_nothing_and_can_be_repeated(
    exported: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, _ = exported
    aligned = tmp_path / "aligned"

    def typed(*more: str) -> int:
        return COMMAND.run(COMMAND.parser().read(["--out", str(ours), "--to-dfl", str(aligned), *more]))

    assert typed() == 0
    assert "3 faces" in capsys.readouterr().out
    before = contents(aligned)
    assert typed() == 0
    assert contents(aligned) == before
    first = min(aligned.iterdir())
    first.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"exists\. Choose another folder with --to-dfl"):
        typed()
    assert first.read_bytes() == b"mine"
    assert typed("-y") == 0
    assert contents(aligned) == before


def test_a_full_disk_stops_an_export_in_one_line(
    exported: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rtswap.commands.extract.aligned_sets as sets

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sets, "write_atomic", full)
    words = ["--out", str(exported[0]), "--to-dfl", str(tmp_path / "aligned")]
    with pytest.raises(OutputError, match=r"cannot write .*; got No space left on device"):
        COMMAND.run(COMMAND.parser().read(words))


def test_inputs_and_an_aligned_set_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="takes the place of inputs"):
        COMMAND.run(COMMAND.parser().read(["a.jpg", "--from-dfl", "b", "--out", "c"]))


def test_points_in_the_frame_are_deepfacelabs(exported: tuple[Path, Path]) -> None:
    ours, aligned = exported
    faces = Faceset.open(ours)
    for record, path in zip(faces.records, sorted(aligned.iterdir()), strict=True):
        found = read_aligned(path.read_bytes())
        there = transform(inverse(found.matrix), found.points68)
        np.testing.assert_allclose(there, transform(inverse(record.matrix), record.points68), atol=0.05)
