"""The user's own folders, for settings, state, data and caches; never one in the working folder, which may have been
downloaded: what is in the user's own folders is believed. Only this file knows platformdirs."""

from __future__ import annotations

from pathlib import Path

from rtswap.core.errors import UsageError


def user_folder(kind: str) -> Path:
    """Return the folder for ``config``, ``state``, ``data`` or ``cache``. Raises UsageError for a user without a
    home, or with a relative one, for which older versions of platformdirs name a place in the working folder."""
    import platformdirs  # --help must be fast

    try:
        found: Path = getattr(platformdirs, f"user_{kind}_path")("rtswap")
    except RuntimeError:
        found = Path()
    if not found.is_absolute():
        expected = f"an absolute path in HOME, and in XDG_{kind.upper()}_HOME if it is set"
        raise UsageError(f"no folder for your {kind}", expected=expected, do="Run: export HOME=FOLDER")
    return found


def videos_folder() -> Path | None:
    """Return the user's folder for videos, if there is one."""
    import platformdirs

    try:
        found: Path = platformdirs.user_videos_path()
    except RuntimeError:
        return None
    return found if found.is_absolute() and found.is_dir() else None
