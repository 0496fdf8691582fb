"""Every output is marked, signed and consented to, unless a written reason disables the marks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import group
from prepared_sources import ready  # noqa: F401

from rtswap.app.config import Config
from rtswap.app.marking import make_disclosure, make_signer, payload
from rtswap.app.sections import BadgeConfig, MarksConfig
from rtswap.commands.main import main
from rtswap.core.errors import ConfigError
from rtswap.disclosure.manifest import read_manifest
from rtswap.disclosure.watermark_reader import WatermarkReader
from rtswap.vision.talking_head import persona


def ignore(event: str) -> None:
    return


def written(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Path, Path]:
    """A source that nobody has confirmed, and a picture of another person, large enough for the mark."""
    ada = persona("ada")
    ada[0, 0] ^= 1
    return written(tmp_path / "me.png", ada), written(tmp_path / "ben.png", group("ben", size=900))


def test_a_picture_that_leaves_carries_mark_badge_and_manifest(scene: tuple[Path, Path], tmp_path: Path) -> None:
    source, target = scene
    out = tmp_path / "out.png"
    assert main(["-s", str(source), "-i", str(target), "-o", str(out), "--i-have-consent", "-q"]) == 0
    report = read_manifest(out)
    assert report is not None
    reader = WatermarkReader()
    (reading,) = [*reader.add(cv2.imread(str(out)), 0.0), *reader.finish()]
    assert reading.present
    assert reading.payload == payload()


def test_an_unmarked_one_needs_a_reason_says_it_and_is_still_signed(
    scene: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = scene
    out, config = tmp_path / "out.png", tmp_path / "rtswap.toml"
    config.write_text("[source]\ni_have_consent = true\n")
    command = ["-s", str(source), "-i", str(target), "-o", str(out), "--unmarked", "--json", "--config", str(config)]
    assert main(command) == 2
    assert "marks" in capsys.readouterr().err
    assert not out.exists()
    config.write_text('[source]\ni_have_consent = true\n[marks]\nreason = "a test of compression"\n')
    assert main(command) == 0
    told = capsys.readouterr()
    assert "a test of compression" in told.err
    assert json.loads(told.out)["unmarked"] == "a test of compression"
    assert read_manifest(out) is not None
    reader = WatermarkReader()
    assert not any(r.present for r in [*reader.add(cv2.imread(str(out)), 0.0), *reader.finish()])


def test_a_reason_alone_leaves_the_marks_on() -> None:
    disclosure = make_disclosure(replace(Config(), marks=MarksConfig(reason="to be ready")), ignore)
    assert disclosure.stamp.badge is not None
    assert disclosure.stamp.watermark is not None


def test_without_the_badge_the_mark_stays() -> None:
    told: list[str] = []
    disclosure = make_disclosure(replace(Config(), badge=BadgeConfig(hide=True)), told.append)
    assert disclosure.stamp.badge is None
    assert disclosure.stamp.watermark is not None
    assert "--no-badge" in told[0]


def test_unconfirmed_source_is_refused_without_a_terminal(
    scene: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    source, target = scene
    out = tmp_path / "out.png"
    assert main(["-s", str(source), "-i", str(target), "-o", str(out)]) == 2
    assert "--i-have-consent" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("given", [{"certificate": "chain.pem"}, {"key": "key.pem"}])
def test_half_an_identity_signs_nothing(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="needs both a certificate and its key"):
        make_signer(replace(Config(), marks=MarksConfig(**given)), None, ignore)


def test_what_the_mark_says_of_the_time() -> None:
    assert payload(datetime(2026, 1, 31, tzinfo=UTC)).month == 0
    assert payload(datetime(2027, 3, 1, tzinfo=UTC)).month == 14
    assert payload(datetime(1999, 1, 1, tzinfo=UTC)).month == 0
    assert payload(datetime(2099, 1, 1, tzinfo=UTC)).month == 255
