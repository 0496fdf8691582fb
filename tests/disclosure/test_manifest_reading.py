"""Manifests of other programs are read, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signed_files import recording

from rtswap.core.errors import InputError
from rtswap.disclosure.manifest import ManifestReport, read_manifest, sidecar_of
from rtswap.disclosure.manifest_report import report_of


def read_or_line(path: Path) -> tuple[ManifestReport | None, str]:
    """What was found, and the message where it could not be read."""
    try:
        return read_manifest(path), ""
    except InputError as error:
        return None, str(error)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "face.png", "notes.txt"])
@pytest.mark.parametrize(
    "data", [b"", b"\0" * 64, b"hello world" * 300, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\xff\xff"]
)
def test_no_manifest_or_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    found, line = read_or_line(path)
    assert found is None
    assert "\n" not in line


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), size=st.integers(0, 2**64 - 1), at=st.integers(0, 400))
def test_truncated_and_boastful_files_are_read_or_refused(
    tmp_path: Path, signed_clip: bytes, cut: float, size: int, at: int
) -> None:
    """Cut anywhere, with any eight bytes near the start (where boxes state their sizes) replaced."""
    data = bytearray(signed_clip[: int(cut * len(signed_clip))])
    data[at : at + 8] = size.to_bytes(8, "big")
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    found, line = read_or_line(path)
    assert found is None or not found.holds or bytes(data) == signed_clip
    assert "\n" not in line


@pytest.mark.parametrize("data", [b"", b"rubbish" * 100, b"\0\0\0\x10jumb" * 10])
def test_damaged_sidecar_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = recording(tmp_path / "clip.mkv")
    sidecar_of(path).write_bytes(data)
    with pytest.raises(InputError, match="manifest") as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)


def test_absurdly_large_sidecar_is_not_read(tmp_path: Path) -> None:
    path = recording(tmp_path / "clip.mkv")
    with sidecar_of(path).open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(InputError, match="larger"):
        read_manifest(path)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(manifest=json_like, info=json_like, actions=json_like, status=json_like)
def test_report_of_anything(manifest: object, info: object, actions: object, status: object) -> None:
    odd = {"claim_generator_info": info, "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}]}
    for active in (manifest, odd):
        store = {"active_manifest": "a", "manifests": {"a": active, "b": manifest}, "validation_status": status}
        found = report_of(store, sidecar=False)
        assert not found.holds
        assert not found.by_rtswap


def test_strangers_text_cannot_steer_the_terminal() -> None:
    name = "\x1b[2Jrtswap\n\u202e"
    store = {"active_manifest": "a", "manifests": {"a": {"claim_generator_info": [{"name": name, "version": "1"}]}}}
    assert report_of(store, sidecar=False).generator.isprintable()


def test_rtswaps_manifest_is_found_under_a_later_one() -> None:
    ours = {"claim_generator_info": [{"name": "rtswap", "version": "1.0"}]}
    on_download = {"claim_generator_info": [{"name": "Editor", "version": "5"}]}
    store = {"active_manifest": "b", "manifests": {"a": ours, "b": on_download}, "validation_state": "Valid"}
    found = report_of(store, sidecar=False)
    assert (found.by_rtswap, found.earlier, found.generator) == (True, True, "rtswap 1.0")
