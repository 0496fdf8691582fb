"""What of the photo is face: hair over the forehead is left behind, brows, eyes and beards come along."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from painted_glasses import with_glasses
from people import NAMES, face_models, person

from rtswap.core.errors import ModelError
from rtswap.core.types import SourceIdentity
from rtswap.networks.glasses import GlassesModel
from rtswap.networks.occlusion import OcclusionModel, place
from rtswap.swappers.mesh.skin import face_mask
from rtswap.swappers.mesh.texture import SIZE, Texture, chart
from rtswap.swappers.mesh.uv_chart import to_chart
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

SIDE = 256
HAIR = (18, 22, 30)


def painted(who: SourceIdentity, polygon: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The portrait with one area painted over."""
    picture = who.portrait.copy()
    cv2.fillPoly(picture, [np.round(polygon).astype(np.int32)], colour)
    return picture


def at(mask: np.ndarray, points: list[int]) -> np.ndarray:
    """Values where landmarks lie."""
    x, y = np.clip(np.round(chart().points[points, :2] * (len(mask) / SIZE)).astype(int), 0, len(mask) - 1).T
    return mask[y, x]


def region(above: float) -> list[int]:
    """Landmarks that lie higher than that in the canonical face."""
    return [int(i) for i in np.flatnonzero(canonical().mesh[:, 1] < above)]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ada"])
def test_most_of_a_bare_face_is_face(name: str) -> None:
    """Not ada's: hair hangs over her temples, so the mask leaves out the tails of her brows. The far side of a
    nose turned by 5 degrees is in part the other half's."""
    who = person(name)
    mask = Texture.bake(who.portrait, who.landmarks).shown
    middle = np.flatnonzero(np.linalg.norm(canonical().mesh[:, :2], axis=1) < 0.6)
    assert at(mask, [int(i) for i in middle]).min() > 100
    assert at(mask, [int(i) for i in middle]).mean() > 230
    features = [*LEFT_EYE, *RIGHT_EYE, *LEFT_BROW, *RIGHT_BROW, *LIPS_OUTER]
    assert (at(mask, features) > 200).mean() > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_a_dark_fringe_is_left_out_and_the_brows_are_not(name: str) -> None:
    who = person(name)
    top = who.landmarks[10, :2]
    brows = who.landmarks[[*LEFT_BROW, *RIGHT_BROW], :2]
    line = (top[1] + brows[:, 1].min()) / 2
    mask = Texture.bake(painted(who, fringe_of(who, line), HAIR), who.landmarks).shown
    bare = Texture.bake(who.portrait, who.landmarks).shown
    forehead = [i for i in region(-0.55) if who.landmarks[i, 1] < line - 8]
    assert len(forehead) >= 5
    assert at(mask, forehead).mean() < 60
    assert at(mask, [*LEFT_BROW, *RIGHT_BROW]).mean() > 0.9 * at(bare, [*LEFT_BROW, *RIGHT_BROW]).mean()
    assert at(mask, [*LEFT_EYE, *RIGHT_EYE, *LIPS_OUTER]).min() > 200


def fringe_of(who: SourceIdentity, line: float) -> np.ndarray:
    """Everything above this row, beyond the temples."""
    brows, top = who.landmarks[[*LEFT_BROW, *RIGHT_BROW], 0], who.landmarks[10, 1] - 40
    left, right = brows.min() - 60, brows.max() + 60
    return np.array([[left, top], [right, top], [right, line], [left, line]])


@pytest.mark.parametrize("name", NAMES)
def test_a_forehead_as_dark_as_a_fringe_stays_where_the_network_is_sure_of_skin(name: str) -> None:
    """Colour cannot tell them apart, and filled the foreheads of most dark people in."""
    who = person(name)
    line = who.landmarks[[*LEFT_BROW, *RIGHT_BROW], 1].min() - 8
    dark = painted(who, fringe_of(who, line), (60, 75, 95))
    middle = [i for i in (151, 108, 337, 69, 299) if who.landmarks[i, 1] < line - 8]
    skin = OcclusionModel(Network(slice(0), slice(0)))
    assert len(middle) >= 2
    assert at(face_mask(dark, who.landmarks, skin), middle).min() > 200
    assert at(face_mask(dark, who.landmarks), middle).max() < 60


@pytest.mark.parametrize("name", NAMES)
def test_bright_red_hair_over_the_side_of_a_cheek_is_left_out(name: str) -> None:
    """Colour counted only at the face's edge, and a few millimetres around what the network sees."""
    who = person(name)
    (x, _), (_, top), (_, bottom) = who.landmarks[[187, 127, 172], :2]
    curtain = painted(who, np.array([[0, top], [x + 8, top], [x + 8, bottom], [0, bottom]]), (20, 80, 190))
    mask = face_mask(curtain, who.landmarks, OcclusionModel(Network(slice(0, 24), slice(0, 14))))
    assert at(mask, [123, 187]).max() < 60
    assert at(mask, [425, 280, 205]).min() > 200


@pytest.mark.parametrize("name", NAMES)
def test_white_cloth_down_to_the_brows_is_left_out_though_the_network_is_sure_of_skin(name: str) -> None:
    """It stayed as two white patches above the brows."""
    who = person(name)
    line = who.landmarks[[*LEFT_BROW, *RIGHT_BROW], 1].min() - 8
    dark = replace(who, portrait=np.asarray(who.portrait * 0.6, np.uint8))
    veiled = painted(dark, fringe_of(who, line), (238, 236, 237))
    middle = [i for i in (151, 108, 337, 69, 299) if who.landmarks[i, 1] < line - 8]
    mask = face_mask(veiled, who.landmarks, OcclusionModel(Network(slice(0), slice(0))))
    assert at(mask, middle).max() < 60
    assert (at(mask, [*LEFT_EYE, *RIGHT_EYE, *LIPS_OUTER]) > 200).mean() > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_a_dark_beard_stays(name: str) -> None:
    who = person(name)
    chin = canonical().mesh
    beard = [int(i) for i in np.flatnonzero((chin[:, 1] > 0.75) & (np.abs(chin[:, 0]) < 0.45))]
    outline = cv2.convexHull(who.landmarks[beard, :2])[:, 0]
    mask = Texture.bake(painted(who, outline, (40, 45, 60)), who.landmarks).shown
    assert (at(mask, beard) > 200).mean() > 0.88


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (0, 0, 255), (255, 0, 0)])
def test_one_plain_colour_is_not_an_error(colour: tuple[int, int, int]) -> None:
    who = person("ada")
    mask = face_mask(np.full_like(who.portrait, colour), who.landmarks)
    assert mask.shape == (SIDE, SIDE)
    assert mask.dtype == np.uint8
    assert at(mask, [*LEFT_EYE, *RIGHT_EYE, *LIPS_OUTER]).min() > 150


@pytest.mark.parametrize("share", [0.35, 0.6])
def test_a_dark_skin_is_a_face_as_well(share: float) -> None:
    """The same picture with less light: nothing of the face may go."""
    for name in NAMES[:2]:
        who = person(name)
        darker = (who.portrait * share).astype(np.uint8)
        bare, dim = face_mask(who.portrait, who.landmarks), face_mask(darker, who.landmarks)
        cheeks = [i for i in range(468) if 0 < canonical().mesh[i, 1] < 0.6 and abs(canonical().mesh[i, 0]) < 0.75]
        assert at(dim, cheeks).mean() > 0.95 * at(bare, cheeks).mean()


@pytest.mark.parametrize("name", NAMES)
def test_dark_glasses_are_left_out_with_all_around_the_eyes(name: str) -> None:
    """Half of them would hang on; without them the target's own eyes are seen."""
    who = person(name)
    picture = who.portrait.copy()
    for points in ([*LEFT_EYE, *LEFT_BROW[:5], 228, 230, 31], [*RIGHT_EYE, *RIGHT_BROW[:5], 448, 450, 261]):
        lens = cv2.convexHull(np.round(who.landmarks[points, :2]).astype(np.int32))
        cv2.fillConvexPoly(picture, lens, (12, 12, 14))
        cv2.polylines(picture, [lens], True, (12, 12, 14), 9)
    mask = face_mask(picture, who.landmarks)
    assert at(mask, [*LEFT_EYE, *RIGHT_EYE]).max() < 60
    assert at(mask, [*LIPS_OUTER, 4]).min() > 200


def test_without_a_skin_mask_everything_is_shown() -> None:
    who = person("ben")
    assert Texture.bake(who.portrait, who.landmarks, skin=False).face.min() == 255


def test_side_light_is_not_taken_for_hair() -> None:
    """A face lit from one side, half as bright on the other, is a face all over."""
    who = person("dan")
    x = np.linspace(-1, 1, who.portrait.shape[1])
    shade = np.clip(0.75 + 0.35 * x, 0, 1)[None, :, None]
    lit = (who.portrait * shade).astype(np.uint8)
    bare, shaded = (Texture.bake(picture, who.landmarks).shown for picture in (who.portrait, lit))
    cheeks = [i for i in range(468) if -0.1 < canonical().mesh[i, 1] < 0.6 and abs(canonical().mesh[i, 0]) < 0.75]
    assert at(shaded, cheeks).mean() > 0.9 * at(bare, cheeks).mean()


class Network:
    """Says that something covers the given part of the (64, 64) places."""

    name = "network"

    def __init__(self, rows: slice, columns: slice) -> None:
        self.visible = np.ones((1, 64, 64), np.float32)
        self.visible[0, rows, columns] = 0

    def run(self, inputs: object) -> dict[str, np.ndarray]:
        return {"visible": self.visible}


def test_what_the_network_sees_over_a_brow_is_left_out() -> None:
    """It lies over the brow that is on the left in the photo, and comes from above; the other brow is skin."""
    who = person("ada")
    lock = OcclusionModel(Network(slice(0, 26), slice(0, 30)))
    mask = face_mask(who.portrait, who.landmarks, lock)
    assert at(mask, LEFT_BROW if who.landmarks[LEFT_BROW, 0].mean() < who.landmarks[1, 0] else RIGHT_BROW).mean() < 30
    assert (
        at(mask, RIGHT_BROW if who.landmarks[LEFT_BROW, 0].mean() < who.landmarks[1, 0] else LEFT_BROW).mean() > 200
    )
    assert at(mask, LIPS_OUTER).min() > 200


def at_least(*rings: list[int]) -> np.ndarray:
    """1 within these rings of the chart, and a little around them."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    for ring in rings:
        cv2.fillPoly(drawn, [np.round(chart().points[ring, :2] * (SIDE / SIZE)).astype(np.int32)], 1)
    return np.asarray(cv2.dilate(drawn, np.ones((9, 9), np.uint8)))


def shipped() -> GlassesModel:
    return GlassesModel(face_models().open(("glasses",))["glasses"])


class Saying:
    """An engine that always gives the same outputs."""

    name = "saying"

    def __init__(self, **outputs: np.ndarray) -> None:
        self._outputs = outputs

    def run(self, inputs: object) -> dict[str, np.ndarray]:
        return self._outputs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tone", [(15, 15, 18), (60, 140, 180)], ids=["black", "gold"])
def test_glasses_in_the_photo_are_removed_and_eyes_and_mouth_are_not(name: str, tone: tuple[int, int, int]) -> None:
    who = person(name)
    picture, rims = with_glasses(who, tone)
    laid = to_chart(cv2.merge([rims] * 3), who.landmarks).image[..., 0]
    laid = cv2.resize(laid, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    bare, taken = (face_mask(one, who.landmarks, None, shipped()) for one in (who.portrait, picture))
    plain = (laid > 200) & (at_least(LEFT_BROW, RIGHT_BROW) == 0) & (bare > 128)
    assert plain.sum() > 500
    assert (taken[plain] < 128).mean() > 0.8
    assert at(taken, [145, 374]).min() > 150  # lower lids are no rims
    assert at(taken, [*LIPS_OUTER, 4]).min() > 200


@pytest.mark.parametrize("name", NAMES)
def test_brows_above_the_frames_come_along(name: str) -> None:
    """The occlusion network takes them for no part of the frames."""
    who = person(name)
    picture, _ = with_glasses(who, (15, 15, 18))
    bare, both = (
        face_mask(one, who.landmarks, face_models().occlusion_model, shipped()) for one in (who.portrait, picture)
    )
    alone = face_mask(picture, who.landmarks, None, shipped())
    brows = [*LEFT_BROW, *RIGHT_BROW]
    assert at(both, brows).mean() > min(at(alone, brows).mean(), at(bare, brows).mean()) - 25


@pytest.mark.parametrize("name", ["dan", "ben"])
def test_brows_under_a_fringe_do_not_come_along_because_glasses_are_worn(name: str) -> None:
    who = person(name)
    picture, _ = with_glasses(who, (15, 15, 18))
    top, low = who.landmarks[10, 1] - 80, who.landmarks[[*LEFT_BROW, *RIGHT_BROW], 1].max() + 4
    left, right = who.landmarks[[127, 356], 0]
    picture[int(top) : int(low), int(left) : int(right)] = HAIR
    matrix = place(who.landmarks)
    assert matrix is not None
    fringe = OcclusionModel(Network(slice(0, int((matrix[1, 1] * low + matrix[1, 2]) / 2)), slice(0, 64)))
    mask = face_mask(picture, who.landmarks, fringe, shipped())
    assert at(mask, [*LEFT_BROW, *RIGHT_BROW]).mean() < 60


@pytest.mark.parametrize("name", NAMES)
def test_without_glasses_the_network_takes_nothing_away(name: str) -> None:
    who = person(name)
    with_it, without = (face_mask(who.portrait, who.landmarks, None, model) for model in (shipped(), None))
    assert (np.abs(with_it.astype(int) - without) > 60).mean() < 0.002


def test_rims_that_leave_the_strip_are_not_continued_beyond_it() -> None:
    who = person("ada")
    said = np.zeros((1, 96, 192), np.float32)
    said[0, 60:, 60:64] = 1
    taken = face_mask(who.portrait, who.landmarks, None, GlassesModel(Saying(frames=said)))
    plain = face_mask(who.portrait, who.landmarks)
    assert (plain.astype(int) - taken > 150).sum() > 20
    assert at(taken, [*LIPS_OUTER, 152, 17]).min() > 200


def test_a_glint_in_the_middle_of_the_face_is_not_hair() -> None:
    who = person("ada")
    glint = OcclusionModel(Network(slice(28, 34), slice(28, 36)))
    nothing = OcclusionModel(Network(slice(0), slice(0)))
    assert np.array_equal(
        face_mask(who.portrait, who.landmarks, glint), face_mask(who.portrait, who.landmarks, nothing)
    )


@pytest.mark.parametrize("name", ["tomas", "carl"])
def test_a_shiny_forehead_up_to_the_hair_is_not_hair(name: str) -> None:
    """White light on skin takes its hue away. The shine of their photos was left out, and the forehead patched."""
    who = person(name)
    mask = face_mask(who.portrait, who.landmarks, face_models().occlusion_model)
    assert (at(mask, [151, 9, 108, 337, 69, 299, 107, 336]) > 200).all()


FRONT = [151, 9, 108, 337, 69, 299, 107, 336]
"""The middle of the forehead."""


def lit_forehead(who: SourceIdentity, shift: np.ndarray | float, towards: float | None = None) -> np.ndarray:
    """The portrait with a soft patch on the forehead, up to the hair: log colours shifted, or ``shift`` of the way to
    the grey ``towards``."""
    height, width = who.portrait.shape[:2]
    x, y = (np.arange(length, dtype=np.float32) for length in (width, height))
    middle, tall = who.landmarks[151, :2], np.ptp(who.landmarks[:, 1])
    away = np.hypot((x - middle[0]) / (0.5 * tall), (y[:, None] - middle[1]) / (0.3 * tall))
    share = np.exp(-(away**2))[..., None]
    logs = np.log(who.portrait.astype(np.float32) + 1)
    goal = logs + shift if towards is None else logs + shift * (np.log(towards) - logs)
    return np.clip(np.exp(logs + share * (goal - logs)) - 1, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_a_sheen_of_the_sky_is_skin_where_red_is_nearly_white_before(name: str) -> None:
    who = person(name)
    bright = np.clip(who.portrait.astype(np.float32) * (235 / at_forehead(who)[2]), 0, 255).astype(np.uint8)
    shiny = lit_forehead(replace(who, portrait=bright), 0.5, towards=255.0)
    network = face_models().occlusion_model
    plain = at(face_mask(who.portrait, who.landmarks, network), FRONT) > 200
    assert (at(face_mask(shiny, who.landmarks, network), FRONT) > 200)[plain].all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tint", [(0.12, 0.03, -0.1), (-0.2, -0.02, 0.12)], ids=["cold", "warm"])
def test_coloured_light_on_the_forehead_is_no_hair(name: str, tint: tuple[float, float, float]) -> None:
    """On dark skin such light left half of the forehead out."""
    who = person(name)
    network = face_models().occlusion_model
    plain = at(face_mask(who.portrait, who.landmarks, network), FRONT) > 200
    mask = face_mask(lit_forehead(who, np.array(tint, np.float32)), who.landmarks, network)
    assert (at(mask, FRONT) > 200)[plain].all()


def at_forehead(who: SourceIdentity) -> np.ndarray:
    x, y = who.landmarks[151, :2].round().astype(int)
    return who.portrait[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(0)


def test_a_network_out_of_order_is_said_so() -> None:
    who = person("ada")
    broken = Network(slice(0), slice(0))
    broken.visible[:] = np.nan
    with pytest.raises(ModelError, match="occlusion"):
        face_mask(who.portrait, who.landmarks, OcclusionModel(broken))
