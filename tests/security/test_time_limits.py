"""rtswap does not wait for ever for what others send slowly or never: pipes, servers that send a byte at a time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from av import _core
from media_files import make_clip
from web_servers import serve

from rtswap.app.config_file import read
from rtswap.commands.extract.album import Album
from rtswap.commands.verify import fetch
from rtswap.commands.verify.run import verify
from rtswap.core.errors import InputError, ModelError, RtswapError
from rtswap.core.files import is_other, read_regular, sha256_of
from rtswap.core.network_rows import FILE, read_rows
from rtswap.core.parts import InputRequest
from rtswap.core.web import Web
from rtswap.disclosure.certificate import SigningIdentity
from rtswap.disclosure.manifest import read_manifest
from rtswap.engines.measurement import read_record
from rtswap.faceset.table import TABLE, TableWriter
from rtswap.media import tracks
from rtswap.media.file_kinds import KINDS
from rtswap.media.inputs import open_input
from rtswap.media.inputs.stream import NetworkStream
from rtswap.media.tls import with_verification
from rtswap.networks import download
from rtswap.networks.catalog import Entry
from rtswap.networks.model_store import add
from rtswap.networks.registry import Registry
from rtswap.networks.system_file import read_system
from rtswap.runtime.metrics import Metrics
from rtswap.runtime.metrics_log import MetricsLog
from rtswap.source.consent import ConsentRecord
from rtswap.vision.images import read_photo
from rtswap.vision.picture_kinds import is_picture

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders and no SIGALRM")


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """A test that waits is a test that fails."""

    def fail(*_: object) -> None:
        raise AssertionError("still waiting after a minute")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


READS: dict[str, Callable[[Path], object]] = {
    "configuration": read,
    "authorities": lambda pipe: with_verification("https://example.org/a.mp4", str(pipe)),
    "certificate": lambda pipe: SigningIdentity.from_files(pipe, pipe),
    "figures": lambda pipe: MetricsLog(pipe, Metrics(), warn=print),
    "model": add,
    "system": lambda pipe: read_system(pipe, pipe.parent),
    "album": lambda pipe: Album(pipe.parent, {}, overwrite=False),
    "faceset": lambda pipe: TableWriter(pipe.parent, {}),
}


@pytest.mark.parametrize("kind", READS)
def test_a_pipe_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    pipe = tmp_path / TABLE
    os.mkfifo(pipe, 0o600)
    with pytest.raises(RtswapError) as caught:
        READS[kind](pipe)
    assert "\n" not in str(caught.value)


MADE_UP: dict[str, Callable[[Path], object]] = {
    **{kind: READS[kind] for kind in ("configuration", "authorities", "model", "system")},
    "photo": read_photo,
    "manifest": read_manifest,
    "clip": sha256_of,
}


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the system has no /proc")
@pytest.mark.parametrize("kind", MADE_UP)
def test_what_the_system_makes_up_is_no_file(kind: str, tmp_path: Path) -> None:
    """A link to ``/proc/kmsg``, which only the administrator can open, was waited for until the end."""
    link = tmp_path / "link.jpg"
    link.symlink_to("/proc/self/status")
    with pytest.raises((RtswapError, OSError), match="not a regular file"):
        MADE_UP[kind](link)
    assert not is_picture(link)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_holes_are_not_read_for_hours(suffix: str, tmp_path: Path) -> None:
    """A film of 28 kB with a hole behind it was played, and then its hash was computed, past ``kill``."""
    film = tmp_path / f"film{suffix}"
    make_clip(film, 5)
    os.truncate(film, 1 << 40)
    with pytest.raises(InputError, match="hardly any of it is on the disk"):
        open_input(str(film), InputRequest(on_event=print))
    with pytest.raises(OSError, match="hardly any"):
        sha256_of(film)


def test_a_pipe_among_what_rtswap_writes_itself_is_not_waited_for(tmp_path: Path) -> None:
    """In a folder of extracted faces, in the model cache, and among what was confirmed."""
    pipe = tmp_path / "face.png"
    os.mkfifo(pipe, 0o600)
    assert is_other(pipe, b"a face")
    assert read_record(pipe, "key") is None
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(pipe)
    os.mkfifo(tmp_path / FILE, 0o600)
    with pytest.raises(ModelError, match="not a regular file"):
        read_rows(tmp_path)
    entry = Entry("net", "a network", "MIT", converter="none", sha256="0" * 64)
    registry = Registry(tmp_path, catalog={"net": entry})
    os.mkfifo(tmp_path / entry.file_name, 0o600)
    with pytest.raises(ImportError):  # it is made anew, which this one cannot be
        registry.read("net")
    record = ConsentRecord(tmp_path)
    os.mkfifo(tmp_path / ("0" * 64), 0o600)
    assert not record.holds("0" * 64)


@pytest.fixture(params=["content", "headers"])
def dripping(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that answers at once and then sends a byte every 20 ms."""
    content = 200, {"Content-Type": "video/mp4", "Content-Length": "9000"}, None
    with serve(lambda path: content if request.param == "content" else None) as address:
        yield f"{address}clip.mp4"


@pytest.mark.skipif("enable-libsrt" in str(_core.library_meta), reason="this PyAV can do SRT")
def test_srt_is_refused_at_once_where_pyav_lacks_it() -> None:
    with pytest.raises(InputError, match=r"a protocol that the installed PyAV lacks\. Let FFmpeg pass it on: "):
        NetworkStream("srt://127.0.0.1:9", on_event=print)


def test_a_dripping_stream_is_given_up(dripping: str) -> None:
    with pytest.raises(InputError, match=r"got no picture within 0.5 s\. Check the address"):
        NetworkStream(dripping, on_event=print, open_timeout_s=0.5)


def test_dripping_sound_is_left_out(dripping: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "OPEN_TIMEOUT_S", 0.5)
    events: list[str] = []
    with av.open(str(tmp_path / "out.mp4"), "w") as container:
        found = tracks.Tracks(dripping, container, KINDS[".mp4"], ".mp4", events.append)
        assert list(found.until(9)) == []
    assert len(events) == 1
    assert events[0].startswith("no sound: cannot read http://127.0.0.1")


allow = Web.allow


def test_a_dripping_download_is_given_up(dripping: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_S", 0.3)
    entry = Entry("net", "a network", "MIT", url=dripping, sha256="0" * 64, bytes=9000)
    began = time.monotonic()
    with pytest.raises(ModelError, match="no complete answer in time"):
        download.download(entry, tmp_path / "net.onnx", lambda event: None)
    assert time.monotonic() - began < 30
    assert {path.name for path in tmp_path.iterdir()} <= {"net.onnx.part"}  # to go on from


@pytest.mark.parametrize("length", ["9" * 18, "9" * 400])
def test_a_download_is_not_given_the_time_that_its_server_asks_for(
    length: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[float] = []
    monkeypatch.setattr(Web, "allow", lambda self, seconds: allowed.append(seconds) or allow(self, seconds))
    wanted = download.Wanted("net", (), "0" * 64, 0)
    with serve(lambda path: (200, {"Content-Length": length}, b"net")) as address:
        wanted = replace(wanted, urls=(f"{address}net",))
        with pytest.raises(ModelError):
            download.fetch(wanted, tmp_path / "net.onnx", lambda done, total: None)
    assert max(allowed) <= download._TIMEOUT_S + wanted.most / download._SLOWEST


def test_a_dripping_file_to_verify_is_given_up(dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.3)
    with pytest.raises(InputError, match="no complete answer in time"):
        verify(dripping)


def test_a_device_is_no_model(tmp_path: Path) -> None:
    """A search for the end of a zip file would read /dev/zero for ever."""
    (tmp_path / "face.onnx").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="is not a file"):
        add(tmp_path / "face.onnx")
