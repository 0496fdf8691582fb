"""Changes after signing are detected: frames, pictures, manifests, certificates."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_files import make_clip
from signed_files import FACTS, recording, report

from rtswap.core.errors import InputError
from rtswap.disclosure.certificate import SigningIdentity, local_identity
from rtswap.disclosure.manifest import read_manifest, sidecar_of, sign_file


def test_every_changed_byte_of_a_frame_shows(tmp_path: Path, signed_clip: bytes) -> None:
    path = tmp_path / "clip.mp4"
    begin = signed_clip.index(b"mdat") + 4
    end = begin - 8 + int.from_bytes(signed_clip[begin - 8 : begin - 4], "big")
    for at in range(begin + 20, end, (end - begin) // 12):
        changed = bytearray(signed_clip)
        changed[at] ^= 1
        path.write_bytes(changed)
        found = report(path)
        assert found.state == "invalid", at
        assert "assertion.bmffHash.mismatch" in found.problems
        assert not found.holds


@pytest.mark.parametrize("name", ["face.png", "face.jpg", "face.webp", "face.avif", "face.tif", "face.bmp"])
def test_changed_picture_shows(tmp_path: Path, identity: SigningIdentity, name: str) -> None:
    path = recording(tmp_path / name)
    sign_file(path, FACTS, identity)
    data = bytearray(path.read_bytes())
    data[{".webp": 60, ".tif": 20}.get(path.suffix, -50)] ^= 1
    path.write_bytes(data)
    assert report(path).state == "invalid"
    hashed = "bmffHash" if path.suffix == ".avif" else "dataHash"
    assert f"assertion.{hashed}.mismatch" in report(path).problems


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
def test_changed_manifest_never_passes_for_another(
    tmp_path: Path, signed_clip: bytes, where: float, value: int
) -> None:
    """A byte of the manifest itself: either it does not count (padding), or it is invalid, unreadable or gone."""
    box = signed_clip.index(bytes.fromhex("d8fec3d61b0e483c92975828877ec481")) - 8
    size = int.from_bytes(signed_clip[box : box + 4], "big")
    changed = bytearray(signed_clip)
    changed[box + 8 + int(where * (size - 8))] ^= value
    path = tmp_path / "clip.mp4"
    path.write_bytes(changed)
    (tmp_path / "whole.mp4").write_bytes(signed_clip)
    try:
        found = read_manifest(path)
    except InputError:
        return
    assert found is None or not found.holds or found == report(tmp_path / "whole.mp4")


def test_swapped_certificate_shows(tmp_path: Path, identity: SigningIdentity, signed_clip: bytes) -> None:
    """Somebody else's certificate in the place of ours, of the same length."""
    import base64

    def der(of: SigningIdentity) -> bytes:
        return base64.b64decode("".join(of.chain.split("-----")[2].split()))

    other = next(
        found
        for number in range(200)
        if len(der(found := local_identity(tmp_path / str(number)))) == len(der(identity))
    )
    assert signed_clip.count(der(identity)) == 1
    path = tmp_path / "clip.mp4"
    path.write_bytes(signed_clip.replace(der(identity), der(other)))
    assert not report(path).holds
    assert "claimSignature.mismatch" in report(path).problems


def test_manifest_of_another_recording_shows(tmp_path: Path, identity: SigningIdentity) -> None:
    """A sidecar that was put beside another file."""
    path, other = recording(tmp_path / "a.mkv"), tmp_path / "b.mkv"
    make_clip(other, 7)
    sign_file(path, FACTS, identity)
    shutil.copy(sidecar_of(path), sidecar_of(other))
    assert report(path).holds
    assert report(other).state == "invalid"


def test_a_stripped_manifest_counts_as_none(tmp_path: Path, signed_clip: bytes) -> None:
    """As any re-encoding or remuxing leaves it."""
    (tmp_path / "clip.mp4").write_bytes(signed_clip)
    path = tmp_path / "again.mp4"
    with av.open(str(tmp_path / "clip.mp4")) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    assert read_manifest(path) is None
