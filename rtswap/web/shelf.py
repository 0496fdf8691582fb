"""The sources of a studio: personas, photos that were uploaded, and those of ``--source``.

Uploads stay in memory and end with the program. They are decoded and analysed like any photo of a stranger, and used
only after somebody has confirmed that the person shown has agreed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels
from rtswap.core.errors import SourceError, UsageError
from rtswap.core.text import size
from rtswap.core.types import Image, SourceIdentity
from rtswap.core.urls import expanded
from rtswap.source.consent import ConsentRecord, digests_of_nobody
from rtswap.source.personas import PREFIX, list_personas, persona_photo
from rtswap.vision.images import decode_photo, read_photo

PHOTO_BYTES, SHELF_BYTES = 25_000_000, 250_000_000
MOST_SOURCES, MOST_PHOTOS = 30, 10
THUMBNAIL_PX = 160
NAME_LETTERS = 40


@dataclass
class Source:
    """A person on the shelf."""

    id: str
    name: str
    description: str = ""
    photos: list[bytes] = field(default_factory=list)
    """What was uploaded."""
    paths: tuple[str, ...] = ()
    """Personas and ``--source``."""
    confirmed: bool = True
    """Whether the person shown has agreed, or does not exist."""
    identity: SourceIdentity | None = None
    notes: list[str] = field(default_factory=list)
    """What was noticed about the photos, in words."""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "persona": self.id.startswith(PREFIX),
            "photos": len(self.photos) or len(self.paths),
            "consent": self.confirmed,
            "notes": self.notes,
        }


class Shelf:
    """Call it from one thread at a time. ``given``: ``--source`` of the command line, whose consent was asked there.
    Its networks are its own, so that a photo can be analysed while another thread swaps."""

    def __init__(
        self,
        config: Config,
        models: Callable[[], FaceModels],
        *,
        on_event: Callable[[str], None],
        record: ConsentRecord | None = None,
    ) -> None:
        """``models``: loads the networks that look at photos."""
        self._load = models
        self._config, self._on_event, self._record = config, on_event, record or ConsentRecord()
        self._sources: dict[str, Source] = {}
        given = config.source.photos
        if given:
            name = _clean(Path(given[0]).stem.removeprefix(PREFIX))
            self._sources["given"] = Source("given", name, "given at the start", paths=given)
        for persona in list_personas():
            one = Source(persona.source, persona.name, persona.description, paths=(persona.source,))
            self._sources[one.id] = one

    @cached_property
    def models(self) -> FaceModels:
        """The networks that look at photos."""
        return self._load()

    @property
    def sources(self) -> list[Source]:
        """All of them, in order."""
        return list(self._sources.values())

    def get(self, id: str) -> Source:
        """Raises SourceError for an unknown id."""
        if id not in self._sources:
            raise SourceError(f"no source with the id {id[:NAME_LETTERS]!r}", do="GET /api/sources lists them.")
        return self._sources[id]

    def add(self, name: str, data: bytes) -> Source:
        """Add a person by a photo. It is decoded and analysed at once. Raises SourceError, UsageError."""
        if len(self._sources) >= MOST_SOURCES + len(list_personas()):
            raise UsageError("the shelf is full", expected=f"at most {MOST_SOURCES} sources", do="Remove one.")
        source = Source(f"upload-{secrets.token_hex(4)}", _clean(name) or "someone", "uploaded")
        self._put(source, [data])
        self._sources[source.id] = source
        return source

    def add_photo(self, id: str, data: bytes) -> Source:
        """Add another photo of a person who was uploaded. Raises SourceError, UsageError."""
        source = self.get(id)
        if not source.photos:
            raise UsageError(f"{source.name} takes no photos", do="Upload the photo as a new source.")
        if len(source.photos) >= MOST_PHOTOS:
            raise UsageError(f"{source.name} has {MOST_PHOTOS} photos already, the most allowed")
        self._put(source, [*source.photos, data])
        return source

    def confirm(self, id: str) -> Source:
        """Record that the person in these photos has agreed."""
        source = self.get(id)
        for photo in source.photos:
            try:
                self._record.remember(hashlib.sha256(photo).hexdigest())
            except OSError as error:
                self._on_event(f"cannot store the confirmation in {self._record.folder} ({error.strerror or error})")
        source.confirmed = True
        return source

    def remove(self, id: str) -> None:
        """Delete an uploaded source. Raises SourceError, UsageError."""
        if not self.get(id).photos:
            raise UsageError(f"{self.get(id).name} cannot be removed", expected="an uploaded source")
        del self._sources[id]

    def identity(self, id: str) -> SourceIdentity:
        """The analysed source. Raises SourceError, also without consent."""
        source = self.get(id)
        if not source.confirmed:
            raise SourceError(
                f"consent for {source.name} is not confirmed", do="Confirm that the person shown has agreed."
            )
        if source.identity is None:
            source.identity = self._analyse(source, [])
        return source.identity

    def thumbnail(self, id: str) -> bytes:
        """A small JPEG of a persona. Uploaded photos are never sent back. Raises SourceError."""
        source = self.get(id)
        if not source.id.startswith(PREFIX):
            raise SourceError("only personas have a thumbnail; photos of people are not sent back")
        side = (THUMBNAIL_PX, THUMBNAIL_PX)
        small = cv2.resize(read_photo(persona_photo(source.name)), side, interpolation=cv2.INTER_AREA)
        return bytes(cv2.imencode(".jpg", np.asarray(small), [cv2.IMWRITE_JPEG_QUALITY, 80])[1])

    def _put(self, source: Source, photos: list[bytes]) -> None:
        held = sum(len(photo) for one in self._sources.values() for photo in one.photos)
        if held + len(photos[-1]) > SHELF_BYTES:
            raise UsageError("the shelf is full", expected=f"at most {size(SHELF_BYTES)} of photos", do="Remove one.")
        source.identity = self._analyse(source, photos)
        source.photos = photos
        known = digests_of_nobody()
        digests = [hashlib.sha256(photo).hexdigest() for photo in photos]
        source.confirmed = all(digest in known or self._record.holds(digest) for digest in digests)

    def _analyse(self, source: Source, photos: list[bytes]) -> SourceIdentity:
        names = [f"{source.name}, photo {number}" for number in range(1, len(photos) + 1)]
        names = [source.name] if len(photos) == 1 else names
        data = dict(zip(names, photos, strict=True))

        source.notes = []

        def tell(event: str) -> None:
            source.notes.append(event)
            self._on_event(event)

        def read(path: Path) -> Image:
            return decode_photo(data[str(path)], str(path)) if str(path) in data else read_photo(path)

        paths = [Path(name) for name in names] or [expanded(path) for path in source.paths]
        return self.models.load_source(paths, face_index=self._config.source.face, on_event=tell, read=read)


def _clean(name: str) -> str:
    """A name for the page and for messages: letters, digits, spaces and hyphens."""
    return re.sub(r"[^\w -]+", " ", name).strip()[:NAME_LETTERS].strip()
