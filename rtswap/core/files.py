"""Write files atomically, hash and list them, and refuse to overwrite existing ones."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from rtswap.core.errors import OutputError, OutputExists, RtswapError, reason
from rtswap.core.text import as_argument, size

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part", re.DOTALL)
"""Names of files that are being written."""
_LONG, _HOLES, _BLOCK = 1 << 32, 16, 512
"""A file of so many bytes, and so many times as many as are stored of it, is hollow; bytes of a block in
``st_blocks``."""
ADMINISTRATOR, UNKNOWN = 0, 65_534
"""The user who may write any file; whose files belong to users of another container or computer."""
_MOST_NAME = 255
"""Bytes in a file name, where the file system does not say."""


@contextmanager
def replacing(path: Path, *, private: bool = False, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Replace the file at ``path`` by what is written in the block; an interrupted write leaves the old file
    unchanged. A link there is replaced, not followed. ``private``: readable by the owner only (mode 0600).
    ``overwrite``: as for ``publish``. Raises OSError."""
    part = path.with_name(_cut(f".{path.name}", f".{secrets.token_hex(4)}.part", path.parent))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(part, flags, 0o600 if private else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        publish(part, path, overwrite=overwrite)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def write_atomic(path: Path, content: bytes, *, private: bool = False, overwrite: bool = True) -> None:
    """Replace the file at ``path`` by ``content``, as ``replacing`` does. Raises OSError."""
    with replacing(path, private=private, overwrite=overwrite) as file:
        file.write(content)


def publish(part: Path, path: Path, *, overwrite: bool) -> None:
    """Give the finished file ``part`` its name. Without ``overwrite`` raises FileExistsError if a file has that name,
    even one that another program made a moment ago: a link, unlike a look before, cannot be late. Raises OSError."""
    if not overwrite:
        try:
            os.link(part, path)
        except FileExistsError:
            raise FileExistsError(f"{path} was created by another program") from None
        except OSError:  # a file system without links, such as FAT
            if path.exists():
                raise FileExistsError(f"{path} was created by another program") from None
        else:
            part.unlink()
            return
    os.replace(part, path)


def _cut(stem: str, rest: str, folder: Path) -> str:
    """Return ``stem + rest``, ``stem`` cut between characters to what the file system of ``folder`` allows."""
    most = _MOST_NAME
    with suppress(OSError, ValueError, AttributeError):  # Windows has no pathconf
        most = min(most, os.pathconf(folder, "PC_NAME_MAX"))
    while stem and len(os.fsencode(stem + rest)) > most:
        stem = stem[:-1]
    return stem + rest


def open_at_once(path: str, flags: int) -> int:
    """The ``opener`` of ``open`` that never waits for a pipe's other end. Raises OSError if nobody reads a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)  # without a mode it would be a program


def open_itself(path: str, flags: int) -> int:
    """As ``open_at_once``; raises OSError for a link."""
    return open_at_once(path, flags | getattr(os, "O_NOFOLLOW", 0))


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading. Raises OSError for a pipe, a device and what the system makes up (``/proc/kmsg``),
    which may never answer, and for a long file that is hardly there, and ValueError for an impossible name."""
    file = open(path, "rb", opener=open_at_once)  # noqa: SIM115 - the caller closes it
    stored, hollow = _is_stored(file.fileno()), _is_hollow(file.fileno())
    if not stored or hollow:
        file.close()
        what = "hardly any of it is on the disk: it is all holes" if stored else "not a regular file"
        raise OSError(errno.EINVAL, what, str(path))
    return file


def _is_stored(handle: int) -> bool:
    """Whether an open file is one of a disk. Those of ``/proc`` and ``/sys`` say that they are regular, too."""
    found = os.fstat(handle)
    made_up = not found.st_size and hasattr(os, "fstatvfs") and not os.fstatvfs(handle).f_blocks
    return stat.S_ISREG(found.st_mode) and not made_up


def _is_hollow(handle: int) -> bool:
    """Whether hardly any of an open file is stored: to read its holes can take hours. Windows does not say, and some
    disks in the network say 0."""
    found = os.fstat(handle)
    stored = getattr(found, "st_blocks", 0) or math.inf
    return found.st_size > max(_LONG, _HOLES * _BLOCK * stored)


def read_regular(path: Path) -> bytes:
    """Return what a file holds. Raises OSError for a pipe or a device, and ValueError for an impossible name."""
    with open_regular(path) as file:
        return file.read()


def is_linked(path: Path) -> bool:
    """Whether a file is a link, or has a second name. Raises OSError for a pipe or a device."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return stat.S_ISLNK(found.st_mode) or found.st_nlink > 1


def is_other(path: Path, content: bytes) -> bool:
    """Whether something else than a file with this content is at ``path``; False if nothing is. Raises OSError."""
    if not path.exists():
        return False
    if not path.is_file() or path.stat().st_size != len(content):
        return True
    return read_regular(path) != content


def open_to_append(path: Path, ours: re.Pattern[bytes], what: str) -> BinaryIO:
    """Open a file for appending, unbuffered. ``ours``: pattern of the first bytes of a file that rtswap may append
    to. Raises OSError, and OutputError for another file, with the message that it is not ``what``."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            first = file.read(200) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except FileNotFoundError:  # a link that leads nowhere may have been planted: nothing is made at its end
        return cast(BinaryIO, open(path, "xb", buffering=0))
    if first and not ours.match(first):
        do = "Choose another name; rtswap appends only to its own files."
        raise OutputError(f"{path} is not {what}", got="a file of another kind", do=do)
    return cast(BinaryIO, open(path, "ab", buffering=0, opener=open_at_once))


def sha256_of(path: Path, most: int | None = None) -> str:
    """Return the file's SHA-256 in hex, read in chunks. Raises OSError, before reading, for a file that
    ``open_regular`` refuses, or of more than ``most`` bytes."""
    with open_regular(path) as file:
        if most is not None and os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_writable(folder: Path) -> None:
    """Create the folder if it is missing and check that it is writable. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\0")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Be the only run that writes into a folder. The system lets go when the process ends, however it does; what
    ``replacing`` left there when it was killed is deleted by the next run. Without locks (Windows, some network
    disks) nothing happens. Raises OutputError."""
    handle = -1
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in (one for one in folder.iterdir() if _PART.fullmatch(one.name)):
            left.unlink()
    except BlockingIOError:
        os.close(handle)
        do = "Wait until it has ended, or choose another folder with --out."
        raise OutputError(f"another run is writing into {folder}", do=do) from None
    except (ImportError, OSError):
        pass
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def make_private(folder: Path) -> None:
    """Create a folder into which nobody else can write. Raises OSError for a link, a folder of another user's, and
    one that was there and into which others can write: what is in it may be the user's own, so it is left alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not hasattr(os, "geteuid"):  # Windows: a user's folders are their own
        return
    found = folder.lstat()
    others = found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or others:
        raise OSError(errno.EPERM, "not a folder of this user alone", str(folder))


def others_can_write(folder: Path) -> bool:
    """Whether somebody else than this user and root can write into a folder, or that is unknown."""
    if not hasattr(os, "geteuid"):
        return False
    try:
        found = folder.stat()
    except OSError:
        return True
    return found.st_uid not in (0, os.geteuid()) or bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def strangers_can_write(path: Path) -> bool:
    """Whether any user of the computer can write a file or replace it, or another user owns it or its folder. The
    administrator trusts the owners of files; what does not exist is nobody's."""
    if not hasattr(os, "geteuid"):
        return False
    try:
        real = path.resolve(strict=True)
        owners = {place.stat().st_uid for place in (real, real.parent, path.absolute().parent)}
        modes = [place.stat().st_mode for place in (real, *real.parents, *path.absolute().parents)]
    except (OSError, RuntimeError):
        return False
    user = os.geteuid()
    foreign = user != ADMINISTRATOR and bool(owners - {user, ADMINISTRATOR, UNKNOWN})
    return foreign or any(mode & stat.S_IWOTH and not mode & stat.S_ISVTX for mode in modes)


def write_cached(path: Path, content: bytes, *, cache: str, error: type[RtswapError]) -> None:
    """``write_atomic`` into a cache; creates its folder. Raises ``error``, with ``cache`` in the message."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as why:
        raise error(
            f"cannot write {path.name} ({size(len(content))}) to {cache}",
            got=reason(why),
            do="Free some disk space, or set RTSWAP_CACHE to another folder.",
        ) from why


def make_partial(path: Path, make: Callable[[Path], object], do: str = "Choose another folder.") -> Path:
    """Call ``make`` with a temporary name next to ``path`` and return that name: ``clip.partial.mp4`` for
    ``clip.mp4``, or ``clip.partial2.mp4`` if an earlier run left one behind. Raises OutputError."""
    number = 1
    while True:
        rest = f".partial{number if number > 1 else ''}{path.suffix}"
        partial = path.with_name(_cut(path.stem, rest, path.parent))
        try:
            make(partial)
        except FileExistsError:
            number += 1
        except FileNotFoundError:
            create = f"Create it first: mkdir -p {as_argument(path.parent)}"
            raise OutputError(f"the folder {path.parent} for {path.name} does not exist", do=create) from None
        except (OSError, ValueError) as error:
            raise OutputError(f"cannot write {str(path)[:300]!r}", got=reason(error), do=do) from None
        else:
            return partial


def list_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the folder's files with these suffixes, without hidden files, in natural order: frame2 before frame10.
    Raises OSError."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")]
    return sorted(found, key=natural_key)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key: digits compare as numbers and come before letters; letters compare case-insensitively."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def refuse_existing(path: Path, overwrite: bool, audio_from: str | None = None) -> None:
    """Raise OutputError if ``path`` exists and ``overwrite`` is off, or if ``path`` is a folder, device or pipe,
    cannot be accessed, or is the input ``audio_from``."""
    try:
        path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {path}", got=reason(error)) from None
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OutputError(f"cannot write {path}", got="a device or a pipe", do="Choose another name.")
    if path.is_dir():
        raise OutputError(f"cannot write {path}", got="a folder with that name", do="Choose another name.")
    if audio_from is not None and path.exists() and Path(audio_from).exists() and path.samefile(audio_from):
        raise OutputError(f"{path} is the input", do="Choose another name for the output.")
    if not overwrite:
        raise OutputExists(f"{path} already exists", do="Choose another name, or add --overwrite.")
