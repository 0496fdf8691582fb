"""The settings of the API come from the table of the flags."""

from __future__ import annotations

from pathlib import Path

import pytest
from studio_client import Client

from rtswap.app.config import Config
from rtswap.app.config_file import effective
from rtswap.core.errors import ConfigError
from rtswap.web.settings import ROWS, changed, needs_restart, schema, values_of


def test_values_survive_the_way_there_and_back() -> None:
    assert changed(Config(), values_of(Config())) == Config()
    other = {"swap.strength": 0.25, "mask.keep": ["mouth"], "safety.empty_after": "500ms", "badge.look": "light tr"}
    assert values_of(changed(Config(), other)) == values_of(Config()) | other


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
        changed(Config(), {key: True})


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
        changed(Config(), {"swap.expression": 0.5, key: value})
    assert len(str(error.value)) < 700
    assert "\n" not in str(error.value)


def test_what_needs_a_restart() -> None:
    live = {"swap.strength": 0.5, "tracking.faces": "all", "badge.look": "dark tl", "safety.on_failure": "hold"}
    assert not needs_restart(Config(), changed(Config(), live))
    assert needs_restart(Config(), changed(Config(), {"tracking.min_face": 50}))
    assert needs_restart(Config(), changed(Config(), {"engine.threads": 1}))


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
