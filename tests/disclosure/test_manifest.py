"""Signed recordings keep their content, and the manifest's statements are true."""

from __future__ import annotations

import os
from pathlib import Path

import av
import cv2
import pytest
from media_files import make_clip, mark_picture, read_back
from signed_files import FACTS, PICTURES, VIDEOS, recording, report

from rtswap.core.parts import OutputRequest
from rtswap.disclosure.certificate import SigningIdentity, local_identity
from rtswap.disclosure.manifest import ManifestFacts, facts_of, hash_input, read_manifest, sidecar_of, sign_file
from rtswap.media.outputs.video import VideoWriter


def content(path: Path) -> object:
    """What a player or viewer gets to see."""
    if path.suffix in (".mp4", ".mov", ".mkv"):
        return read_back(path)
    return cv2.imread(str(path)).tobytes()


@pytest.mark.parametrize("name", [*VIDEOS, *PICTURES])
def test_signed_recording_is_valid_and_shows_the_same(tmp_path: Path, identity: SigningIdentity, name: str) -> None:
    path = recording(tmp_path / name)
    before = content(path)
    sign_file(path, FACTS, identity)
    found = report(path)
    assert (found.state, found.by_rtswap, found.earlier, found.problems) == ("valid", True, False, ())
    assert found.holds
    assert found.generator == "rtswap 1.2.3"
    assert found.source_types == ("compositeWithTrainedAlgorithmicMedia",)
    assert found.signer == "rtswap local"
    assert content(path) == before
    beside = [sidecar_of(path).name] if found.sidecar else []
    assert sorted(os.listdir(tmp_path)) == sorted([name, *beside])


@pytest.mark.parametrize("name", [*VIDEOS, *PICTURES])
def test_formats_without_manifests_get_a_sidecar(tmp_path: Path, identity: SigningIdentity, name: str) -> None:
    path = recording(tmp_path / name)
    before = path.read_bytes()
    sign_file(path, FACTS, identity)
    assert report(path).sidecar == (path.suffix in (".mkv", ".bmp"))
    assert (path.read_bytes() == before) == report(path).sidecar


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}, {"movflags": "frag_keyframe+empty_moov"}])
def test_sound_and_times_survive_every_layout(
    tmp_path: Path, identity: SigningIdentity, suffix: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"clip{suffix}"
    make_clip(tmp_path / "made.mkv", 20, audio=True, vfr=True)
    with av.open(str(tmp_path / "made.mkv")) as made, av.open(str(path), "w", options=options) as copy:
        streams = {s.index: copy.add_stream_from_template(s) for s in made.streams}
        for packet in made.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    before = packets(path)
    sign_file(path, FACTS, identity)
    assert packets(path) == before
    assert report(path).state == "valid"


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_own_recording_with_sound_survives(tmp_path: Path, identity: SigningIdentity, suffix: str) -> None:
    make_clip(tmp_path / "in.mp4", 30, audio=True)
    writer = VideoWriter(tmp_path / f"out{suffix}", OutputRequest(fps=25, audio_from=str(tmp_path / "in.mp4")))
    for index in range(30):
        writer.send(mark_picture(index, time_s=index / 25))
    writer.close()
    path = tmp_path / f"out{suffix}"
    before = packets(path)
    assert {index for index, *_ in before} == {0, 1}
    sign_file(path, FACTS, identity)
    assert packets(path) == before
    assert report(path).holds


@pytest.mark.parametrize("suffix", [".avi", ".gif", ".apng", ".webm"])
def test_every_kind_of_file_that_is_recorded_can_be_signed(
    tmp_path: Path, identity: SigningIdentity, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    writer = VideoWriter(path, OutputRequest(fps=25, sign=lambda path: sign_file(path, FACTS, identity)))
    for index in range(12):
        writer.send(mark_picture(index, time_s=index / 25))
    writer.close()
    assert read_back(path)[0] == list(range(12))
    assert report(path).holds


def packets(path: Path) -> list[tuple[int, int | None, int | None, bytes]]:
    with av.open(str(path)) as file:
        return [(p.stream.index, p.pts, p.dts, bytes(p)) for p in file.demux() if p.size]


def test_input_is_named_by_its_hash_alone(tmp_path: Path, identity: SigningIdentity) -> None:
    source = recording(tmp_path / "holiday with Jane.mp4")
    path = recording(tmp_path / "out.mp4")
    digest = hash_input(source)
    sign_file(path, ManifestFacts("1.2.3", input_sha256=digest, input_format="video/mp4"), identity)
    assert report(path).input_sha256 == digest
    assert report(path).actions == ("c2pa.opened", "c2pa.edited", "c2pa.watermarked.unbound")
    assert b"holiday" not in path.read_bytes()
    assert b"Jane" not in path.read_bytes()


def test_live_recording_was_created_here(tmp_path: Path, identity: SigningIdentity) -> None:
    path = recording(tmp_path / "out.mp4")
    sign_file(path, ManifestFacts("1.2.3", watermark=False), identity)
    assert report(path).actions == ("c2pa.created",)
    assert report(path).input_sha256 == ""


def test_wholly_generated_says_so(tmp_path: Path, identity: SigningIdentity) -> None:
    path = recording(tmp_path / "face.png")
    sign_file(path, ManifestFacts("1.2.3", generated=True), identity)
    assert report(path).source_types == ("trainedAlgorithmicMedia",)


def test_facts_of_an_input(tmp_path: Path) -> None:
    source = recording(tmp_path / "in.mov")
    assert facts_of("1.2.3", source) == ManifestFacts(
        "1.2.3", input_sha256=hash_input(source), input_format="video/quicktime"
    )
    assert facts_of("1.2.3", None, badge=False) == ManifestFacts("1.2.3", badge=False)
    assert facts_of("1.2.3", tmp_path) == ManifestFacts("1.2.3")


def test_input_that_cannot_be_read_has_no_hash(tmp_path: Path) -> None:
    assert hash_input(tmp_path / "gone.mp4") == ""
    assert hash_input(tmp_path) == ""


def test_signing_twice_leaves_one_valid_manifest(tmp_path: Path, identity: SigningIdentity) -> None:
    path = recording(tmp_path / "clip.mp4")
    sign_file(path, FACTS, identity)
    once = path.stat().st_size
    sign_file(path, FACTS, identity)
    assert report(path).state == "valid"
    assert path.stat().st_size < once + 20_000


def test_trusted_where_the_signers_authority_is(tmp_path: Path, identity: SigningIdentity) -> None:
    path = recording(tmp_path / "clip.mp4")
    sign_file(path, FACTS, identity)
    found = read_manifest(path, anchors=identity.chain)
    assert found is not None
    assert found.state == "trusted"
    other = read_manifest(path, anchors=local_identity(tmp_path / "other").chain)
    assert other is not None
    assert other.state == "valid"


def test_rights_of_the_file_stay(tmp_path: Path, identity: SigningIdentity) -> None:
    path = recording(tmp_path / "clip.mp4")
    path.chmod(0o640)
    sign_file(path, FACTS, identity)
    assert path.stat().st_mode & 0o777 == 0o640


def test_link_stays_a_link(tmp_path: Path, identity: SigningIdentity) -> None:
    path = recording(tmp_path / "clip.mp4")
    link = tmp_path / "latest.mp4"
    link.symlink_to(path)
    sign_file(link, FACTS, identity)
    assert link.is_symlink()
    assert report(path).state == "valid"
