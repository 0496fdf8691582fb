"""An attacker in the middle of an encrypted connection receives no stream key, picture or request."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from listener import Listener, free_port
from media_files import make_clip, mark_picture
from tls_front import Front, certificate, web
from web_servers import Reply, serve

from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.core.parts import InputRequest, OutputRequest
from rtswap.core.protocols import Output
from rtswap.core.web import Web
from rtswap.media.inputs import open_input
from rtswap.media.outputs import open_output
from rtswap.media.outputs.video import VideoWriter
from rtswap.media.tls import with_verification

ADDRESS = "127.0.0.1"


def send(output: Output, count: int) -> None:
    for index in range(count):
        output.send(mark_picture(index, (128, 96)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_clip(tmp_path / "clip.mp4", 5, audio=True)
    return tmp_path


@pytest.fixture
def site(folder: Path) -> Iterator[Front]:
    """A web server with a certificate that only its owner knows."""
    with web(folder) as port:
        front = Front(certificate(folder, ADDRESS), port)
        yield front
        front.close()


def test_an_input_with_an_unknown_certificate_is_refused(site: Front) -> None:
    for name in ("https", "rtmps", "rtsps"):
        with pytest.raises(InputError, match="--tls-ca"):
            open_input(f"{name}://{ADDRESS}:{site.port}/clip.mp4?token=geheim")
    assert site.came >= 3
    assert site.heard == b""


def test_an_input_is_read_where_its_certificate_is_named(site: Front, folder: Path) -> None:
    url = f"https://{ADDRESS}:{site.port}/clip.mp4"
    source = open_input(url, InputRequest(tls_ca=str(folder / f"{ADDRESS}.pem")))
    assert len(list(source.frames())) == 5
    assert b"GET /clip.mp4" in site.heard


def test_a_certificate_for_another_name_is_refused(folder: Path) -> None:
    with web(folder) as port:
        other = Front(certificate(folder, "other.example"), port)
        request = InputRequest(tls_ca=str(folder / "other.example.pem"))
        with pytest.raises(InputError, match="--tls-ca"):
            open_input(f"https://{ADDRESS}:{other.port}/clip.mp4", request)
        assert (other.came > 0, other.heard) == (True, b"")


def test_the_sound_is_not_fetched_from_a_stranger(site: Front, folder: Path) -> None:
    told: list[str] = []
    url = f"https://{ADDRESS}:{site.port}/clip.mp4"
    writer = VideoWriter(folder / "out.mp4", OutputRequest(fps=25, audio_from=url, on_event=told.append))
    writer.send(mark_picture(0, time_s=0.0))
    writer.close()
    assert "no sound" in told[0]
    assert site.heard == b""


@pytest.mark.parametrize("name", ["rtmps", "rtsps"])
def test_a_stream_key_does_not_reach_a_stranger(site: Front, name: str) -> None:
    output = open_output(f"{name}://{ADDRESS}:{site.port}/live/geheim", OutputRequest(fps=25))
    with pytest.raises(OutputError, match="--tls-ca"):
        send(output, 50)
    assert site.came > 0
    assert site.heard == b""


def test_a_stream_arrives_where_the_certificate_is_named(folder: Path) -> None:
    """Also with a name of the file that FFmpeg would take apart."""
    odd = folder / "it's [mine]: a|b\\c"
    odd.mkdir()
    port = free_port(socket.SOCK_STREAM)
    listener = Listener(f"rtmp://{ADDRESS}:{port}/live/a|b'c", {"listen": "1"})
    front = Front(certificate(odd, ADDRESS), port)
    url = f"rtmps://{ADDRESS}:{front.port}/live/a|b'c"
    output = open_output(url, OutputRequest(fps=25, tls_ca=str(odd / f"{ADDRESS}.pem")))
    send(output, 50)
    output.close()
    listener.finish()
    front.close()
    assert listener.numbers == list(range(50))


def test_file_without_certificates_is_reported(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for path in (tmp_path / "empty.pem", tmp_path / "absent.pem", tmp_path):
        with pytest.raises(UsageError, match=r"--tls-ca .*certificates \(PEM\)"):
            open_input("https://127.0.0.1:1/x.mp4", InputRequest(tls_ca=str(path)))


def test_unencrypted_address_needs_no_certificate() -> None:
    assert with_verification("rtmp://host/app") == {}
    assert with_verification("/a/file.mp4") == {}


@pytest.fixture
def redirecting(folder: Path) -> Iterator[tuple[Callable[[str], str], str]]:
    """A function that gives an https address whose server, with a certificate that is named, leads to the given one;
    and the file that names it."""
    with serve(lambda path: (302, {"Location": unquote(path[1:])}, b"")) as there:
        front = Front(certificate(folder, ADDRESS), int(there.rstrip("/").rpartition(":")[2]))
        yield lambda to: f"https://{ADDRESS}:{front.port}/{quote(to, safe='')}", str(folder / f"{ADDRESS}.pem")
        front.close()


def test_a_video_behind_https_is_not_fetched_without_encryption(
    redirecting: tuple[Callable[[str], str], str], folder: Path
) -> None:
    """Whoever is on the way could read and change it; also where there are two hops, and for its sound."""
    lead, trusted = redirecting
    asked: list[str] = []

    def answer(path: str) -> Reply:
        asked.append(path)
        return 200, {}, (folder / "clip.mp4").read_bytes()

    with serve(answer) as plain:
        for url in (lead(f"{plain}clip.mp4"), lead(lead(f"{plain}clip.mp4"))):
            with pytest.raises(InputError, match="a redirect to http, not https"):
                open_input(url, InputRequest(tls_ca=trusted))
        told: list[str] = []
        url = lead(f"{plain}clip.mp4")
        writer = VideoWriter(
            folder / "out.mp4", OutputRequest(fps=25, audio_from=url, tls_ca=trusted, on_event=told.append)
        )
        writer.send(mark_picture(0, time_s=0.0))
        writer.close()
    assert "no sound" in told[0]
    assert asked == []


@pytest.mark.parametrize("to", ["http://127.0.0.1:9/a", "ftp://127.0.0.1:9/a"])
def test_what_begins_with_https_goes_on_with_it(
    to: str, redirecting: tuple[Callable[[str], str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a client that may begin without encryption, as ``verify`` does."""
    lead, trusted = redirecting
    monkeypatch.setattr(urllib.request.HTTPRedirectHandler, "redirect_request", lambda *_: pytest.fail("followed"))
    with pytest.raises(OSError, match="a redirect to"):
        Web(limit_s=5, authorities=trusted).get(lead(to))


def test_a_redirect_to_an_unknown_certificate_is_refused(
    redirecting: tuple[Callable[[str], str], str], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lead, trusted = redirecting
    with web(folder) as port:
        stranger = Front(certificate(tmp_path_factory.mktemp("stranger"), ADDRESS), port)
        with pytest.raises(InputError, match="untrusted certificate"):
            open_input(lead(f"https://{ADDRESS}:{stranger.port}/clip.mp4"), InputRequest(tls_ca=trusted))
        assert stranger.heard == b""
        known = Front(folder / f"{ADDRESS}.pem", port)
        found = open_input(lead(f"https://{ADDRESS}:{known.port}/clip.mp4"), InputRequest(tls_ca=trusted))
        assert len(list(found.frames())) == 5
        stranger.close()
        known.close()


def test_other_protocols_over_http_are_refused() -> None:
    """RTMP within HTTP: FFmpeg would follow redirects and accept any certificate."""
    for name in ("rtmpt", "rtmpts", "ftp", "gopher", "ipfs"):
        with pytest.raises(InputError, match=f"{name}, a protocol that rtswap does not read. Let FFmpeg"):
            open_input(f"{name}://127.0.0.1:1/a")
