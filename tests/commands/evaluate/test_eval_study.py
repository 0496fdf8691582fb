"""Contenders whose figures are known beforehand; then the program's own, through `rtswap eval`."""

from __future__ import annotations

import io
import json
import math
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import face_models, person
from prepared_sources import bake_once
from printed_output import print_parts

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.program import Program
from rtswap.app.sections import SourceConfig
from rtswap.commands.evaluate import run as run_module
from rtswap.commands.evaluate.candidates import Bound, PictureFunction, ProgramSwapper, Result, ResultFolder
from rtswap.commands.evaluate.clip_metrics import film_figures
from rtswap.commands.evaluate.clips import Swap, make_clip, swap_with
from rtswap.commands.evaluate.faces import Face, FaceFinder
from rtswap.commands.evaluate.features import FeatureSet, face_crop, local_statistics
from rtswap.commands.evaluate.identity import IdentityJudge, cosine, retrieval
from rtswap.commands.evaluate.landmark_judge import own_judge
from rtswap.commands.evaluate.options import EvaluateOptions
from rtswap.commands.evaluate.pairs import pairs, pairs_of_results, persona_pictures, pictures_in
from rtswap.commands.evaluate.run import evaluate
from rtswap.commands.evaluate.sheet import thumbnail
from rtswap.commands.evaluate.study import Study
from rtswap.commands.verify.run import verify
from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.core.types import Image
from rtswap.source.personas import persona_photo
from rtswap.swappers.mesh.texture import Texture
from rtswap.vision.geometry import similarity
from rtswap.vision.images import read_image
from rtswap.vision.talking_head import persona

AGREED = Config(source=SourceConfig(i_have_consent=True))


@cache
def finder() -> FaceFinder:
    return FaceFinder(face_models().photo_detector, face_models().landmarks)


def face(name: str) -> Face:
    return finder().find(next(path for path in persona_pictures() if path.stem == name))


def oval_of(target: Face) -> np.ndarray:
    mask = np.zeros(target.image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(target.mesh.points[:, :2]).astype(np.int32)), 255)
    return mask


class Answering:
    """A contender that answers with a picture of its own."""

    timed = False

    def __init__(self, name: str, answer) -> None:
        self.name, self.answer = name, answer

    def bind(self, source: Face) -> Bound:
        answer = self.answer

        class Always:
            def swap(self, target: Face) -> Result:
                return Result(answer(source, target), oval_of(target))

        return Always()  # type: ignore[return-value]


def study_of(*candidates) -> Study:
    recogniser = face_models().recogniser
    assert recogniser is not None
    return Study(
        candidates,
        judge=own_judge(face_models()),
        identity=[IdentityJudge("ours", True, recogniser)],
        features=[FeatureSet("local statistics", local_statistics)],
        thumbnail=thumbnail,
        on_event=lambda event: None,
    )


def the_sources_photo(source: Face, target: Face) -> Image:
    """Laid so that the face is where the target's was."""
    matrix = similarity(source.mesh.points[:, :2], target.mesh.points[:, :2])
    return np.asarray(cv2.warpAffine(source.image, matrix, target.size, borderMode=cv2.BORDER_REPLICATE))


def test_the_sources_own_photo_is_the_source_and_an_unchanged_target_the_target() -> None:
    study = study_of(Answering("photo", the_sources_photo), Answering("nothing", lambda source, target: target.image))
    for source, target in (("ada", "ben"), ("carl", "ada"), ("ben", "carl")):
        assert study.add(face(source), face(target))
    photo, nothing = (record.rows for record in study.records)
    for row in photo:
        assert row["to_source"] > 0.9
        assert row["to_source"] > row["to_target"]
    for row in nothing:
        assert row["to_target"] == pytest.approx(1, abs=1e-3)
        assert row["margin"] == pytest.approx(row["to_source"] - row["to_target"])
        assert row["pose"] == pytest.approx(0, abs=0.01)
        assert row["expression"] == pytest.approx(0, abs=0.01)
        assert row["sharpness"] == row["edge"] == pytest.approx(1)
        assert row["self_psnr"] == 100
    assert study.of_sets(0, seed=1)["retrieval"] == 1
    assert study.of_sets(1, seed=1)["retrieval"] == 0
    assert study.of_sets(0, seed=1).get("kid_local_statistics") is None, "three faces are no set"


def test_what_has_no_result_is_left_out_and_named(tmp_path: Path) -> None:
    study = study_of(ResultFolder(tmp_path))
    assert not study.add(face("ada"), face("ben"))
    assert study.refused == [f"ada on ben: no ada__ben.png found in {tmp_path}"]
    assert not study.pairs


def test_the_results_of_another_program_are_read_by_their_names(tmp_path: Path) -> None:
    """What it changed is found out by comparing, and figures are those of the picture that it made."""
    target = face("ben")
    photo = read_image(persona_photo("ben"))
    x1, y1, x2, y2 = target.box
    photo[y1:y2, x1:x2] = np.where(oval_of(target)[..., None] > 0, 255 - target.image, target.image)
    cv2.imwrite(str(tmp_path / "ada__ben.png"), photo)
    cv2.imwrite(str(tmp_path / "ada__carl.png"), photo[:100])
    (tmp_path / "notes.txt").write_text("none of them")
    bound = ResultFolder(tmp_path, "theirs").bind(face("ada"))
    found = bound.swap(target)
    np.testing.assert_array_equal(found.image, target.cut(photo))
    agree = (found.mask > 0) & (oval_of(target) > 0)
    assert agree.sum() / ((found.mask > 0) | (oval_of(target) > 0)).sum() > 0.9
    with pytest.raises(InputError, match="a different size from its target; expected 640x640; got 640x100"):
        bound.swap(face("carl"))
    people = persona_pictures()
    named = list(pairs_of_results(tmp_path, people, people, seed=1))
    assert {(s.stem, t.stem) for s, t in named} == {("ada", "ben"), ("ada", "carl")}
    with pytest.raises(InputError, match=r"expected SOURCE__TARGET\.png"):
        list(pairs_of_results(tmp_path, people[1:2], people, seed=1))


def test_any_function_on_pictures_can_be_evaluated() -> None:
    darker = PictureFunction("darker", lambda source, target: target // 2)
    assert darker.bind(face("ada")).swap(face("ben")).mask.mean() > 200
    broken = PictureFunction("broken", lambda source, target: target[:5])
    with pytest.raises(InputError, match="not a picture of the target's size"):
        broken.bind(face("ada")).swap(face("ben"))


def test_a_swapper_of_the_program_keeps_every_pixel_outside_its_mask() -> None:
    source, target = face("ada"), face("ben")
    found = ProgramSwapper(Config(), face_models()).bind(source).swap(target)
    np.testing.assert_array_equal(found.image[found.mask == 0], target.image[found.mask == 0])
    inside = oval_of(target) > 0
    assert (found.mask[inside] >= 128).mean() > 0.6
    assert (found.mask[~inside] > 128).mean() < 0.02
    assert (found.image[found.mask == 255] != target.image[found.mask == 255]).any(-1).mean() > 0.8


def test_large_photos_are_cut_and_made_smaller_and_results_with_them(tmp_path: Path) -> None:
    large = cv2.resize(persona("ada"), (1700, 1700))
    cv2.imwrite(str(tmp_path / "large.png"), large)
    found = finder().find(tmp_path / "large.png")
    assert np.ptp(found.mesh.points[:, 0]) == pytest.approx(512, rel=0.05)
    assert found.mesh.presence > 0.9
    np.testing.assert_array_equal(found.cut(large), found.image)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(InputError, match="no face"):
        finder().find(tmp_path / "grey.png")


def test_pairs_are_the_same_for_a_seed_and_repeat_people_as_late_as_possible() -> None:
    people = [Path(f"{n}.jpg") for n in range(12)]
    found = list(pairs(people, people, seed=3))
    assert found == list(pairs(people, people, seed=3))
    assert found != list(pairs(people, people, seed=4))
    assert len({path for pair in found[:6] for path in pair}) == 12
    assert len(set(found)) == len(found) == 12 * 11
    others = [Path(f"t{n}.jpg") for n in range(8)]
    crossed = list(pairs(people, others, seed=3))
    assert len(set(crossed)) == len(crossed) == 12 * 8
    assert len({target for _, target in crossed[:8]}) == 8


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture found in the folder"):
        pictures_in(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        pictures_in(tmp_path / "absent")


def test_retrieval_counts_the_nearest_and_unknown_faces_as_lost() -> None:
    gallery = [np.eye(3, dtype=np.float32)[n] for n in range(3)]
    near = np.array([0.9, 0.1, 0.3], np.float32)
    assert retrieval([near, gallery[1]], [0, 1], gallery) == 1
    assert retrieval([near, gallery[1], None, gallery[2]], [0, 2, 1, 2], gallery) == 0.5
    assert retrieval([near], [0], [None, *gallery[1:]]) == 0
    assert math.isnan(cosine(None, near))
    assert math.isnan(retrieval([], [], gallery))


def test_local_statistics_detect_blur_and_a_wrong_colour_but_not_the_crop() -> None:
    target = face("ada")
    crop = face_crop(target.image, target.mesh.points)
    bare = local_statistics(crop)
    nudged = local_statistics(face_crop(target.image, target.mesh.points + np.float32(0.5)))
    soft = local_statistics(cv2.GaussianBlur(crop, (0, 0), 1.5))
    tinted = crop.copy()
    tinted[50:100, 50:100] = np.clip(tinted[50:100, 50:100] + np.array([0, 30, -20]), 0, 255)
    assert bare.shape == (158,)
    for other in (soft, local_statistics(tinted)):
        assert np.abs(other - bare).mean() > 3 * np.abs(nudged - bare).mean()


def test_a_clip_is_compared_with_itself_and_with_its_swap() -> None:
    clip = make_clip("ben", face_models(), seconds=0.5, face_px=130, size=(320, 240))
    program = Program(Config(), on_event=lambda text: None, models=face_models(), sources=[person("ada")])
    swap = swap_with(clip, program)
    same = Swap([image.copy() for image in clip.images], np.ones(15, bool), np.zeros(15, bool))
    for image in same.images:
        region = image[60:180, 100:220]  # so that there is something changed to be looked at
        region += np.where(region < 255, 1, 0).astype(np.uint8)
    ours, itself = film_figures(clip, [swap, same], own_judge(face_models()), face_models())
    assert itself["jitter"] == pytest.approx(1, abs=0.1)
    assert itself["warp"] == pytest.approx(1, abs=0.1)
    assert itself["pose_moving"] < 0.3
    assert ours["swapped"] > 0.9
    assert 0.2 < ours["jitter"] < 3
    assert ours["pose_moving"] > itself["pose_moving"]
    nothing = Swap(clip.images, np.zeros(15, bool), np.zeros(15, bool))
    assert "jitter" not in film_figures(clip, [nothing], own_judge(face_models()), face_models())[0]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        run_module, "open_models", lambda config, on_event: face_models()._replace(embedder=lambda: None)
    )
    monkeypatch.setattr(run_module, "feature_sets", lambda config: [FeatureSet("local statistics", local_statistics)])
    monkeypatch.setattr(run_module, "RUNS", 3)
    monkeypatch.setattr(Texture, "bake", staticmethod(bake_once))


def put_people(folder: Path) -> None:
    folder.mkdir()
    for path in persona_pictures():
        if path.stem in ("ada", "ben", "carl"):
            folder.joinpath(path.name).write_bytes(path.read_bytes())


def test_a_run(small: None, tmp_path: Path) -> None:
    photos, results = tmp_path / "photos", tmp_path / "other"
    put_people(photos)
    results.mkdir()
    photos.joinpath("broken.jpg").write_bytes(b"\xff\xd8\xffno picture")
    stream = io.StringIO()
    wanted = EvaluateOptions(sources=photos, out=tmp_path / "out", pairs=2)
    report, shown = evaluate(AGREED, wanted, console=Console(stream=stream))
    text = print_parts(*shown)
    assert json.loads((tmp_path / "out/eval.json").read_text()) == json.loads(json.dumps(report))
    assert report["pairs"] == 2
    assert list(report["unusable_photos"]) == ["broken.jpg"]
    assert "broken.jpg" in text
    assert "weak judge" in text
    assert "weak judge" in stream.getvalue()
    mesh = report["contenders"]["mesh"]
    assert mesh["pairs"]["margin"]["count"] == 2
    assert mesh["pairs"]["self_psnr"]["mean"] > 28
    assert 0 < mesh["pairs"]["pose"]["mean"] < 10
    assert mesh["speed_ms"]["min_ms"] > 0
    assert len(mesh["worst"]["margin"]) == 2
    assert report["machine"]["cores"] >= 1
    sheet = cv2.imread(str(tmp_path / "out/sheet.png"))
    assert sheet.shape[1] > 700
    assert verify(str(tmp_path / "out/sheet.png")).spans
    for row in report["rows"]:
        results.joinpath(f"{row['source']}__{row['target']}.png").write_bytes(
            photos.joinpath(f"{row['target']}.jpg").read_bytes()
        )
    with pytest.raises(OutputError, match="already exists"):
        evaluate(AGREED, wanted, console=Console(stream=stream))
    wanted = EvaluateOptions(
        sources=photos, swapped=results, against="mesh", out=tmp_path / "out", overwrite=True, pairs=1
    )
    report, shown = evaluate(AGREED, wanted, console=Console(stream=stream))
    text = print_parts(*shown)
    assert set(report["contenders"]) == {"other", "mesh"}
    assert report["comparison"]["to_target"]["better"] == "mesh"
    assert report["contenders"]["other"]["speed_ms"] is None
    (line,) = (line for line in text.splitlines() if line.startswith("margin ("))
    assert line.endswith("mesh")


def test_a_compared_swapper_has_its_networks(small: None, tmp_path: Path) -> None:
    """Eyes are opened for ``--swapper``; what ``--against`` names needs networks of its own."""
    put_people(tmp_path / "photos")
    wanted = EvaluateOptions(sources=tmp_path / "photos", against="refiner", out=tmp_path / "out", pairs=1)
    report, _ = evaluate(AGREED, wanted, console=Console(quiet=True))
    assert set(report["contenders"]) == {"mesh", "refiner"}


def test_invalid_arguments_are_reported(small: None, tmp_path: Path) -> None:
    def tried(**given: object) -> None:
        evaluate(Config(), EvaluateOptions(out=tmp_path / "out", **given), console=Console(quiet=True))  # type: ignore[arg-type]

    with pytest.raises(UsageError, match="compared with itself"):
        tried(against="mesh")
    with pytest.raises(UsageError, match="--against; expected"):
        tried(against="nothing")
    with pytest.raises(InputError, match="cannot read"):
        tried(sources=tmp_path / "absent")
    stranger = tmp_path / "strangers"
    stranger.mkdir()
    cv2.imwrite(str(stranger / "me.png"), persona("ada"))
    with pytest.raises(UsageError, match="not confirmed"):
        tried(sources=stranger, targets=persona_pictures()[0].parent)
    assert not (tmp_path / "out").exists(), "nothing is left behind"
