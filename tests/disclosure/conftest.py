"""A signing identity and a signed recording, made once."""

from __future__ import annotations

import pytest
from signed_files import FACTS, recording

from rtswap.disclosure.certificate import SigningIdentity, local_identity
from rtswap.disclosure.manifest import sign_file


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> SigningIdentity:
    return local_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="session")
def signed_clip(tmp_path_factory: pytest.TempPathFactory, identity: SigningIdentity) -> bytes:
    path = recording(tmp_path_factory.mktemp("signed") / "clip.mp4")
    sign_file(path, FACTS, identity)
    return path.read_bytes()
