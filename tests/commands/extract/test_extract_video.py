"""``rtswap extract`` on videos: smoothing, memory, kills at any byte, people, and a full disk."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from extraction import contents, run, save
from media_files import make_clip
from people import face_models, group, person, place_mesh

from rtswap.commands.extract.masking import visible_face
from rtswap.commands.extract.smoothing import smooth, weights
from rtswap.commands.extract.views import MOST_NEIGHBOURS, Moment, View, views_of
from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.core.types import Frame, Mesh
from rtswap.faceset.faceset import Faceset
from rtswap.faceset.table import TABLE
from rtswap.vision.geometry import canonical, keypoints_of
from rtswap.vision.talking_head import persona
from rtswap.vision.topology import CHIN


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "faces"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people side by side for half a second, then, after a cut, two others."""
    path = tmp_path_factory.mktemp("clips") / "group.mp4"
    pictures = [group("ada", "ben", size=256), group("carl", "vera", size=256)]
    make_clip(path, lambda number: pictures[number // 4], count=8, fps=8)
    return path


# Weights


@pytest.mark.parametrize("window_s", [0.05, 0.1, 0.3])
def test_weights_keep_a_face_that_moves_steadily_where_it_is(window_s: float) -> None:
    offsets = tuple(round(step / 30, 4) for step in range(-6, 7))
    found = weights(offsets, window_s)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert found @ np.array(offsets) == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(found, found[::-1], atol=1e-3)
    assert found.argmax() == 6


def test_a_longer_window_averages_more() -> None:
    offsets = tuple(round(step / 30, 4) for step in range(-6, 7))
    noise = [float(np.linalg.norm(weights(offsets, window_s))) for window_s in (0.03, 0.1, 0.2)]
    assert noise[0] > 0.75
    assert noise[1] < 0.6
    assert noise[2] < 0.4


def test_irregular_times_and_few_frames_are_weighed_too() -> None:
    offsets = (-0.11, -0.05, 0.0, 0.02, 0.1)
    found = weights(offsets, 0.1)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert found @ np.array(offsets) == pytest.approx(0, abs=1e-5)
    assert weights((0.0,), 0.1).tolist() == [1.0]
    assert weights((-0.1, 0.0), 0.1).tolist() == [0.0, 1.0]


# Following


class MovingFace:
    """A landmark network that sees a face where it is in each picture, with noise; ``lost``: pictures without one."""

    def __init__(self, lost: tuple[int, ...] = ()) -> None:
        self._draw, self._lost = np.random.default_rng(0), lost
        self.looks = 0

    def at(self, number: int) -> np.ndarray:
        return place_mesh(100, (300 + 4 * number, 200))

    def find(self, image: np.ndarray, starts: list[np.ndarray]) -> list[Mesh]:
        self.looks += 1
        number = int(image[0, 0, 0])
        points = self.at(number) + self._draw.normal(0, 0.5, (468, 3)).astype(np.float32)
        return [Mesh(points, np.ones(468, np.float32), 0.1 if number in self._lost else 0.99) for _ in starts]


def picture(number: int) -> np.ndarray:
    return np.full((480, 640, 3), number, np.uint8)


def view_of(middle: int, reach: int) -> View:
    moments = [Moment(picture(number), number / 30) for number in range(middle - reach, middle + reach + 1)]
    return View(picture(middle), middle, middle / 30, tuple(moments[:reach]), tuple(moments[reach + 1 :]))


def test_smoothing_takes_noise_away_and_no_motion() -> None:
    network = MovingFace()
    noisy = network.find(picture(20), [network.at(20)])[0].points
    found, keypoints = smooth(network, view_of(20, 3), noisy, 0.1)
    still = [10, 152, 234, 454]  # not on eyes, lips or brows
    before, after = (float(np.abs((points - network.at(20))[still]).mean()) for points in (noisy, found))
    assert after < 0.75 * before
    offset = (found - network.at(20)).mean(axis=0)
    assert np.abs(offset).max() < 0.1  # it moves 4 px a frame, and is not behind
    assert np.abs(keypoints - keypoints_of(network.at(20))).max() < np.abs(noisy - network.at(20)).max() / 2


def test_a_blink_survives_where_the_crop_is_still() -> None:
    class Blinking(MovingFace):
        def at(self, number: int) -> np.ndarray:
            points = place_mesh(100, (300, 200))
            points[[159, 386], 1] += 4 * (20 <= number <= 22)  # the upper lids, for three frames
            return points

        def find(self, image: np.ndarray, starts: list[np.ndarray]) -> list[Mesh]:
            points = self.at(int(image[0, 0, 0]))
            return [Mesh(points, np.ones(468, np.float32), 0.99) for _ in starts]

    network = Blinking()
    found, keypoints = smooth(network, view_of(21, 5), network.at(21), 0.15)
    open_lid, shut_lid = network.at(0)[159, 1], network.at(21)[159, 1]
    assert (found[159, 1] - open_lid) > 0.85 * (shut_lid - open_lid)
    raw = keypoints_of(network.at(21)) - keypoints_of(network.at(0))
    assert np.abs(keypoints - keypoints_of(network.at(0))).max() < 0.7 * np.abs(raw).max()


def test_a_face_is_followed_until_it_is_lost() -> None:
    network = MovingFace(lost=(22, 18))
    smooth(network, view_of(20, 3), network.at(20), 0.1)
    assert network.looks == 4  # 21 and 22, 19 and 18


# Views


def frames(count: int, fps: float = 30.0, cut_at: int | None = None) -> Iterator[Frame]:
    draw = np.random.default_rng(1)
    scenes = [draw.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(2)]
    for number in range(count):
        image = scenes[cut_at is not None and number >= cut_at].copy()
        yield Frame(image, number, 0.0, number / fps)


def test_views_have_their_neighbours_to_both_sides() -> None:
    views = list(views_of(frames(31), fps=30, every_s=0.5, window_s=0.1))
    assert [view.frame for view in views] == [0, 15, 30]
    assert [(len(view.before), len(view.after)) for view in views] == [(0, 3), (3, 3), (3, 0)]
    times = [moment.time_s for moment in (*views[1].before, views[1].moment, *views[1].after)]
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-6)


def test_a_cut_ends_the_neighbours() -> None:
    (_, view, *_) = views_of(frames(31, cut_at=17), fps=30, every_s=0.5, window_s=0.2)
    assert view.frame == 15
    assert (len(view.before), len(view.after)) == (6, 1)


def test_without_smoothing_frames_are_passed_on_at_once() -> None:
    views = views_of(frames(10**9), fps=30, every_s=0.5, window_s=0.0)
    assert next(views).frame == 0
    assert next(views).frame == 15


@pytest.mark.parametrize(("every_s", "most"), [(0.5, 2 * MOST_NEIGHBOURS + 4), (0.0, 2 * 15 + 4)])
def test_a_long_video_needs_the_memory_of_a_short_one(every_s: float, most: int) -> None:
    """90 minutes of a video of 30 frames a second, of which one in 30 is made for this test."""
    alive: set[int] = set()

    def made() -> Iterator[Frame]:
        for number in range(90 * 60):
            image = np.zeros((32, 32, 3), np.uint8)
            alive.add(number)
            weakref.finalize(image, alive.discard, number)
            yield Frame(image, number, 0.0, number / 30)

    highest = seen = 0
    for number, view in enumerate(views_of(made(), fps=30, every_s=every_s, window_s=0.5)):
        seen += view.frame is not None
        del view
        if number % 50 == 0:
            highest = max(highest, len(alive))
    assert seen == (360 if every_s else 5400)
    assert highest <= most


@pytest.mark.parametrize("apart_s", [0.0, 1e-4])
def test_a_video_of_more_frames_than_it_says_needs_no_more_memory(apart_s: float) -> None:
    """All of 10,000 frames in a tenth of a second were kept, and the face followed through each of them."""
    alive: set[int] = set()
    highest = 0

    def made() -> Iterator[Frame]:
        nonlocal highest
        for number in range(6000):
            image = np.zeros((32, 32, 3), np.uint8)
            alive.add(number)
            weakref.finalize(image, alive.discard, number)
            highest = max(highest, len(alive))
            yield Frame(image, number, 0.0, number * apart_s)

    views = list(views_of(made(), fps=30, every_s=0.5, window_s=0.5))
    assert [view.frame for view in views] == ([0, 5000] if apart_s else [0])
    assert highest <= 6 * MOST_NEIGHBOURS
    assert all(len(view.before) + len(view.after) <= 4 * MOST_NEIGHBOURS for view in views)


def test_continued_views_have_the_same_neighbours() -> None:
    def shape(view: View) -> tuple[object, ...]:
        return view.frame, [moment.time_s for moment in (*view.before, *view.after)]

    whole = [shape(view) for view in views_of(frames(61), fps=30, every_s=0.5, window_s=0.2)]
    rest = views_of(frames(61), fps=30, every_s=0.5, window_s=0.2, first=16, next_s=1.0)
    assert [shape(view) for view in rest] == whole[2:]


# The command


def test_a_run_killed_at_any_byte_continues_to_the_same_folder(clip: Path, out: Path) -> None:
    settings = {"every_s": 0.25, "smooth_s": 0.2, "keep_all": True, "size": 128}
    run(out, clip, **settings)
    wanted = contents(out)
    table = wanted[TABLE]
    lines = table.splitlines(keepends=True)
    assert sum(b'"file"' in line for line in lines) == 8
    draw = np.random.default_rng(2)
    for cut in (len(lines[0]), *draw.integers(len(lines[0]), len(table), 3)):
        killed = out.parent / str(cut)
        killed.mkdir()
        before = table.replace(b'"person":1', b'"person":-1')[:cut]  # people are grouped at the end
        (killed / TABLE).write_bytes(before)
        for number, name in enumerate(wanted):
            if name.encode() in before or (number % 2 and name.startswith("group")):  # pictures are written first
                (killed / name).write_bytes(wanted[name])
        run(killed, clip, **settings)
        assert contents(killed) == wanted


def test_people_are_numbered_as_they_appear_and_one_can_be_kept(clip: Path, tmp_path: Path, out: Path) -> None:
    settings = {"every_s": 0.25, "keep_all": True, "size": 128}
    assert run(out, clip, **settings)["people"] == 4
    people = Faceset.open(out).people()
    assert {person: [face.frame for face in faces] for person, faces in people.items()} == {
        0: [0, 2],
        1: [0, 2],
        2: [4, 6],
        3: [4, 6],
    }
    with pytest.raises(UsageError, match=r"there is no person 4; expected 0 to 3"):
        run(out, clip, person="4", **settings)
    with pytest.raises(InputError, match=r"nobody looks like .*dan\.png"):
        run(out, clip, person=str(save(tmp_path / "dan.png", persona("dan"))), **settings)
    result = run(out, clip, person=str(save(tmp_path / "carl.png", persona("carl"))), **settings)
    assert result["others removed"] == 6
    run(out.parent / "two", clip, person="0,3", **settings)
    assert {face.person for face in Faceset.open(out.parent / "two").records} == {0, 3}
    faces = Faceset.open(out)
    assert [(face.frame, face.person) for face in faces.records] == [(4, 2), (6, 2)]
    assert len(list(out.glob("*_mask.png"))) == 2
    assert run(out, clip, **settings)["done before"] == 1  # the others do not come back


def test_a_full_disk_is_one_line_and_loses_nothing(clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rtswap.commands.extract.album as album

    writes = 0
    write = album.write_atomic

    def full(path: Path, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes == 6:
            raise OSError(28, "No space left on device")
        write(path, data)

    settings = {"every_s": 0.25, "keep_all": True, "size": 128}
    monkeypatch.setattr(album, "write_atomic", full)
    with pytest.raises(OutputError, match=r"cannot write .*; got No space left on device"):
        run(out, clip, **settings)
    monkeypatch.undo()
    assert len(Faceset.open(out).records) == 2
    run(out, clip, **settings)
    run(out.parent / "whole", clip, **settings)
    assert contents(out) == contents(out.parent / "whole")


def test_masks_show_the_face_alone(clip: Path, out: Path) -> None:
    run(out, clip, size=128, template="head")
    faces = Faceset.open(out)
    for face in faces.records:
        mask = faces.mask(face)
        assert 0.05 < (mask > 127).mean() < 0.4
        nose = np.round(face.keypoints[2]).astype(int)
        assert mask[nose[1], nose[0]] == 255
        assert mask[[0, -1]].max() == mask[:, [0, -1]].max() == 0


def test_a_mirrored_face_has_the_mirrored_mask() -> None:
    picture = person("ben").portrait.copy()
    mesh = person("ben").landmarks
    chin = np.round(mesh[CHIN, :2]).astype(int)
    cv2.circle(picture, (int(chin[0]) + 20, int(chin[1]) - 5), 35, (40, 160, 40), -1)  # a ball before the chin
    flipped = np.ascontiguousarray(picture[:, ::-1])
    other = mesh[canonical().mirror] * np.array([-1, 1, 1], np.float32) + [picture.shape[1] - 1, 0, 0]
    seen = np.ones(468, np.float32)
    mask = visible_face(picture, mesh, seen, face_models())
    mirrored = visible_face(flipped, other.astype(np.float32), seen, face_models())
    assert (np.abs(mask.astype(int) - mirrored[:, ::-1]) > 32).mean() < 0.003
    assert mask[chin[1] - 5, chin[0] + 20] < 64
    assert (visible_face(picture, mesh, seen, None) > 0).sum() > (mask > 0).sum()


def test_licence_and_provenance_stand_beside_each_face(clip: Path, out: Path) -> None:
    run(out, clip, size=128, licence="CC0", provenance="made for this test")
    assert {(face.licence, face.provenance) for face in Faceset.open(out).records} == {("CC0", "made for this test")}


def test_folder_of_an_older_version_is_not_continued(clip: Path, out: Path) -> None:
    out.mkdir()
    (out / "faces.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(InputError, match="older rtswap extract"):
        run(out, clip)
    (out / "faces.json").unlink()
    (out / TABLE).write_text('{"faceset": 2, "settings": {}}\n')
    with pytest.raises(OutputError, match="another version"):
        run(out, clip)
