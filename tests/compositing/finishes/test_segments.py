"""XSeg and BiSeNet: what they are shown, and that the swap ends where they see no face."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import foreign_models as foreign
import numpy as np
import pytest
from imported_swappers import ENGINES, Counted
from people import place_mesh

from rtswap.app.model_section import ModelsConfig
from rtswap.app.sections import MaskConfig, SwapConfig
from rtswap.compositing.finishes import enabled_finishes
from rtswap.compositing.finishes.segments import SegmentMask, masker_of
from rtswap.core.errors import ModelError, NotInstalled
from rtswap.core.parts import BuildContext
from rtswap.core.types import Quality, SwappedFace, Target
from rtswap.networks.model_store import add
from rtswap.vision.geometry import keypoints_of
from rtswap.vision.templates import placement

pytestmark = pytest.mark.usefixtures("models")

SIDE = 220


def make(folder: Path, family: str, engine: str = "onnxruntime") -> tuple[SegmentMask, Counted]:
    content = {"xseg": foreign.xseg, "bisenet": foreign.bisenet}[family]()
    add(foreign.write(folder, **{family: content})[family])
    counted = Counted(ENGINES[engine](content))
    return SegmentMask(counted, masker_of(family)), counted


def case(time_s: float = 0.0, *, hidden_from: int = 120, roll: float = 0.0) -> tuple[SwappedFace, Target]:
    """The target is bluish and reddish where its face is seen, dark in the columns from ``hidden_from`` on."""
    crop = np.full((SIDE, SIDE, 3), 128, np.uint8)
    target = np.empty_like(crop)
    target[:] = 220, 120, 230
    target[:, hidden_from:] = 5, 10, 2
    target.setflags(write=False)
    landmarks = place_mesh(130, (110, 105), roll=roll)
    face = Target(1, target, landmarks, np.ones(468, np.float32), time_s)
    return SwappedFace(crop, np.full((SIDE, SIDE), 255, np.uint8)), face


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", ["xseg", "bisenet"])
def test_the_mask_ends_where_the_face_does_in_the_crops_own_pixels(tmp_path: Path, family: str, engine: str) -> None:
    step, counted = make(tmp_path, family, engine)
    swapped, face = case(roll=15)
    found = step.apply(swapped, face, Quality())
    (taken,) = counted.inputs[0].values()
    side, template = (256, "dfl") if family == "xseg" else (512, "ffhq")
    matrix = placement(keypoints_of(face.landmarks), template, side)
    seen = cv2.warpAffine(face.crop, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    if family == "xseg":  # rows of BGR, 0..1
        assert taken.shape == (1, 256, 256, 3)
        assert np.abs(taken[0] - seen / 255).max() < 0.01
    else:  # planes of RGB, by ImageNet's mean and deviation
        assert taken.shape == (1, 3, 512, 512)
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        expected = ((seen[..., ::-1] / 255 - mean) / std).transpose(2, 0, 1)
        assert np.abs(taken[0] - expected).max() < 0.05
    row = found.mask[105]
    assert (row[40:100] >= 250).all()
    assert not row[122:].any()
    assert 100 < np.nonzero(row < 128)[0].min() < 121
    assert found.crop is swapped.crop


def test_answers_are_averaged_over_time_and_forgotten(tmp_path: Path) -> None:
    step, counted = make(tmp_path, "xseg")
    step.apply(*case(), Quality())
    later = step.apply(*case(1 / 30, hidden_from=SIDE), Quality()).mask[105, 140]
    assert 20 < later < 235, "what was hidden a moment ago comes back softly"
    step.forget(1)
    assert step.apply(*case(2 / 30, hidden_from=SIDE), Quality()).mask[105, 140] == 255
    assert len(counted.inputs) == 3


def test_invalid_masks_are_an_error(tmp_path: Path) -> None:
    step, counted = make(tmp_path, "xseg")
    counted.run = lambda inputs: {"output": np.full((1, 256, 256, 1), np.nan, np.float32)}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="returns no mask"):
        step.apply(*case(), Quality())


def test_the_flag_names_a_family_and_a_missing_model_is_an_error(tmp_path: Path) -> None:
    mask = dataclasses.replace(MaskConfig(), masks=("hull", "xseg"))
    context = BuildContext(SwapConfig(), mask, {}, models=ModelsConfig())
    (spec,) = [spec for spec in enabled_finishes(context) if spec.name == "xseg"]
    assert spec.networks is not None
    with pytest.raises(NotInstalled, match=r"--mask xseg: the model xseg_1.*is not installed\. Add your file"):
        spec.networks(context)
    add(foreign.write(tmp_path, xseg_3=foreign.xseg())["xseg_3"])
    assert spec.networks(context) == ("xseg_3",)
    assert spec.networks(dataclasses.replace(context, mask=MaskConfig())) == ()
