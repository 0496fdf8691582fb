"""A signed recording, made once."""

from __future__ import annotations

import pytest
from bright_marks import clip

from rtswap.disclosure.certificate import local_identity
from rtswap.disclosure.manifest import ManifestFacts, sign_file


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("signed")
    path = clip(folder / "clip.mp4", "..")
    sign_file(path, ManifestFacts("0.1.0"), local_identity(folder / "identity"))
    return path.read_bytes()
