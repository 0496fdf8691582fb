"""The settings of the API come from the table of the flags."""

from __future__ import annotations

from pathlib import Path

import pytest
from studio_client import Client

from rtswap.app.config import Config
from rtswap.app.config_file import effective
from rtswap.app.io_sections import InputConfig
from rtswap.core.errors import ConfigError
from rtswap.web.settings import ROWS, needs_restart, schema, values_of, with_values


def test_values_survive_the_way_there_and_back() -> None:
    assert with_values(Config(), values_of(Config())) == Config()
    other = {"swap.strength": 0.25, "mask.keep": ["mouth"], "safety.empty_after": "500ms", "badge.look": "light tr"}
    assert values_of(with_values(Config(), other)) == values_of(Config()) | other


def test_the_schema_has_bounds_and_choices() -> None:
    found = schema()["properties"]
    assert set(found) == {row.key for row in ROWS}
    assert (found["swap.strength"]["minimum"], found["swap.strength"]["maximum"]) == (0, 1.3)
    assert found["swap.strength"]["type"] == "number"
    assert found["mask.parts"]["items"]["enum"] == ["all", "eyes", "nose", "mouth"]
    assert found["safety.on_failure"]["enum"] == ["blur", "pixelate", "hold", "stop"]
    assert "mesh" in found["swap.swapper"]["enum"]
    assert found["swap.color"]["x-live"]
    assert not found["tracking.min_face"]["x-live"]


@pytest.mark.parametrize(
    "key",
    [
        "marks.unmarked",
        "marks.key",
        "badge.hide",
        "safety.pass_through",
        "source.photos",
        "input.address",
        "output.to",
        "source.i_have_consent",
        "network.tls_ca",
        "metrics.file",
        "__class__",
        "",
    ],
)
def test_what_decides_about_marks_and_bare_faces_takes_a_flag(key: str) -> None:
    assert key not in schema()["properties"]
    with pytest.raises(ConfigError, match="no setting called"):
        with_values(Config(), {key: True})


def test_no_client_names_a_file(tmp_path: Path) -> None:
    """It could see which files there are, and have one run that nobody added."""
    for name in ("there.dfm", "absent.onnx"):
        (tmp_path / "there.dfm").touch()
        with pytest.raises(ConfigError, match=r"\Aswap\.swapper; expected .*"):
            with_values(Config(), {"swap.swapper": str(tmp_path / name)})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("swap.strength", value) for value in (1.4, "1", None, True, float("nan"))),
        *(("mask.parts", value) for value in ({"eyes": 1}, ["ears"], [[]])),
        *(("badge.look", value) for value in ([], "x" * 10**5)),
        ("tracking.min_face", 10**400),
        ("swap.swapper", "\0"),
    ],
)
def test_wrong_values_are_told_in_a_line(key: str, value: object) -> None:
    with pytest.raises(ConfigError) as error:
        with_values(Config(), {"swap.expression": 0.5, key: value})
    assert len(str(error.value)) < 700
    assert "\n" not in str(error.value)


def test_every_setting_is_named_by_its_flag() -> None:
    """So that the page can say in its own words what messages say in the command line's."""
    rows = schema()["properties"]
    assert rows["tracking.faces"]["x-flag"] == "--faces"
    assert all(row["x-flag"].startswith("--") for row in rows.values())


def test_what_needs_a_restart() -> None:
    live = {"swap.strength": 0.5, "tracking.faces": "all", "badge.look": "dark tl", "safety.on_failure": "hold"}
    assert not needs_restart(Config(), with_values(Config(), live))
    assert needs_restart(Config(), with_values(Config(), {"tracking.min_face": 50}))
    assert needs_restart(Config(), with_values(Config(), {"engine.threads": 1}))


def test_keeping_settings_keeps_the_input_of_one_run_out_of_all_others(
    session: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip of today's folder would be missing when another day begins; the user's own camera stays."""
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / name)
    session.good("POST", "/api/config/file", {})
    path = tmp_path / "rtswap/rtswap.toml"
    assert effective({}, file=str(path)).config.input == InputConfig()
    path.write_text('input.address = "2"\n')
    session.good("POST", "/api/config/file", {"overwrite": True})
    assert effective({}, file=str(path)).config.input.address == "2"


def test_presets_are_kept_in_the_users_own_file(
    studio: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / name)
    assert studio.get("/api/presets") == {"presets": {}}
    studio.good("PUT", "/api/config", {"swap.strength": 0.4, "badge.look": "light tr"})
    found = studio.good("PUT", "/api/presets/soft%20%C3%A9", {})["presets"]["soft é"]
    assert found == studio.get("/api/config")["values"]
    path = tmp_path / "rtswap/rtswap.toml"
    assert "swap.strength = 0.4" in path.read_text()
    studio.good("PUT", "/api/config", {"swap.strength": 0.9})
    studio.good("POST", "/api/config/file", {"overwrite": True})
    assert studio.get("/api/presets")["presets"] == {"soft é": found}, "writing the settings keeps presets"
    assert effective({}, file=str(path)).config.swap.strength == 0.9
    assert studio.send("PUT", "/api/presets/" + "x" * 41, {}).status == 422
    assert studio.send("DELETE", "/api/presets/none").status == 422
    studio.good("DELETE", "/api/presets/soft%20%C3%A9")
    assert studio.get("/api/presets") == {"presets": {}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "input: expected an object, got nothing"),
        ({"input": "0"}, "input: expected an object, got a string"),
        ([1], "expected a JSON object, got a list"),
        (True, "expected a JSON object, got true or false"),
    ],
)
def test_a_wrong_body_is_described_in_the_words_of_json(studio: Client, body: object, words: str) -> None:
    assert studio.send("POST", "/api/session", body).json()["detail"] == words
