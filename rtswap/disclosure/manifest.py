"""Sign and read C2PA manifests: signed statements in recorded files that a face in them is synthetic.

Platforms and browsers read C2PA (c2pa.org). rtswap states what was done, by which version, and the hash of the input;
no name, path, time, thumbnail or photo. MP4, MOV, AVI, JPEG, PNG, GIF, WebP and TIFF embed the manifest.
Matroska, WebM, APNG and BMP cannot, so it is stored beside them: ``clip.c2pa`` for ``clip.mkv``.

No network access, neither for signing (no time stamp) nor for reading (no remote manifest, no revocation list).
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import IO, Any

from rtswap.core.errors import ConfigError, InputError, OutputError, RtswapError, reason
from rtswap.core.files import open_regular
from rtswap.core.isolation import pip_install
from rtswap.disclosure.certificate import SigningIdentity
from rtswap.disclosure.manifest_content import ManifestFacts, definition, hash_input
from rtswap.disclosure.manifest_report import ManifestReport, report_of
from rtswap.disclosure.manifest_streams import GuardedFile, NullFile, StreamGuard
from rtswap.vision.picture_parts import refuse_many_parts

__all__ = [
    "ManifestFacts",
    "ManifestReport",
    "check_identity",
    "facts_of",
    "hash_input",
    "read_manifest",
    "sidecar_of",
    "sign_file",
]

MEDIA_TYPES = MappingProxyType(
    {
        ".mp4": "video/mp4",
        ".m4v": "video/mp4",
        ".mov": "video/quicktime",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".png": "image/png",
        ".webp": "image/webp",
        ".avif": "image/avif",
        ".tif": "image/tiff",
        ".tiff": "image/tiff",
        ".mkv": "video/x-matroska",
        ".webm": "video/webm",
        ".avi": "video/x-msvideo",
        ".gif": "image/gif",
        ".apng": "image/png",
        ".bmp": "image/bmp",
    }
)
"""Formats that rtswap records."""
BESIDE = (".mkv", ".webm", ".apng", ".bmp")
"""Formats that cannot contain a manifest, or whose readers then take an animation for one picture."""
_LIBRARIES = (".so", ".dylib", ".dll")
MAX_SIDECAR = 16 * 1024 * 1024
READ_S, SLOWEST = 20.0, 10e6
"""To read a manifest: seconds, and bytes of the file in each further one."""
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)
"""A PNG of one grey pixel."""
_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


def sidecar_of(path: Path) -> Path:
    """Path of the manifest of a file that cannot contain it."""
    return path.with_suffix(".c2pa")


def sign_file(path: Path, facts: ManifestFacts, identity: SigningIdentity) -> None:
    """Sign a finished recording. Raises OutputError; the file then stays complete and unsigned.

    Writes the signed file beside it, syncs it to disk and renames it. Needs the same space again meanwhile, and about
    the time of a copy.
    """
    path = path.resolve()
    suffix = path.suffix.lower()
    if suffix not in MEDIA_TYPES:
        raise OutputError(
            f"cannot sign {path}",
            expected=f"a file name ending in {', '.join(MEDIA_TYPES)}",
            got=suffix or "no ending",
        )
    try:
        if suffix in BESIDE:
            with _replace_file(sidecar_of(path), like=path) as file, path.open("rb") as recording:
                file.write(_sign(recording, NullFile(), facts, identity, MEDIA_TYPES[suffix], embed=False))
        else:
            with _replace_file(path, like=path) as file, path.open("rb") as recording:
                _sign(recording, file, facts, identity, MEDIA_TYPES[suffix])
    except (OSError, ValueError, _SigningFailed) as error:
        raise OutputError(
            f"cannot sign {path}", got=reason(error), do=f"{path.name} is complete, without a manifest."
        ) from None


def facts_of(version: str, input: Path | None, *, badge: bool = True, watermark: bool = True) -> ManifestFacts:
    """Facts of a recording with a swapped face. ``input``: the input file, read completely for its hash; None for
    cameras and streams."""
    digest = hash_input(input) if input is not None else ""
    media_type = MEDIA_TYPES.get(input.suffix.lower(), "") if input is not None else ""
    return ManifestFacts(version, input_sha256=digest, input_format=media_type, badge=badge, watermark=watermark)


def check_identity(identity: SigningIdentity) -> None:
    """Sign a tiny image in memory, to detect a certificate that C2PA rejects before recording starts. Raises
    ConfigError. Takes a few milliseconds."""
    try:
        _sign(io.BytesIO(_PIXEL), io.BytesIO(), ManifestFacts(""), identity, "image/png")
    except (OSError, ValueError, _SigningFailed) as error:
        raise ConfigError(
            "C2PA does not accept the signing certificate",
            expected="a chain that meets its certificate profile (docs/verify.md)",
            got=reason(error),
        ) from None


def read_manifest(path: Path, *, anchors: str = "") -> ManifestReport | None:
    """Read the manifest in the file, or beside it; None if there is none. Raises InputError if it cannot be read.

    Reads the complete file for its hash. ``anchors``: PEM certificates; a signer that one of them vouches for is
    ``trusted``.
    """
    c2pa = _c2pa()
    settings = _SETTINGS | ({"trust": {"user_anchors": anchors}} if anchors else {})
    beside = sidecar_of(path)
    try:
        with open_regular(path) as file:
            _refuse_many_parts(path, file)
            try:
                return _read(c2pa, settings, file, None, None)
            except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
                if beside == path or not beside.is_file():
                    return None
            file.seek(0)
            manifest = _bytes_of(beside)
            return _read(c2pa, settings, file, MEDIA_TYPES.get(path.suffix.lower(), "image/bmp"), manifest)
    except (OSError, ValueError, c2pa.C2paError) as error:
        do = "The file is damaged, or its format cannot contain a manifest."
        raise InputError(f"cannot read the manifest of {path}", got=reason(error), do=do) from None


def _refuse_many_parts(path: Path, file: IO[bytes]) -> None:
    """Raise InputError for a picture whose parts c2pa would keep, 80 bytes each."""
    if os.fstat(file.fileno()).st_size:
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            refuse_many_parts(path, data)


def _read(
    c2pa: ModuleType, settings: dict[str, Any], file: IO[bytes], media_type: str | None, manifest: bytes | None
) -> ManifestReport:
    with StreamGuard(READ_S + os.fstat(file.fileno()).st_size / SLOWEST) as guard:
        try:
            with (
                c2pa.Context.from_dict(settings) as context,
                c2pa.Reader(media_type, GuardedFile(file, guard), manifest, context) as reader,
            ):
                found = json.loads(reader.json())
        except c2pa.C2paError:
            if guard.error is not None:
                raise guard.error from None
            raise
    return report_of(found, sidecar=manifest is not None)


def _sign(
    recording: IO[bytes],
    output: object,
    facts: ManifestFacts,
    identity: SigningIdentity,
    media_type: str,
    *,
    embed: bool = True,
) -> bytes:
    """Write the recording with its manifest to ``output``; returns the manifest. Raises OSError, _SigningFailed."""
    c2pa = _c2pa()
    with StreamGuard() as guard:
        try:
            info = c2pa.C2paSignerInfo(identity.algorithm, identity.chain.encode(), identity.key.encode(), None)
            with (
                c2pa.Signer.from_info(info) as signer,
                c2pa.Context.from_dict(_SETTINGS) as context,
                c2pa.Builder(json.dumps(definition(facts)), context) as builder,
            ):
                if not embed:
                    builder.set_no_embed()
                manifest: bytes = builder.sign(
                    signer, media_type, GuardedFile(recording, guard), GuardedFile(output, guard)
                )
        except c2pa.C2paError as error:
            raise guard.error or _SigningFailed(reason(error)) from None
    return manifest


class _SigningFailed(Exception):
    """The reason reported by c2pa, so that only this module needs its package."""


@contextmanager
def _replace_file(path: Path, *, like: Path) -> Iterator[IO[bytes]]:
    """A temporary file that replaces ``path`` on success, with the permissions of ``like``; deleted otherwise."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".signing-", suffix=path.suffix)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(like, name)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _bytes_of(sidecar: Path) -> bytes:
    with open_regular(sidecar) as file:
        content = file.read(MAX_SIDECAR + 1)
    if len(content) > MAX_SIDECAR:
        raise ValueError(f"{sidecar} is larger than a manifest can be")
    return content


def _choose_library() -> None:
    """Have c2pa load the library of its own package: by itself (0.38) it looks in the working folder before, and
    again if this one does not load. Raises ImportError and OSError."""
    spec = find_spec("c2pa")
    folders = spec.submodule_search_locations if spec is not None else None
    found = (path for folder in folders or () for path in Path(folder).rglob("*c2pa_c.*"))
    library = next((path for path in found if path.suffix in _LIBRARIES), None)
    if library is None:
        raise ImportError("no library of c2pa in its package" if folders else "No module named 'c2pa'")
    ctypes.CDLL(str(library))
    os.environ["C2PA_LIBRARY_NAME"] = str(library)


def _c2pa() -> ModuleType:
    """Import c2pa on first use: 0.25 s. Raises RtswapError if it is missing."""
    try:
        if "c2pa" not in sys.modules:
            _choose_library()
        import c2pa  # type: ignore[import-untyped]
    except (ImportError, OSError, RuntimeError) as error:  # the last two: its library does not load on this machine
        raise RtswapError(
            "C2PA manifests need the package c2pa-python", got=reason(error), do=pip_install("c2pa-python")
        ) from None
    found: ModuleType = c2pa
    return found
