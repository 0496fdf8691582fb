"""rtswap from Python: consent, and settings that change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from people import group
from prepared_sources import ready  # noqa: F401
from python_api import badge_of, find_changes, open_networks_once, photo, swap_pixels  # noqa: F401

import rtswap
from rtswap.app.config import OPTIONS, Config
from rtswap.app.keywords import Request, Settings
from rtswap.core.errors import ConfigError, SourceError, UsageError
from rtswap.source.consent import ConsentRecord, photo_digest
from rtswap.vision.talking_head import persona


@pytest.fixture
def swapper() -> Iterator[rtswap.Swapper]:
    with rtswap.Swapper(photo("ada")) as made:
        yield made


# consent


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A photo that nobody confirmed."""
    path = tmp_path / "stranger.png"
    cv2.imwrite(str(path), cv2.imread(str(photo("ada"))))
    return path


def test_a_photo_needs_consent_once(stranger: Path) -> None:
    for make in (lambda: rtswap.swap(persona("ben"), stranger), lambda: rtswap.LiveSwap(stranger)):
        with pytest.raises(UsageError, match=r"consent for the source stranger\.png .*pass consent=True"):
            make()
    assert rtswap.swap(persona("ben"), stranger, consent=True).swapped == 1
    assert rtswap.swap(persona("ben"), stranger).swapped == 1  # remembered, as on the command line


def test_a_file_that_shows_somebody_else_by_now_needs_it_again(stranger: Path) -> None:
    with rtswap.Swapper(stranger, consent=True) as swapper:
        cv2.imwrite(str(stranger), persona("ben"))
        for changes in ({"source": stranger}, {"source_face": 1}):
            with pytest.raises(UsageError, match="consent"):
                swapper.update(**changes)  # type: ignore[arg-type]
        swapper.update(strength=0.9)
        swapper.update(stranger, consent=True)


def test_a_yes_at_the_terminal_counts(stranger: Path) -> None:
    ConsentRecord().remember(photo_digest(stranger))
    assert rtswap.swap(persona("ben"), stranger).swapped == 1


def test_an_array_needs_consent_each_time(swapper: rtswap.Swapper) -> None:
    ada = cv2.imread(str(photo("ada")))
    before = len(ConsentRecord())
    for _ in range(2):
        assert rtswap.swap(persona("ben"), ada, consent=True).swapped == 1
        with pytest.raises(UsageError, match="consent"):
            rtswap.swap(persona("ben"), ada)
    assert len(ConsentRecord()) == before
    swapper.update(ada, consent=True)
    swapper.update(strength=0.9)  # it is still the same person
    for changes in ({"source": cv2.imread(str(photo("carl")))}, {"swap": {"left": ada.copy()}}):
        with pytest.raises(UsageError, match="consent"):
            swapper.update(**changes)
    with pytest.raises(UsageError, match=r"expected True or False; got 'yes'"):
        swapper.update(ada, consent="yes")


# settings


def test_settings_have_the_names_of_flags() -> None:
    flags = {flag.lstrip("-").replace("-", "_") for row in OPTIONS for flag in row.flags}
    assert set(Settings.__annotations__) <= flags
    of_the_swap = [row for row in OPTIONS if row.section in ("swap", "mask", "models")]
    assert {flag.lstrip("-").replace("-", "_") for row in of_the_swap for flag in row.flags[:1]} <= set(
        Settings.__annotations__
    )


def test_settings_change_while_running(swapper: rtswap.Swapper) -> None:
    goal = swapper.swap(persona("ben")).image

    def difference() -> float:
        return float(np.abs(swapper.swap(persona("ben")).image.astype(int) - goal).max(2)[150:400, 150:360].mean())

    swapper.update(strength=0.4)
    assert difference() > 2
    swapper.update(strength=np.float32(1.0), parts=("nose",))
    assert difference() > 2
    swapper.update(parts="all")
    assert difference() < 0.1
    swapper.update(photo("carl"))
    assert difference() > 5
    swapper.update(photo("ada"), swap={"left": photo("carl")})
    assert difference() > 5
    swapper.update(swap={})
    assert difference() < 0.1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strength": 5}, "wrong value for strength; expected a number from 0 to 1.3; got 5"),
        ({"strength": "much"}, "wrong value for strength"),
        ({"strength": True}, "wrong value for strength"),
        ({"strength": float("nan")}, "wrong value for strength"),
        ({"strenght": 0.5}, "no setting called strenght; .*Did you mean strength"),
        ({"parts": ["ear"]}, "wrong value for parts; .*got 'ear'"),
        ({"keep": None}, "wrong value for keep"),
        ({"swap": ["left=me.jpg"]}, "wrong value for swap; expected a mapping"),
        ({"swap": {"lefft": "persona:vera"}}, "Did you mean left"),
        ({"swapper": 3}, "wrong value for swapper"),
        ({"finish": [3]}, "wrong value for finish"),
        ({"source": "absent.png"}, "no such file"),
        ({"engine": "onnxruntime"}, "engine cannot change afterwards"),
    ],
)
def test_a_change_that_fails_changes_nothing(settings: Any, said: str, swapper: rtswap.Swapper) -> None:
    goal = swapper.swap(persona("ben")).image
    with pytest.raises(UsageError, match=said):
        swapper.update(**settings)
    assert np.array_equal(swapper.swap(persona("ben")).image, goal)
    swapper.update()  # with nothing of it kept


def test_several_values_of_a_text_may_be_a_list() -> None:
    start = Request(Config())
    found = start.with_settings(None, {"thresholds": (0.5, np.float32(0.5), 1), "badge": ["light", "tr"]}).config
    assert found.tracking.thresholds == (0.5, 0.5, 1.0)
    assert found.badge.look == "light tr"
    with pytest.raises(ConfigError, match=r"wrong value for thresholds; expected 3 numbers .* got '0.5,0.5'"):
        start.with_settings(None, {"thresholds": [0.5, 0.5]})
    with pytest.raises(ConfigError, match=r"wrong value for empty_after; expected a duration .*; got 'inf'"):
        start.with_settings(None, {"empty_after": float("inf")})
    with pytest.raises(ConfigError, match=r"wrong value for swapper; .*; got 'x.onnx': there is no such file"):
        start.with_settings(None, {"swapper": Path("x.onnx")})


def test_settings_of_the_start() -> None:
    for settings in ({"on_failure": "hide"}, {"empty_after": -1.0}, {"empty_after": "10 years"}, {"min_face": 3}):
        with pytest.raises(ConfigError, match=f"wrong value for {next(iter(settings))}"):
            rtswap.LiveSwap(photo("ada"), **settings)
    for settings in ({"config": {}}, {"on_event": 3}):
        with pytest.raises(UsageError, match=f"wrong value for {next(iter(settings))}"):
            rtswap.LiveSwap(photo("ada"), **settings)
    with pytest.raises(SourceError, match="no source given"):
        rtswap.Swapper()
    for nobody in ("", [photo("ada"), ""], {"left": ""}):  # a path without a name is the working folder
        given = {"swap": nobody} if isinstance(nobody, dict) else {"source": nobody}
        with pytest.raises(SourceError, match=r"no source given.*an empty name"):
            rtswap.Swapper(**given, consent=True)
    live = rtswap.LiveSwap(photo("ada"), empty_after=0.05, mask="hull,skin")
    empty = np.full((256, 256, 3), 90, np.uint8)
    assert live.process(empty.copy(), captured_at=1.0).covered
    assert not live.process(empty.copy(), captured_at=1.06).covered


def test_live_changes_keep_who_is_followed() -> None:
    """``left`` stays the one who was left at the start."""
    with rtswap.LiveSwap(swap={"left": photo("ada")}) as live:
        for index in range(3):
            live.process(group("ben", "carl"), captured_at=1 + index / 30)
        live.update(strength=0.9)
        assert live.process(group("ben", "carl"), captured_at=1.1).swapped == 1
