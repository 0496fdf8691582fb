"""Configuration: flags, rtswap.toml and defaults from one table, and the messages for mistakes."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap.app import option_kinds
from rtswap.app.config import OPTIONS, SECTIONS, Config
from rtswap.app.config_file import Effective, effective, read, to_toml
from rtswap.app.options import duration, moment
from rtswap.app.sections import BadgeConfig
from rtswap.commands.flags import Parser
from rtswap.core.errors import ConfigError
from rtswap.swappers import swapper_spec


def written(folder: Path, text: str) -> Path:
    path = folder / "rtswap.toml"
    path.write_text(text)
    return path


def read_text(folder: Path, text: str) -> dict[str, Any]:
    return read(written(folder, text))


def test_a_swapper_file_that_is_missing_is_called_missing() -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        option_kinds.swapper().parse("me.dfm")


def test_the_folder_of_a_training_is_told_its_file(tmp_path: Path) -> None:
    for name in ("me-back.dfm", "me.dfm"):
        (tmp_path / name).touch()
    for path in (tmp_path, tmp_path / "checkpoint.pt"):
        with pytest.raises(ValueError, match=rf": what was trained there is {tmp_path / 'me.dfm'}$"):
            option_kinds.swapper().parse(str(path))


def test_defaults() -> None:
    found = effective({}, folders=[])
    assert found.config == Config()
    assert set(found.origins.values()) == {"default"}
    assert set(found.origins) == {row.key for row in OPTIONS}


def test_file_overrides_defaults_and_flags_override_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[budget]\ntarget = "20ms"\n[engine]\nthreads = 1\nengine = "openvino"\n')
    found = effective({"engine.threads": (2, "--threads")}, folders=[tmp_path])
    assert found.config.budget.target_s == pytest.approx(0.020)
    assert found.config.engine.threads == 2
    assert found.config.engine.engine == "openvino"
    assert found.origins["budget.target"] == str(path)
    assert found.origins["engine.threads"] == "--threads"
    assert found.origins["safety.on_failure"] == "default"


def test_the_working_folder_comes_before_the_users(tmp_path: Path) -> None:
    for name, threads in (("here", 1), ("home", 2)):
        (tmp_path / name).mkdir()
        written(tmp_path / name, f"[engine]\nthreads = {threads}\n")
    folders = [tmp_path / "here", tmp_path / "home"]
    assert effective({}, folders=folders).config.engine.threads == 1
    (folders[0] / "rtswap.toml").unlink()
    assert effective({}, folders=folders).config.engine.threads == 2


def test_the_users_folder_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / name)
    (tmp_path / "rtswap").mkdir()
    written(tmp_path / "rtswap", "[engine]\nthreads = 3\n")
    assert effective({}).config.engine.threads == 3


def test_requested_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.toml"):
        effective({}, file=str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigError, match="cannot read"):
        effective({}, file=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[safety]\non_failur = 'blur'", r"unknown key safety\.on_failur.*Did you mean safety\.on_failure\?"),
        ("[budget]\nthreads = 2", r"unknown key budget\.threads.*Did you mean engine\.threads\?"),
        ("[saftey]\n", r"unknown section \[saftey\].*Did you mean \[safety\]\?"),
        ("threads = 2", r"unknown section \[threads\]"),
        ("engine = 'openvino'", r"engine; expected a section \[engine\]; got 'openvino'"),
        ("[engine]\nthreads = '2'", r"engine\.threads; expected a whole number.*got text"),
        ("[engine]\nthreads = true", r"engine\.threads.*got true or false"),
        ("[engine]\nthreads = -1", r"engine\.threads; expected a whole number from 0 to 256; got -1"),
        ("[engine]\nthreads = 2.5", r"engine\.threads.*got a number"),
        ("[engine]\nengine = 'cuda'", r"engine\.engine; expected one of auto, tensorrt, .*, onnxruntime; got 'cuda'"),
        ("[budget]\ntarget = 40", r"budget\.target; expected a duration such as 40ms or 2s.*got 40"),
        ("[budget]\ntarget = '2h'", r"budget\.target"),
        ("[input]\nfps = nan", r"input\.fps; expected a number"),
        ("[input]\nsize = '1280'", r"input\.size; expected a size such as 1280x720; got '1280'"),
        ("[source]\nphotos = [1]", r"source\.photos.*got a whole number"),
        ("[source]\nphotos = ['']", r"source\.photos.*nothing"),
        ("[tracking]\nthresholds = '1,2'", r"tracking\.thresholds; expected 3 numbers"),
        ("[badge]\nlook = 'purple'", r"badge\.look.*'purple'"),
        ("[badge]\nhide = 'no'", r"badge\.hide; expected true or false"),
        ("[badge", "invalid TOML"),
        ("\0", "invalid TOML"),
        ("a = " + "[" * 5000, "invalid TOML"),
    ],
)
def test_mistakes_name_file_key_and_reason(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        read_text(tmp_path, text)
    assert "rtswap.toml" in str(caught.value)
    assert "\n" not in str(caught.value).replace(text, "")
    assert caught.value.exit_code == 2


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As Notepad and PowerShell write it."""
    path = tmp_path / "rtswap.toml"
    path.write_bytes(b"\xef\xbb\xbf[badge]\r\nlook = 'dark'\r\n")
    assert effective({}, file=str(path)).config.badge.look == "dark bl"


def test_files_that_are_not_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"not a configuration file; expected text \(TOML\); got other data\. Save"):
        read(path)
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(ConfigError, match="at most 1 MB"):
        read(path)


@given(text=st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_makes_the_reader_crash(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, errors="replace")
    try:
        assert set(read(path)) <= {row.key for row in OPTIONS}
    except ConfigError:
        return


SOME_VALUES: dict[str, Any] = {
    "source.photos": ("me.jpg", 'a "quoted" \\ name é 日.png', "line\nbreak\x7f"),
    "source.face": 2,
    "input.address": "rtsp://user@host/x?y=1",
    "input.size": (1280, 720),
    "input.fps": 29.97,
    "output.to": ("vcam", "out.mp4"),
    "tracking.thresholds": (0.1, 0.25, 1.0),
    "safety.empty_after": 1.5,
    "safety.pass_through": True,
    "badge.look": "light tr",
    "budget.target": 0.0333,
    "metrics.file": "m.jsonl",
}


def test_printed_configuration_can_be_read_back(tmp_path: Path) -> None:
    found = effective({key: (value, "--flag") for key, value in SOME_VALUES.items()}, folders=[])
    text = to_toml(found)
    again = effective({}, file=str(written(tmp_path, text)))
    assert again.config == found.config
    assert text.count("# --flag") == len(SOME_VALUES)


@pytest.mark.parametrize("key", ["source.photos", "input.address", "output.to", "metrics.file"])
def test_every_text_can_be_read_back(key: str) -> None:
    """Also letters that JSON writes as two, such as emoji in the name of a clip."""
    kind = next(row.kind for row in OPTIONS if row.key == key)
    value = kind.from_toml("./😀 \x7f é.onnx")
    assert kind.from_toml(tomllib.loads("x = " + kind.to_toml(value))["x"]) == value


def test_origins_cannot_break_the_printed_file(tmp_path: Path) -> None:
    folder = tmp_path / "x\n[engine]"
    folder.mkdir()
    path = written(folder, "[engine]\nthreads = 3\n")
    text = to_toml(effective({}, file=str(path)))
    assert tomllib.loads(text)["engine"]["threads"] == 3


@given(
    ms=st.integers(1, 59_999),
    unit=st.sampled_from(["ms", "s"]),
)
def test_durations(ms: int, unit: str) -> None:
    kind = duration(60)
    text = f"{ms}ms" if unit == "ms" else f"{ms / 1000}s"
    assert kind.parse(text) == pytest.approx(ms / 1000)
    assert kind.from_toml(tomllib.loads("x = " + kind.to_toml(ms / 1000))["x"]) == pytest.approx(ms / 1000, rel=1e-4)


@pytest.mark.parametrize("text", ["", "40", "-1s", "1e3s", "inf s", "nan", "61s", "1 s s", "٣s", "1.s", "s"])
def test_invalid_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        duration(60).parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("83", 83),
        ("83.5", 83.5),
        ("90s", 90),
        (".2", 0.2),
        (".5s", 0.5),
        ("1:23", 83),
        ("1:2", 62),
        ("90:00", 5400),
        ("1:02:03.5", 3723.5),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert moment().parse(text) == seconds


@pytest.mark.parametrize("text", ["1:99", "0:60", "1:60:00", "1:2:3:4", "1:", ":30", "-1", "1e2"])
def test_invalid_times_are_refused(text: str) -> None:
    """1:99 was taken as 2:39."""
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        moment().parse(text)


@pytest.mark.parametrize(
    ("look", "style", "position"), [("tr", "auto", "tr"), ("light", "light", "bl"), ("tc,outline", "outline", "tc")]
)
def test_badge_look_takes_a_style_a_place_or_both(look: str, style: str, position: str) -> None:
    kind = next(row.kind for row in OPTIONS if row.key == "badge.look")
    badge = BadgeConfig(look=kind.parse(look))
    assert (badge.style, badge.position) == (style, position)


def test_the_table_is_whole() -> None:
    fields = {(name, item.name) for name, part in SECTIONS.items() for item in dataclasses.fields(part)}
    assert {(row.section, row.name) for row in OPTIONS} == fields
    flags = [flag for row in OPTIONS for flag in (*row.flags, *(also[0] for also in row.also))]
    assert len(flags) == len(set(flags))
    for row in OPTIONS:
        assert row.help
        assert row.flags or row.key == "marks.reason", "only the reason for leaving unmarked has no flag"
        if row.default is not None:  # every default is a value that could have been written
            assert row.kind.from_toml(tomllib.loads("x = " + row.kind.to_toml(row.default))["x"]) == row.default


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().engine.threads = 3  # type: ignore[misc]
    assert isinstance(effective({}, folders=[]), Effective)


FORMER = [(former, "refiner") for former in ("one", "one-256", "refiner-128", "refiner-256")]


@pytest.mark.parametrize(("former", "name"), FORMER)
def test_a_swapper_is_found_by_its_former_name(tmp_path: Path, former: str, name: str) -> None:
    path = tmp_path / "rtswap.toml"
    path.write_text(f'[swap]\nswapper = "{former}"\n')
    assert effective({}, file=str(path)).config.swap.swapper == name
    assert swapper_spec(former).name == name


@pytest.mark.parametrize(("former", "name"), FORMER)
def test_a_flag_with_a_former_name_says_the_new_one_once(
    former: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser("rtswap", "").with_table(["swap"])
    assert parser.read(["--swapper", former])["swap.swapper"] == name
    assert capsys.readouterr().err == f'rtswap: "{former}" is now called "{name}"\n'
    parser.read(["--swapper", name])
    assert not capsys.readouterr().err
