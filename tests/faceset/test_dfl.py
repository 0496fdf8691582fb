"""DeepFaceLab's aligned faces: what it would write is read, what we write it could read, and no pickle runs."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from facesets import make_record

from rtswap.faceset import plain_pickle
from rtswap.faceset.dfl import read_aligned, write_aligned
from rtswap.faceset.plain_pickle import Array, read_plain
from rtswap.vision.geometry import inverse, transform


def jpeg(said: object, protocol: int = 3, payload: bytes | None = None) -> bytes:
    """A JPEG with DeepFaceLab's segment behind JFIF's."""
    data = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()
    payload = payload if payload is not None else pickle.dumps(said, protocol)
    place = 4 + int.from_bytes(data[4:6], "big")
    return data[:place] + b"\xff\xef" + (len(payload) + 2).to_bytes(2, "big") + payload + data[place:]


def said(**more: object) -> dict[str, object]:
    """As DeepFaceLab writes it."""
    points = make_record().points68
    mask = cv2.imencode(".png", np.full((32, 32), 255, np.uint8))[1]
    return {
        "face_type": "whole_face",
        "landmarks": points.tolist(),
        "source_filename": "00042.png",
        "source_rect": [1, 2, 30, 40],
        "source_landmarks": (points * 2 + 5).tolist(),
        "image_to_face_mat": np.array([[0.5, 0, -2.5], [0, 0.5, -2.5]]),
        "xseg_mask": mask,
    } | more


@pytest.mark.parametrize("protocol", range(2, 6))  # older ones are Python 2's
def test_plain_values_are_read_whatever_the_protocol(protocol: int) -> None:
    value = {"a": [1, -2, 3.5, None, True, 10**12], "b": ("x", b"\0\xff", {}), "c": np.float64(2.5), 3: "ü"}
    value["array"] = np.arange(6, dtype=np.int32).reshape(2, 3)
    found = read_plain(pickle.dumps(value, protocol))
    array = found.pop("array")
    assert isinstance(array, Array)
    np.testing.assert_array_equal(array.values, value.pop("array"))
    assert found == value


def test_an_aligned_face_is_read() -> None:
    data = jpeg(said())
    found = read_aligned(data)
    assert (found.template, found.clip) == ("whole", "00042.png")
    np.testing.assert_allclose(found.points68, make_record().points68, atol=1e-4)
    np.testing.assert_allclose(found.matrix, [[0.5, 0, -2.5], [0, 0.5, -2.5]], atol=1e-6)
    assert found.mask.shape == (32, 32)
    assert b"\xff\xef" not in found.jpeg[:200]
    np.testing.assert_array_equal(decoded(found.jpeg), decoded(data))


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_what_is_missing_is_derived_or_left_out() -> None:
    found = read_aligned(jpeg(said(image_to_face_mat=None, xseg_mask=None, source_filename=None)))
    np.testing.assert_allclose(found.matrix, [[0.5, 0, -2.5], [0, 0.5, -2.5]], atol=1e-3)
    assert (found.mask, found.clip) == (None, "")
    found = read_aligned(jpeg({"landmarks": make_record().points68}))
    assert found.template == "full"
    np.testing.assert_array_equal(found.matrix, np.eye(2, 3))


def test_written_faces_are_what_deepfacelab_reads() -> None:
    record = make_record(1, matrix=np.array([[0.5, 0.1, 3], [-0.1, 0.5, 4]], np.float32))
    picture, mask = np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    data = write_aligned(record, "whole", picture, mask)
    assert data[:4] == b"\xff\xd8\xff\xe0"  # JFIF's segment comes first
    place = data.index(b"\xff\xef")
    payload = data[place + 4 : place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")]
    names = [argument for opcode, argument, _ in pickletools.genops(payload) if opcode.name == "GLOBAL"]
    assert names == ["numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"]  # as NumPy 1 has them
    found = pickle.loads(payload.replace(b"numpy.core.", b"numpy._core."))  # our own
    assert found["face_type"] == "whole_face"
    assert found["source_filename"] == "00016.png"  # frame 15, counted from 1
    assert np.array(found["landmarks"]).shape == np.array(found["source_landmarks"]).shape == (68, 2)
    np.testing.assert_allclose(
        transform(record.matrix, np.array(found["source_landmarks"], np.float32)), record.points68, atol=0.01
    )
    left, top, right, bottom = found["source_rect"]
    assert left < right
    assert top < bottom
    assert cv2.imdecode(found["xseg_mask"], cv2.IMREAD_UNCHANGED)[30, 30] == 255
    again = read_aligned(data)
    np.testing.assert_allclose(again.matrix, record.matrix, atol=1e-5)
    np.testing.assert_allclose(inverse(again.matrix), inverse(record.matrix), atol=1e-3)
    np.testing.assert_allclose(again.points68, record.points68, atol=1e-4)


# Hostile


class Runs:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple[object, ...]:
        function, *arguments = self.call
        return function, tuple(arguments)


class Builds:
    """An object with a state."""


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        Runs(os.system, "touch ran"),
        Runs(eval, "open('ran', 'w')"),
        Runs(subprocess.Popen, ["touch", "ran"]),
        Runs(getattr, "os", "system"),
        Runs(np.load, "ran"),
        collections.OrderedDict(a=1),
        Builds(),
        np.array([Builds()], object),
        np.zeros(2, [("a", "i4")]),
        np.zeros(2, "S5"),
        np.dtype("O"),
        {1, 2},
        os.system,
    ],
    ids=lambda value: type(value).__name__,
)
def test_pickles_of_anything_else_are_refused_and_nothing_runs(
    value: object, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    payload = pickle.dumps({"landmarks": value}, protocol)
    with pytest.raises(ValueError, match=r"."):
        read_plain(payload)
    with pytest.raises(ValueError, match=r"."):
        read_aligned(jpeg(None, payload=payload))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b".",
        b"N",
        b"(.",
        b"a.",
        b"NN.",
        b"cos\nsystem\n(S'ls'\ntR.",
        b"(S'ls'\nios\nsystem\n.",
        b"cnumpy\nndarray\n)R.",
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fNNtb.",
        b"Nr\xff\xff\xff\x7f.",  # a memo of 2 GB elsewhere
        b"h\x07.",
        b"\x8b\xff\xff\xff\x7f.",
        b"X\xff\xff\xff\x7fabc.",
        b"I" + b"9" * 50_000 + b"\n.",
        b"]" + b"\x94" * 3 + b"(" * 60_000 + b".",
        b"\x80\xff.",
        b"P1\n.",
        b"\x82\x01.",
    ],
)
def test_damaged_pickles_are_refused_at_once(payload: bytes) -> None:
    try:
        found = read_plain(payload)
    except ValueError:
        return
    assert found is None  # the large memo index is harmless here


def test_sizes_are_limited() -> None:
    with pytest.raises(ValueError, match="too long"):
        read_plain(pickle.dumps(bytes(plain_pickle.MOST_BYTES)))
    payload = pickle.dumps(np.zeros((3, 3), np.uint8), 2).replace(b"K\x03K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86")
    with pytest.raises(ValueError, match="a shape"):
        read_plain(payload)
    mask = cv2.imencode(".png", np.zeros((4100, 4100), np.uint8))[1]
    with pytest.raises(ValueError, match="a damaged mask"):
        read_aligned(jpeg(said(xseg_mask=mask)))


def test_lists_that_contain_themselves_are_no_landmarks() -> None:
    loop: list[object] = []
    loop.extend([loop] * 68)
    nested: list[object] = [0.0, 0.0]
    for _ in range(60):
        nested = [nested, nested]
    arrays = np.full((68, 2), np.nan), np.full((68, 2), 1e7)
    for value in (loop, [nested] * 68, {"a": 1}, "x" * 68, [[True, False]] * 68, [[10**30, 0]] * 68, *arrays):
        with pytest.raises(ValueError, match="damaged landmarks"):
            read_aligned(jpeg(said(landmarks=value)))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"landmarks": [[0, float("nan")]] * 68}, "damaged landmarks"),
        ({"landmarks": None}, "damaged landmarks"),
        ({"landmarks": np.zeros((67, 2))}, "damaged landmarks"),
        ({"face_type": "half_face"}, "the face type 'half_face', not full_face, whole_face, head"),
        ({"face_type": ["full_face"]}, "the face type"),
        ({"image_to_face_mat": [[0, 0, 0], [0, 0, 0]]}, "cannot be inverted"),
        ({"xseg_mask": b"no picture"}, "damaged mask"),
        ({"xseg_mask": 5}, "damaged mask"),
        ({"xseg_mask": np.zeros(0, np.uint8)}, "damaged mask"),
    ],
)
def test_damaged_values_are_told(more: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_aligned(jpeg(said(**more)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no JPEG"),
        (b"\x89PNG\r\n\x1a\n", "no JPEG"),
        (b"\xff\xd8\xff\xe0\xff\xff", "damaged JPEG"),
        (b"\xff\xd8\xff\xe0\x00\x00\xff\xe0", "damaged JPEG"),
        (b"\xff\xd8\x00\xe0\x00\x02", "damaged JPEG"),
        (cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes(), "no data of DeepFaceLab"),
        (jpeg([1, 2]), "no data of DeepFaceLab"),
    ],
)
def test_other_files_are_told(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_aligned(data)
