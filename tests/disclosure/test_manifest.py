"""Recordings are signed without risk to them, and what was changed afterwards shows."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media import make_clip, marked, read_back

from rtswap.disclosure import manifest as manifest_module
from rtswap.disclosure.certificate import SigningIdentity, local_identity
from rtswap.disclosure.manifest import (
    ManifestFacts,
    ManifestReport,
    facts_of,
    hash_input,
    read_manifest,
    sidecar_of,
    sign_file,
)
from rtswap.disclosure.manifest_report import report_of
from rtswap.disclosure.manifest_streams import Guarded
from rtswap.errors import InputError, OutputError
from rtswap.outputs.video import VideoWriter

FACTS = ManifestFacts("1.2.3")
VIDEOS = ("clip.mp4", "clip.mov", "clip.mkv")
PICTURES = ("face.png", "face.jpg", "face.jpeg", "face.webp", "face.tif", "face.tiff", "face.bmp")


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> SigningIdentity:
    return local_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="module")
def signed_clip(tmp_path_factory: pytest.TempPathFactory, identity: SigningIdentity) -> bytes:
    path = recording(tmp_path_factory.mktemp("signed") / "clip.mp4")
    sign_file(path, FACTS, identity)
    return path.read_bytes()


def recording(path: Path) -> Path:
    """As rtswap's own outputs write it."""
    if path.suffix in (".mp4", ".mov", ".mkv"):
        writer = VideoWriter(path, fps=25)
        for index in range(12):
            writer.send(marked(index))
        writer.close()
    else:
        cv2.imwrite(str(path), np.random.default_rng(3).integers(0, 255, (48, 64, 3), np.uint8))
    return path


def report(path: Path) -> ManifestReport:
    found = read_manifest(path)
    assert found is not None
    return found


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
def test_what_cannot_carry_a_manifest_has_it_beside(tmp_path: Path, identity: SigningIdentity, name: str) -> None:
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
    writer = VideoWriter(tmp_path / f"out{suffix}", fps=25, audio_from=str(tmp_path / "in.mp4"))
    for index in range(30):
        writer.send(marked(index, time_s=index / 25))
    writer.close()
    path = tmp_path / f"out{suffix}"
    before = packets(path)
    assert {index for index, *_ in before} == {0, 1}
    sign_file(path, FACTS, identity)
    assert packets(path) == before
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


# what was changed afterwards


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


@pytest.mark.parametrize("name", ["face.png", "face.jpg", "face.webp", "face.tif", "face.bmp"])
def test_changed_picture_shows(tmp_path: Path, identity: SigningIdentity, name: str) -> None:
    path = recording(tmp_path / name)
    sign_file(path, FACTS, identity)
    data = bytearray(path.read_bytes())
    data[{".webp": 60, ".tif": 20}.get(path.suffix, -50)] ^= 1
    path.write_bytes(data)
    assert report(path).state == "invalid"
    assert "assertion.dataHash.mismatch" in report(path).problems


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


def test_stripped_manifest_is_no_manifest(tmp_path: Path, signed_clip: bytes) -> None:
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


# nothing is lost


def _fails_with(error: OSError):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("step", ["fsync", "replace", "write", "mkstemp"])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "face.png"])
def test_full_disk_leaves_the_recording_whole(
    tmp_path: Path, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch, step: str, name: str
) -> None:
    path = recording(tmp_path / name)
    before = path.read_bytes()
    full = _fails_with(OSError(28, "No space left on device"))
    if step == "write":
        monkeypatch.setattr(Guarded, "write", _full_after(500))
    elif step == "mkstemp":
        monkeypatch.setattr(manifest_module.tempfile, "mkstemp", full)
    else:
        monkeypatch.setattr(os, step, full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        sign_file(path, FACTS, identity)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


def _full_after(size: int):
    def write(self: Guarded, data: bytes) -> int:
        if self._file.tell() + len(data) > size:
            self._guard.error = OSError(28, "No space left on device")
            raise self._guard.error
        return int(self._file.write(data))

    return write


def test_interrupt_leaves_the_recording_whole(
    tmp_path: Path, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recording(tmp_path / "clip.mp4")
    before = path.read_bytes()

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sign_file(path, FACTS, identity)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("call", range(1, 60, 7))
def test_interrupt_inside_the_library_ends_it_and_is_not_swallowed(
    tmp_path: Path,
    identity: SigningIdentity,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
    call: int,
) -> None:
    """It comes while Python is called back from native code, where an exception would be lost."""
    path = recording(tmp_path / "clip.mp4")
    before = path.read_bytes()
    calls = itertools.count(1)
    seek = Guarded.seek

    def interrupted_seek(self: Guarded, offset: int, whence: int = 0) -> int:
        if next(calls) == call:
            signal.raise_signal(number)
        return seek(self, offset, whence)

    monkeypatch.setattr(Guarded, "seek", interrupted_seek)
    old = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            sign_file(path, FACTS, identity)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, old)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["clip.mp4"]
    assert not capfd.readouterr().err


def test_interrupt_while_reading_is_not_taken_for_damage(
    tmp_path: Path, signed_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(signed_clip)

    def interrupted(self: Guarded, offset: int, whence: int = 0) -> int:
        signal.raise_signal(signal.SIGINT)
        self._guard.check()
        return 0

    monkeypatch.setattr(Guarded, "seek", interrupted)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            read_manifest(path)
    finally:
        signal.signal(signal.SIGINT, old)


def test_error_of_the_disk_while_reading_is_told(
    tmp_path: Path, signed_clip: bytes, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(signed_clip)

    def broken(self: Guarded, _: object) -> int:
        self._guard.error = OSError(5, "Input/output error")
        raise self._guard.error

    monkeypatch.setattr(Guarded, "readinto", broken)
    with pytest.raises(InputError, match="Input/output error"):
        read_manifest(path)
    with pytest.raises(OutputError, match="Input/output error"):
        sign_file(path, FACTS, identity)


def test_signing_in_another_thread(tmp_path: Path, identity: SigningIdentity) -> None:
    """Where recordings are finished; there no signal handler can be set."""
    path = recording(tmp_path / "clip.mp4")
    thread = threading.Thread(target=sign_file, args=(path, FACTS, identity))
    thread.start()
    thread.join(30)
    assert report(path).holds


@pytest.mark.parametrize("data", [b"", b"hello world" * 300, b"\0" * 5000])
@pytest.mark.parametrize("name", ["clip.mp4", "face.png", "face.jpg"])
def test_what_is_no_recording_is_left_alone(
    tmp_path: Path, identity: SigningIdentity, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(OutputError, match="was not signed") as caught:
        sign_file(path, FACTS, identity)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == data
    assert os.listdir(tmp_path) == [name]


def test_format_that_is_not_known_is_told(tmp_path: Path, identity: SigningIdentity) -> None:
    path = tmp_path / "clip.xyz"
    path.write_bytes(b"data")
    with pytest.raises(OutputError, match=r"\.mp4.*got \.xyz"):
        sign_file(path, FACTS, identity)


def test_missing_file_is_told(tmp_path: Path, identity: SigningIdentity) -> None:
    with pytest.raises(OutputError, match="No such file"):
        sign_file(tmp_path / "gone.mp4", FACTS, identity)
    with pytest.raises(InputError, match="No such file"):
        read_manifest(tmp_path / "gone.mp4")


# reading what strangers wrote


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
    later = {"claim_generator_info": [{"name": "Editor", "version": "5"}]}
    store = {"active_manifest": "b", "manifests": {"a": ours, "b": later}, "validation_state": "Valid"}
    found = report_of(store, sidecar=False)
    assert (found.by_rtswap, found.earlier, found.generator) == (True, True, "rtswap 1.0")
