"""Imported swappers: alignment, normalisation, colours, latent, masks and paste, to a pixel, on every engine.

The files are made by the tests with the real models' inputs, outputs, layouts and initialisers; they give back what
they are shown. What is expected is computed here again, with formulae as docs/models.md gives them.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import cv2
import foreign_models as foreign
import numpy as np
import pytest
from imported_swappers import ENGINES, Imported, Spaces, embedding, with_arcface
from people import person, place_mesh, swap_face

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.errors import ModelError, SourceError
from rtswap.core.types import Quality, SourceIdentity, Target
from rtswap.swappers.onnx.crops import border, join, outline, split
from rtswap.swappers.onnx.swapper import OnnxSwapper
from rtswap.vision.geometry import keypoints_of, transform
from rtswap.vision.templates import TEMPLATES
from rtswap.vision.topology import (
    LEFT_BROW,
    LEFT_EYE,
    LIPS_OUTER,
    NOSE_BASE,
    NOSE_RIDGE,
    RIGHT_BROW,
    RIGHT_EYE,
)

pytestmark = pytest.mark.usefixtures("models")

SIDES = {"inswapper": 128}
TEMPLATE = {
    "inswapper": "arcface-128",
    "simswap": "simswap",
    "ghost": "simswap",
    "hififace": "mtcnn",
    "hyperswap": "arcface-128",
    "blendswap": "ffhq",
    "uniface": "ffhq",
}
SIGNED = ("ghost", "hififace", "hyperswap", "uniface")
"""Families that take and give -1..1; the others 0..1."""
IMAGENET = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def picture(height: int = 480, width: int = 640) -> np.ndarray:
    """Smooth, with different colours everywhere, so that a crop says where it was taken and in which order."""
    y, x = np.mgrid[0:height, 0:width]
    blue = 40 + 150 * x / width
    green = 60 + 120 * y / height
    red = 128 + 60 * np.sin(x / 90) * np.cos(y / 70)
    return np.dstack([blue, green, red]).round().astype(np.uint8)


def bind(imported: Imported, **wanted: object) -> OnnxSwapper:
    swapper = imported.swap_model(**wanted).bind(with_arcface(person("ada")))
    assert isinstance(swapper, OnnxSwapper)
    return swapper


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", foreign.SWAPPERS)
def test_what_the_network_takes_is_aligned_and_normalised_as_its_home_program_does(
    tmp_path: Path, family: str, engine: str
) -> None:
    imported, side = Imported(tmp_path, foreign.swapper(family), family, engine), SIDES.get(family, 256)
    image, landmarks = picture(), place_mesh(70, (320.3, 240.8), roll=12)
    swapper = bind(imported)
    matrix, size = swapper.view(landmarks, 1024)
    assert size == (side, side)
    # eyes and mouth lie on the template; the nose of a mesh lies lower than a detector's
    corners = [0, 1, 3, 4]
    found = transform(matrix, keypoints_of(landmarks))[corners]
    best = TEMPLATES[TEMPLATE[family]][corners] * side
    assert np.abs(found.mean(0) - best.mean(0)).max() < 0.01
    assert np.abs(found - best).max() < 0.06 * side
    swapped, face = swap_face(swapper, image, landmarks)
    (taken,) = imported.engine.inputs
    rgb = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)[..., ::-1] / 255.0
    expected = (rgb - 0.5) / 0.5 if family in SIGNED else rgb
    assert taken["target"].dtype == np.float32
    assert np.abs(taken["target"] - expected.transpose(2, 0, 1)[None]).max() < 1e-5
    assert np.abs(swapped.crop.astype(int) - face.crop).max() <= 1


def test_simswap_256_is_given_imagenets_mean_and_deviation_and_simswap_512_is_not(tmp_path: Path) -> None:
    image, landmarks = picture(), place_mesh(70, (320, 240))
    for name, size in (("simswap_256", 256), ("simswap_unofficial_512", 512)):
        imported = Imported(tmp_path, foreign.swapper("simswap", size=size), name, name=name)
        _, face = swap_face(bind(imported), image, landmarks)
        rgb = face.crop[..., ::-1] / 255.0
        expected = (rgb - IMAGENET[0]) / IMAGENET[1] if size == 256 else rgb
        taken = imported.engine.inputs[0]["target"]
        assert np.abs(taken - expected.transpose(2, 0, 1)[None]).max() < 1e-5


def test_simswaps_output_is_0_to_1_although_its_input_is_not(tmp_path: Path) -> None:
    constant = foreign.file(
        [
            foreign.node("Mul", "target zero", "none"),
            foreign.node("ReduceMean", "source", "m", axes=[0, 1], keepdims=0),
            foreign.node("Mul", "m zero", "flat"),
            foreign.node("Add", "none color", "picture"),
            foreign.node("Add", "picture flat", "output"),
        ],
        {"target": [1, 3, 256, 256], "source": [1, 512]},
        {"output": [1, 3, 256, 256]},
        {"zero": np.zeros(1, np.float32), "color": np.array([1.2, 0.5, 0.1], np.float32).reshape(1, 3, 1, 1)},
    )
    swapped, _ = swap_face(bind(Imported(tmp_path, constant, "simswap_256")), picture(), place_mesh(70, (320, 240)))
    assert np.unique(swapped.crop.reshape(-1, 3), axis=0).tolist() == [[26, 128, 255]]


@pytest.mark.parametrize("family", foreign.SWAPPERS)
@pytest.mark.parametrize(("face_px", "roll"), [(60, 0), (60, 25), (200, -10), (420, 8)])
def test_an_identity_network_leaves_the_frame_as_it_was(
    tmp_path: Path, family: str, face_px: float, roll: float
) -> None:
    """Crop, network, mask and paste together: what comes back lies where it was taken from, in its own colours."""
    swapper = bind(Imported(tmp_path, foreign.swapper(family), family))
    image, landmarks = picture(720, 1280), place_mesh(face_px, (640.4, 360.7), roll=roll)
    swapped, _ = swap_face(swapper, image, landmarks, max_px=480)
    canvas = HostCanvas(image.copy())
    matrix, size = swapper.view(landmarks, 480)
    assert size[0] <= 480
    canvas.paste(swapped.crop, swapped.mask, matrix)
    changed = np.abs(canvas.image().astype(int) - image)
    assert changed.max() <= 3
    assert changed.mean() < 0.15


def test_a_large_face_is_averaged_down_and_enlarged_into_its_own_resolution(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.swapper("inswapper"), "inswapper")
    swapper = bind(imported)
    landmarks = place_mesh(300, (640, 360))
    sides = {limit: swapper.view(landmarks, limit)[1][0] for limit in (1024, 480, 300, 200, 100)}
    assert sides == {1024: 512, 480: 384, 300: 256, 200: 128, 100: 100}
    _, face = swap_face(swapper, picture(720, 1280), landmarks)
    blocks = face.crop.reshape(128, 4, 128, 4, 3).mean((1, 3))
    taken = imported.engine.inputs[0]["target"][0].transpose(1, 2, 0)[..., ::-1] * 255
    assert np.abs(taken - blocks).max() <= 0.51


def test_the_latent_of_inswapper_is_the_unit_vector_of_the_mapped_embedding_once_per_source(tmp_path: Path) -> None:
    imported, spaces = Imported(tmp_path, foreign.swapper("inswapper"), "inswapper"), Spaces()
    swapper = imported.swap_model().bind(with_arcface(person("ada"), spaces))
    image, landmarks = picture(), place_mesh(70, (320, 240))
    for _ in range(4):
        swap_face(swapper, image, landmarks)
    expected = embedding() @ foreign.EMAP
    expected /= np.linalg.norm(expected)
    assert spaces.asked == ["arcface"]
    assert imported.converter is not None
    assert len(imported.converter.inputs) == 1
    assert len(imported.engine.inputs) == 4
    for taken in imported.engine.inputs:
        assert taken["source"].shape == (1, 512)
        assert np.abs(taken["source"][0] - expected).max() < 1e-6


@pytest.mark.parametrize(("family", "unit"), [("simswap", True), ("ghost", False), ("hififace", True)])
def test_converters_are_given_the_embedding_at_its_own_length(tmp_path: Path, family: str, unit: bool) -> None:
    imported, spaces = Imported(tmp_path, foreign.swapper(family), family), Spaces()
    imported.converter = Imported(tmp_path, foreign.crossface(), f"crossface_{family}", name="converter").engine
    swap_face(imported.swap_model().bind(with_arcface(person("ada"), spaces)), picture(), place_mesh(70, (320, 240)))
    assert spaces.asked == ["arcface-raw"]
    assert np.allclose(imported.converter.inputs[0]["input"][0], embedding(0, 21.0))
    expected = embedding(0, 42.0)[::-1]
    expected = expected / np.linalg.norm(expected) if unit else expected
    assert np.allclose(imported.engine.inputs[0]["source"][0], expected, atol=1e-5)


def test_hyperswap_is_given_the_unit_embedding_and_its_own_mask_holds(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.swapper("hyperswap"), "hyperswap")
    swapped, face = swap_face(bind(imported), picture(), place_mesh(70, (320, 240)))
    assert np.allclose(imported.engine.inputs[0]["source"][0], embedding(), atol=1e-6)
    whole = outline(face.landmarks, 256)
    assert np.array_equal(swapped.mask[1:-1, 1:128], whole[1:-1, 1:128])
    assert not swapped.mask[:, 128:].any()


@pytest.mark.parametrize(("family", "side", "template"), [("blendswap", 112, "arcface"), ("uniface", 256, "ffhq")])
def test_families_that_look_at_the_photo_are_shown_its_aligned_crop(
    tmp_path: Path, family: str, side: int, template: str
) -> None:
    who, imported = person("ada"), Imported(tmp_path, foreign.swapper(family), family)
    swap_face(imported.swap_model().bind(who), picture(), place_mesh(70, (320, 240)))
    shown = imported.engine.inputs[0]["source"]
    assert shown.shape == (1, 3, side, side)
    assert 0 <= shown.min() < shown.max() <= 1
    eyes = TEMPLATES[template][:2] * side
    own = keypoints_of(who.landmarks)[:2]
    for at, origin in zip(eyes, own, strict=True):
        around = cv2.getRectSubPix(who.portrait, (5, 5), tuple(map(float, origin))).mean((0, 1))[::-1] / 255
        seen = shown[0, :, int(at[1]) - 1 : int(at[1]) + 2, int(at[0]) - 1 : int(at[0]) + 2].mean((1, 2))
        assert np.abs(around - seen).max() < 0.2


@pytest.mark.parametrize("boost", [2, 3, 4])
@pytest.mark.parametrize("family", ["inswapper", "simswap"])
def test_boost_shows_the_network_interleaved_pictures_in_one_run_where_it_may(
    tmp_path: Path, family: str, boost: int
) -> None:
    imported, side = Imported(tmp_path, foreign.swapper(family), family), SIDES.get(family, 256)
    swapped, face = swap_face(bind(imported, boost=boost), picture(720, 1280), place_mesh(90, (640.2, 360.4), roll=7))
    assert face.crop.shape[0] == side * boost
    assert np.abs(swapped.crop.astype(int) - face.crop).max() <= 1
    taken = [one["target"] for one in imported.engine.inputs]
    batched = family == "simswap"  # its file takes any number of pictures; inswapper's takes one
    assert [len(one) for one in taken] == ([boost**2] if batched else [1] * boost**2)
    tiles = np.concatenate(taken)
    for number in range(boost**2):
        tile = face.crop[number // boost :: boost, number % boost :: boost, ::-1].transpose(2, 0, 1) / 255
        assert np.abs(tiles[number] - tile).max() < 1e-5
    sources = [one["source"] for one in imported.engine.inputs]
    assert all(np.array_equal(row, sources[0][0]) for one in sources for row in one)


def test_splitting_and_joining_are_inverse() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    for boost in (1, 2, 3, 4):
        assert np.array_equal(join(split(crop, boost), boost), crop)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dfm_takes_bgr_in_rows_and_both_its_masks_hold(tmp_path: Path, engine: str) -> None:
    imported = Imported(tmp_path, foreign.dfm(), "dfm", engine)
    nobody = SourceIdentity(np.zeros((16, 16, 3), np.uint8), np.zeros((468, 3), np.float32))
    swapper = imported.swap_model(hull=False, morph=0.25).bind(nobody)
    landmarks = place_mesh(25, (320, 240))
    matrix, size = swapper.view(landmarks, 480)
    assert size == (64, 64)
    assert np.abs(transform(matrix, keypoints_of(landmarks))[:2] - TEMPLATES["whole"][:2] * 64).max() < 4
    swapped, face = swap_face(swapper, picture(), landmarks, max_px=480)
    (taken,) = imported.engine.inputs
    assert np.abs(taken["in_face:0"][0] - face.crop / 255).max() < 1e-6
    assert taken["morph_value:0"] == np.float32(0.25)
    expected = np.minimum(np.round(face.crop * np.array([1.25, 1, 1])), 255)
    assert np.abs(swapped.crop - expected).max() <= 1
    inside = border(64)
    assert np.array_equal(swapped.mask[:48, :48], inside[:48, :48])
    assert not swapped.mask[48:].any()
    assert not swapped.mask[:, 48:].any()


@pytest.mark.parametrize(("feature", "refused"), [("eyes", True), ("nose", True), ("mouth", False), ("", False)])
def test_a_mask_of_its_own_leaves_neither_eyes_nor_nose_bare(tmp_path: Path, feature: str, refused: bool) -> None:
    """A DFM file with a mask around the eyes showed them, and the swap counted as one."""
    imported = Imported(tmp_path, foreign.dfm(), "dfm")
    swapper, landmarks = bind(imported, morph=0.25), place_mesh(40, (320, 240))
    matrix, (side, _) = swapper.view(landmarks, 64)
    assert side == 64
    across, down = transform(matrix, landmarks)[:, :2].T
    features = {"eyes": [*LEFT_EYE, *RIGHT_EYE, *LEFT_BROW, *RIGHT_BROW], "nose": [6, *NOSE_RIDGE, *NOSE_BASE]}
    mask = np.ones((1, 64, 64, 1), np.float32)
    if feature:
        at = (features | {"mouth": LIPS_OUTER})[feature]
        x1, x2, y1, y2 = (int(f(axis[at]) + by) for axis in (across, down) for f, by in ((np.min, -2), (np.max, 3)))
        mask[:, y1:y2, x1:x2] = 0
    made = {"out_face_mask:0": mask, "out_celeb_face:0": np.zeros((1, 64, 64, 3), np.float32)}
    imported.engine.run = lambda _: made | {"out_celeb_face_mask:0": np.ones_like(mask)}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="leaves the eyes or the nose") if refused else nullcontext():
        swap_face(swapper, picture(), landmarks, max_px=64)


def test_an_old_dfm_without_morph_value_runs(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.dfm(morph=False), "dfm")
    swap_face(bind(imported, morph=0.25), picture(), place_mesh(40, (320, 240)))
    assert set(imported.engine.inputs[0]) == {"in_face:0"}


def test_a_source_of_unknown_identity_is_an_error(tmp_path: Path) -> None:
    model = Imported(tmp_path, foreign.swapper("hyperswap"), "hyperswap").swap_model()
    with pytest.raises(SourceError, match="the identity of this source in the space 'arcface' is unknown"):
        model.bind(person("ada"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_invalid_images_are_an_error_so_that_the_face_is_covered(tmp_path: Path, value: float) -> None:
    imported = Imported(tmp_path, foreign.swapper("inswapper"), "inswapper")
    swapper = bind(imported)
    imported.engine.run = lambda inputs: {"output": inputs["target"] + np.float32(value)}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="InSwapper returns no image; expected numbers"):
        swap_face(swapper, picture(), place_mesh(70, (320, 240)))


def test_without_hull_the_mask_is_the_crops_soft_square(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.swapper("inswapper"), "inswapper")
    landmarks = place_mesh(70, (320, 240))
    wide, face = swap_face(bind(imported, hull=False), picture(), landmarks)
    narrow, _ = swap_face(bind(imported), picture(), landmarks)
    assert (narrow.mask <= wide.mask).all()
    assert np.array_equal(wide.mask, border(128))
    at = face.landmarks[:, :2].round().astype(int)
    assert (narrow.mask[np.clip(at[:, 1], 0, 127), np.clip(at[:, 0], 0, 127)] >= 128).mean() > 0.8


def test_landmarks_far_outside_or_in_one_place_do_no_harm(tmp_path: Path) -> None:
    swapper = bind(Imported(tmp_path, foreign.swapper("inswapper"), "inswapper"))
    crop = picture(128, 128)
    for landmarks in (np.full((468, 3), 1e5, np.float32), np.zeros((468, 3), np.float32)):
        face = Target(1, crop, landmarks, np.ones(468, np.float32), 0.0)
        assert not swapper.swap(face, Quality()).mask[0].any()
        matrix, size = swapper.view(landmarks, 480)
        assert matrix.shape == (2, 3)
        assert size[0] <= 480


def test_coverage_is_the_side_of_the_swap_as_a_share_of_the_outline(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.swapper("inswapper"), "inswapper")
    landmarks = place_mesh(60, (320, 240))
    areas = [
        float(swap_face(bind(imported, coverage=coverage), picture(), landmarks)[0].mask.mean())
        for coverage in (1.0, 0.5)
    ]
    assert areas[1] / areas[0] == pytest.approx(0.25, abs=0.03)
