"""The user's own folders are never in the working folder."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from rtswap.commands.main import main
from rtswap.core.user_folders import videos_folder


@pytest.mark.parametrize("found", [Path("~/.config/rtswap"), Path(".config/rtswap"), None])
def test_settings_in_the_working_folder_are_not_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], found: Path | None
) -> None:
    """As platformdirs 4.2 answers without a home, or with a relative one; newer versions raise."""

    def answer(*app: str) -> Path:
        if found is None:
            raise RuntimeError("could not determine the home directory")
        return found

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_config_path", answer)
    monkeypatch.setattr(platformdirs, "user_videos_path", answer)
    planted = found or Path("planted")
    planted.mkdir(parents=True)
    (planted / "rtswap.toml").write_text('[marks]\nunmarked = true\nreason = "x"\n')
    assert main(["config"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    expected = "an absolute path in HOME, and in XDG_CONFIG_HOME if it is set"
    assert said.err == f"rtswap: no folder for your config; expected {expected}. Run: export HOME=FOLDER\n"
    assert videos_folder() is None
