"""Open zip files that come from anybody."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtswap.core.errors import reason
from rtswap.core.files import open_regular


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file at ``path``. Raises OSError, also for a pipe, and BadZipFile for whatever else is wrong with it,
    then or when it is read in the block."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as pack:
            if any(item.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for item in pack.infolist()):
                raise zipfile.BadZipFile("an unusual compression")
            if sum(item.compress_size for item in pack.infolist()) > os.fstat(file.fileno()).st_size:
                raise zipfile.BadZipFile("files that have more bytes than it")
            yield pack
    except (zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise zipfile.BadZipFile(reason(error)) from None
