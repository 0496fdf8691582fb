"""SCRFD, YuNet and RetinaFace behind the detector's seam: faces lie where the maps say, whatever the frame's size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import foreign_models as foreign
import numpy as np
import pytest
from imported_swappers import ENGINES, Counted

from rtswap.app.config import Config
from rtswap.app.model_section import ModelsConfig
from rtswap.app.networks import base_networks, open_models
from rtswap.core.errors import ModelError, NotInstalled
from rtswap.core.types import Box
from rtswap.networks.anchor_detectors import MOST, decode, decode_retinaface, decode_scrfd
from rtswap.networks.catalog import imported_models
from rtswap.networks.model_store import add
from rtswap.tracking.imported_detector import ImportedDetector

pytestmark = pytest.mark.usefixtures("models")

KEYPOINTS = np.array([[-1.5, -1], [1.5, -1], [0, 0.5], [-1, 2], [1, 2]], np.float32)
FILES = {"scrfd": foreign.scrfd(640), "yunet": foreign.yunet(), "retinaface": foreign.retinaface()}
PLACES = {
    # cell (10, 12) of a stride of 16, in pixels of 640 x 640
    "scrfd": ((192 - 64, 160 - 64, 192 + 64, 160 + 64), np.array([192, 160]) + KEYPOINTS * 16),
    "yunet": ((200 - 64, 168 - 64, 200 + 64, 168 + 64), np.array([192, 160]) + KEYPOINTS * 16),
    "retinaface": (
        (200 + 6.4 - 32, 168 - 32, 200 + 6.4 + 32, 168 + 32),
        np.array([200, 168]) + 6.4 * np.array([[-2, -1], [2, -1], [0, 0.5], [-1.5, 2], [1.5, 2]]),
    ),
}
SCORES = {"scrfd": 0.9, "yunet": 0.9, "retinaface": 0.95}


def detector(
    folder: Path, family: str, engine: str = "onnxruntime", content: bytes = b""
) -> tuple[ImportedDetector, Counted]:
    content = content or FILES[family]
    (path,) = foreign.write(folder, **{family: content}).values()
    add(path, kind=family)
    counted = Counted(ENGINES[engine](content))
    return ImportedDetector(counted, imported_models()[family]), counted


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", FILES)
def test_a_face_is_found_once_at_its_place(tmp_path: Path, family: str, engine: str) -> None:
    found, _ = detector(tmp_path, family, engine)
    (face,) = found.detect(np.zeros((640, 640, 3), np.uint8))
    box, keypoints = PLACES[family]
    assert np.abs(face.box - np.array(box)).max() < 0.01
    assert np.abs(face.keypoints - keypoints).max() < 0.01
    assert abs(face.score - SCORES[family]) < 1e-5
    assert face.box.dtype == face.keypoints.dtype == np.float32


@pytest.mark.parametrize("family", FILES)
def test_the_picture_is_reduced_padded_and_normalised_and_the_face_scaled_back(tmp_path: Path, family: str) -> None:
    found, counted = detector(tmp_path, family)
    frame = np.zeros((720, 1280, 3), np.uint8)
    frame[:] = 10, 100, 200
    (face,) = found.detect(frame)
    box, keypoints = PLACES[family]
    assert np.abs(face.box - 2 * np.array(box)).max() < 0.02
    assert np.abs(face.keypoints - 2 * keypoints).max() < 0.02
    ((taken),) = counted.inputs[0].values()
    means = {
        "scrfd": (np.array([200, 100, 10]) - 127.5) / 128,  # RGB
        "yunet": np.array([10.0, 100, 200]),  # BGR
        "retinaface": np.array([10.0 - 104, 100 - 117, 200 - 123]),
    }[family]
    assert np.abs(taken[0, :, 100, 100] - means).max() < 1e-3
    zero = {"scrfd": np.full(3, -127.5 / 128), "yunet": np.zeros(3), "retinaface": np.array([-104.0, -117, -123])}
    assert taken.shape == (1, 3, 640, 640)
    assert np.abs(taken[0, :, 500, 100] - zero[family]).max() < 1e-3


def test_a_file_that_takes_any_size_is_given_the_frames_own_shape(tmp_path: Path) -> None:
    found, counted = detector(tmp_path, "scrfd", content=foreign.scrfd())
    with pytest.raises(ModelError, match="12800 scores for a stride of 8, expected 7680"):
        found.detect(np.zeros((720, 1280, 3), np.uint8))  # the made-up file answers for 640 x 640
    assert counted.inputs[0]["input.1"].shape == (1, 3, 384, 640)


def test_a_small_frame_is_not_enlarged(tmp_path: Path) -> None:
    found, counted = detector(tmp_path, "yunet")
    (face,) = found.detect(np.full((480, 600, 3), 7, np.uint8))
    assert np.abs(face.box - np.array(PLACES["yunet"][0])).max() < 0.01
    (taken,) = counted.inputs[0].values()
    assert (taken[0, :, :480, :600] == 7).all()
    assert not taken[0, :, 480:].any()


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_face_is_looked_at_again_in_the_square_around_its_box(tmp_path: Path, turn: int) -> None:
    """The network sees the square turned back; what it finds is turned again. YuNet's made-up face lies at a fixed
    place of its picture, so that the place in the frame can be computed."""
    found, counted = detector(tmp_path, "yunet", content=foreign.yunet(at=(9, 8), stride=32))
    frame = np.zeros((720, 1280, 3), np.uint8)
    frame[300:340, 500:540] = 255  # in the box's upper left quarter
    box: Box = np.array([480, 280, 640, 440], np.float32)
    (face,) = found.refine(frame, [box], [turn])
    (taken,) = counted.inputs[0].values()
    seen = np.rot90(taken[0].transpose(1, 2, 0), -turn)
    side = 320 / 640  # frame pixels per picture pixel
    at = np.array(np.nonzero(seen[..., 0] > 128)).mean(1)[::-1] * side + np.array([400, 200])
    assert np.abs(at - np.array([519.5, 319.5])).max() < 1
    assert face is not None
    offset = (np.array([8.5, 9.5]) * 32 - 320) * side  # of the face's middle from the square's
    for _ in range(turn):  # np.rot90 turns the square to the left; what was right of its middle lies above it
        offset = np.array([-offset[1], offset[0]])
    middle = (face.box[:2] + face.box[2:]) / 2
    assert np.abs(middle - np.array([560, 360]) - offset).max() < 1.1
    assert np.abs(face.box[2:] - face.box[:2] - 8 * 32 * side).max() < 0.02
    if turn == 0:
        nose = (np.array([8, 9.5]) * 32) * side + np.array([400, 200])
        assert np.abs(face.keypoints[2] - nose).max() < 0.02


def test_what_lies_elsewhere_or_is_no_box_is_not_the_face(tmp_path: Path) -> None:
    found, counted = detector(tmp_path, "yunet")
    frame = np.zeros((720, 1280, 3), np.uint8)
    boxes = [np.array(box, np.float32) for box in ([0, 0, 2, 2], [np.nan, 0, 9, 9], [0, 0, 1e9, 1e9])]
    assert found.refine(frame, boxes) == [None, None, None]
    assert counted.inputs == []
    assert found.refine(frame, []) == []
    assert found.detect(np.zeros((0, 0, 3), np.uint8)) == []


def test_scores_below_the_least_and_doubles_are_left_out() -> None:
    values = {}
    for stride in (8, 16, 32):
        count = (64 // stride) ** 2 * 2
        values[f"s{stride}"] = np.linspace(0.1, 0.8, count, dtype=np.float32)[:, None]
        values[f"b{stride}"] = np.ones((count, 4), np.float32)
        values[f"k{stride}"] = np.zeros((count, 10), np.float32)
    faces = decode_scrfd(values, (64, 64), 0.5)
    assert faces.scores.min() >= 0.5
    assert len(faces.scores) == sum(int((values[f"s{stride}"] >= 0.5).sum()) for stride in (8, 16, 32))


def test_retinaface_before_the_softmax_is_read_as_well() -> None:
    count = sum((64 // stride) ** 2 * 2 for stride in (8, 16, 32))
    logits = np.tile(np.array([[3.0, -3.0]], np.float32), (count, 1))
    logits[5] = -2, 2
    outputs = {"b": np.zeros((1, count, 4)), "c": logits[None], "l": np.zeros((1, count, 10))}
    faces = decode_retinaface(outputs, (64, 64), 0.5)
    assert len(faces.scores) == 1
    assert abs(faces.scores[0] - 1 / (1 + np.exp(-4))) < 1e-6
    # the sixth prior is the larger one of the third cell: 32 px about x = 20, y = 4
    assert np.abs(faces.boxes[0] - np.array([4, -12, 36, 20])).max() < 1e-4


@pytest.mark.parametrize("family", FILES)
def test_maps_of_another_size_and_values_that_are_no_numbers_are_told(tmp_path: Path, family: str) -> None:
    found, counted = detector(tmp_path, family)
    good = counted.run

    def short(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: value[..., :-2, :] for name, value in good(inputs).items()}

    counted.run = short  # type: ignore[method-assign, assignment]
    with pytest.raises(ModelError, match="returns invalid values"):
        found.detect(np.zeros((640, 640, 3), np.uint8))
    counted.run = lambda inputs: {name: value + np.inf for name, value in good(inputs).items()}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="returns invalid values"), np.errstate(invalid="ignore"):
        found.detect(np.zeros((640, 640, 3), np.uint8))


def yunet(**changed: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs that see a face in every cell of 64 x 64 pixels."""
    sides = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    found = {
        f"{kind}_{stride}": np.ones((1, (64 // stride) ** 2, side), np.float32)
        for kind, side in sides.items()
        for stride in (8, 16, 32)
    }
    return found | changed


SHAPES = {
    "scrfd": [
        {"scores": np.array(0.9, np.float32)},
        {
            f"{kind}{stride}": np.ones((2 * (64 // stride) ** 2 if kind == "s" else 7, side), np.float32)
            for kind, side in {"s": 1, "b": 4, "k": 10}.items()
            for stride in (8, 16, 32)
        },
    ],
    "yunet": [
        yunet(cls_8=np.array(0.9, np.float32)),
        yunet(bbox_8=np.ones((1, 64, 2), np.float32)),
        yunet(kps_8=np.ones((1, 64, 4), np.float32)),
        yunet(kps_8=np.ones((1, 5, 10), np.float32)),
        yunet(bbox_8=np.full((1, 64, 4), 3e38, np.float32)),
    ],
    "retinaface": [
        {"b": np.ones((168, 4)), "k": np.ones((5, 10)), "c": np.ones((168, 2))},
        {"b": np.ones((168, 4)), "k": np.ones((168, 10)), "c": np.ones((5, 2))},
        {"b": np.full((168, 4), 3e38), "k": np.ones((168, 10)), "c": np.tile([0.0, 1.0], (168, 1))},
    ],
}


@pytest.mark.parametrize(
    ("family", "number"), [(name, at) for name, found in SHAPES.items() for at in range(len(found))]
)
def test_answers_of_any_shape_and_size_are_told(family: str, number: int) -> None:
    with pytest.raises(ModelError, match="the detector returns invalid values"):
        decode(family, SHAPES[family][number], (64, 64), 0.5)


def test_of_a_network_that_sees_a_face_everywhere_the_best_are_looked_at() -> None:
    """Two of each of 16,800 boxes were compared: 17 seconds and 5.7 GB a frame."""
    count = sum((640 // stride) ** 2 * 2 for stride in (8, 16, 32))
    sure = np.linspace(0.6, 0.9, count)
    outputs = {"b": np.zeros((count, 4)), "k": np.zeros((count, 10)), "c": np.stack([1 - sure, sure], 1)}
    faces = decode("retinaface", outputs, (640, 640), 0.5)
    assert len(faces.boxes) == len(faces.keypoints) == len(faces.scores) == MOST
    assert faces.scores.min() == np.float32(sure[-MOST])


def test_the_flag_opens_the_users_model_instead_of_mtcnn(tmp_path: Path) -> None:
    config = dataclasses.replace(Config(), models=ModelsConfig(detector="yunet"))
    with pytest.raises(NotInstalled, match="no yunet detector is installed; expected a model such as yunet_2023mar"):
        base_networks(config)
    add(foreign.write(tmp_path, yunet_2023mar=foreign.yunet())["yunet_2023mar"])
    assert base_networks(config)[:2] == ("yunet_2023mar", "landmarks")
    engine = dataclasses.replace(config.engine, engine="onnxruntime")
    models = open_models(dataclasses.replace(config, engine=engine), on_event=lambda event: None)
    assert isinstance(models.detector, ImportedDetector)
    assert len(models.photo_detector.detect(np.zeros((640, 640, 3), np.uint8))) == 1
