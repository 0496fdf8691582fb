"""Rules for settings that a ``rtswap.toml`` in the working folder may not change: ``option(..., own=...)``.

Such a file may have been downloaded together with videos. Settings that decide whether a real face is shown, whether
frames are marked, whether consent is assumed and where data is sent or written are accepted only from flags, from the
user's own configuration file and from ``--config``.
"""

from __future__ import annotations

from collections.abc import Iterator
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from rtswap.core.urls import expanded, trimmed


def never(value: Any) -> bool:
    """Any file may set the option."""
    return False


def always(value: Any) -> bool:
    """No untrusted file may set the option, whatever the value."""
    return True


def leads_away(value: Any) -> bool:
    """Whether any of the addresses is a URL, a device, a plugin's or a path outside the working folder."""
    addresses = value if isinstance(value, tuple) else (value,)
    return any(isinstance(address, str) and _leads_away(address) for address in addresses)


def photo_leads_away(value: Any) -> bool:
    """As ``leads_away``, for photos, which may be personas."""
    from rtswap.source.personas import is_persona  # --help must be fast

    return leads_away(tuple(one for one in value if not is_persona(one)))


def _leads_away(address: str) -> bool:
    if ":" in address:  # http://host, vcam:/dev/video7, anything:that a plugin sends on
        return True
    try:
        here, path = Path.cwd().resolve(), expanded(trimmed(address))
        if has_magic(str(path.parent)) and not here.is_relative_to(path.parent):
            return True  # links to the folder itself can match without end
        return not all(one.resolve().is_relative_to(here) for one in _stands_for(path))
    except (OSError, RuntimeError, ValueError):  # a symlink loop, an unknown home folder, a NUL
        return True


def _stands_for(path: Path) -> Iterator[Path]:
    """What a path names: itself, what a pattern matches, and the links in a folder, or among numbered pictures."""
    yield path
    yield from map(Path, glob(str(path)))
    folder = path.parent if "%" in path.name else path
    if folder.is_dir():
        yield from (one for one in folder.iterdir() if one.is_symlink())
