"""A file or address never makes rtswap read another file or contact another host, playlists included: those play if
what they name lies in their own folder, or behind verified certificates."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from media_files import SUFFIXES, make_clip, mark_picture, read_back
from tls_front import Front, certificate, web
from web_servers import Reply, serve

from rtswap.commands.main import main
from rtswap.core import web as web_client
from rtswap.core.errors import InputError
from rtswap.core.parts import InputRequest, OutputRequest
from rtswap.core.urls import scheme
from rtswap.media import playlists
from rtswap.media.inputs import open_input
from rtswap.media.inputs.stream import NetworkStream
from rtswap.media.outputs.video import VideoWriter

HERE = "127.0.0.1"
REFUSED = {
    "list.ffconcat": "ffconcat version 1.0\nfile {private}\n",
    "near.ffconcat": "ffconcat version 1.0\nfile clip.ts\n",
    "call.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
}
OUTSIDE = (
    "file://{private}",
    "file:{private}",
    "{private}",
    "../private.ts",
    "link.ts",
    "linked/private.ts",
    "crypto:{private}",
    "concat:clip.ts|{private}",
    "concat:{private}",
    "subfile,,start,0,end,0,,:{private}",
    "cache:{private}",
    "async:{private}",
    "data:video/mp2t;base64,R0A=",
    "pipe:0",
    "pipe.ts",
    "http://127.0.0.1:9/a.ts",
    "https://127.0.0.1:9/a.ts",
    "tcp://127.0.0.1:9",
    "rtp://127.0.0.1:9",
    "ftp://127.0.0.1:9/a.ts",
    "/dev/zero",
    "/proc/self/environ",
    "/etc/passwd",
)
KEY, IV = bytes(range(16)), bytes(15) + b"\1"


def playlist(*names: str, before: str = "") -> str:
    parts = "".join(f"{before}#EXTINF:1.2,\n{name}\n" for name in names)
    return f"#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:2\n{parts}#EXT-X-ENDLIST\n"


@dataclass(frozen=True)
class Site:
    folder: Path
    http: str
    https: str
    stranger: str
    """The same folder behind a certificate that nobody knows."""
    heard: Callable[[], bytes]
    """What was said to the stranger."""

    def open(self, address: str) -> int:
        """How many frames there are."""
        return len(list(open_input(address, InputRequest(tls_ca=str(self.folder / f"{HERE}.pem"))).frames()))

    def refusal(self, address: str) -> str:
        """Why an address is refused, in one line."""
        with pytest.raises(InputError) as caught:
            self.open(address)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A folder with a clip, playlists of it, and private things beside the folder."""
    above = tmp_path_factory.mktemp("site")
    folder = above / "open"
    (folder / "sub").mkdir(parents=True)
    private = above / "private.ts"
    make_clip(private, 30)
    for copy in ("clip.ts", "sub/clip.ts"):
        shutil.copy(private, folder / copy)
    (folder / "link.ts").symlink_to(private)
    (folder / "linked").symlink_to(above)
    os.mkfifo(folder / "pipe.ts")
    for name, text in REFUSED.items():
        (folder / name).write_text(text.format(private=private))
        shutil.copy(folder / name, folder / f"{name}.mp4")  # FFmpeg goes by content
    for number, name in enumerate(OUTSIDE):
        (folder / f"outside{number}.m3u8").write_text(playlist(name.format(private=private)))
    cipher, padding = Cipher(algorithms.AES128(KEY), modes.CBC(IV)).encryptor(), PKCS7(128).padder()
    coded = cipher.update(padding.update(private.read_bytes()) + padding.finalize()) + cipher.finalize()
    (folder / "coded.ts").write_bytes(coded)
    (folder / "clip.key").write_bytes(KEY)
    (folder / "joined.ts").write_bytes(bytes(1880) + private.read_bytes())
    size = private.stat().st_size
    stranger_folder = above / "stranger"
    stranger_folder.mkdir()
    with web(folder) as port:
        front = Front(certificate(folder, HERE), port)
        stranger = Front(certificate(stranger_folder, HERE), port)
        unknown = f"https://{HERE}:{stranger.port}/"
        for name, text in {
            "near": playlist("clip.ts"),
            "below": playlist("sub/clip.ts"),
            "master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100\nnear.m3u8\n",
            "coded": playlist("coded.ts", before=f'#EXT-X-KEY:METHOD=AES-128,URI="clip.key",IV=0x{IV.hex()}\n'),
            "range": playlist("joined.ts", before=f"#EXT-X-BYTERANGE:{size}@1880\n"),
            "plain": playlist(f"http://{HERE}:{port}/clip.ts"),
            "foreign": playlist(f"{unknown}clip.ts?token=geheim"),
            "later": playlist("clip.ts", f"{unknown}clip.ts"),
            "foreign_key": playlist("coded.ts", before=f'#EXT-X-KEY:METHOD=AES-128,URI="{unknown}clip.key"\n'),
            "foreign_start": playlist("clip.ts", before=f'#EXT-X-MAP:URI="{unknown}clip.ts"\n'),
            "foreign_list": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100\n{unknown}near.m3u8\n",
        }.items():
            (folder / f"{name}.m3u8").write_text(text)
        yield Site(folder, f"http://{HERE}:{port}/", f"https://{HERE}:{front.port}/", unknown, lambda: stranger.heard)
        front.close()
        stranger.close()


@pytest.mark.parametrize("name", [*REFUSED, *(f"{name}.mp4" for name in REFUSED)])
def test_lists_other_than_hls_are_refused(site: Site, name: str) -> None:
    site.refusal(str(site.folder / name))
    site.refusal(site.https + name)


@pytest.mark.parametrize("name", ["near", "below", "master", "coded", "range"])
def test_a_playlist_plays_from_its_folder_and_from_verified_servers(site: Site, name: str) -> None:
    for base in (f"{site.folder}/", site.https, site.http):
        assert site.open(f"{base}{name}.m3u8") == 30, base


@pytest.mark.parametrize("number", range(len(OUTSIDE)), ids=OUTSIDE)
def test_a_playlist_on_the_disk_reads_nothing_outside_its_folder(site: Site, number: int) -> None:
    began = time.monotonic()
    told = site.refusal(f"{site.folder}/outside{number}.m3u8")
    assert time.monotonic() - began < 20
    if scheme(OUTSIDE[number]) in ("http", "https"):  # FFmpeg itself takes no others
        assert "may not open connections" in told


@pytest.mark.parametrize(
    "number", [n for n, name in enumerate(OUTSIDE) if not name.startswith(("http", "link", "..", "pipe.ts"))]
)
def test_a_playlist_on_the_web_reads_nothing_of_this_machine(site: Site, number: int) -> None:
    for base in (site.http, site.https):
        site.refusal(f"{base}outside{number}.m3u8")


@pytest.mark.parametrize("name", ["foreign", "later", "foreign_key", "foreign_start", "foreign_list"])
def test_the_certificate_of_everything_in_a_playlist_is_verified(site: Site, name: str) -> None:
    for base in (site.https, site.http):
        told = site.refusal(f"{base}{name}.m3u8")
        assert "untrusted certificate" in told
        assert "geheim" not in told
    assert site.heard() == b""


def test_https_does_not_lead_to_http(site: Site) -> None:
    assert "an address that" in site.refusal(f"{site.https}plain.m3u8")
    assert site.open(f"{site.http}plain.m3u8") == 30


def test_a_playlist_plays_on_the_command_line_with_its_sound(site: Site, tmp_path: Path) -> None:
    make_clip(tmp_path / "tone.ts", 30, audio=True)
    (tmp_path / "tone.m3u8").write_text(playlist("tone.ts"))
    out = tmp_path / "out.mp4"
    assert main(["-q", "-s", "persona:vera", "-i", str(tmp_path / "tone.m3u8"), "-o", str(out)]) == 0
    assert len(read_back(out)[0]) == 30
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == 1


@pytest.mark.parametrize("name", [*REFUSED, "outside0.m3u8"])
def test_no_sound_is_taken_through_one(site: Site, tmp_path: Path, name: str) -> None:
    told: list[str] = []
    writer = VideoWriter(
        tmp_path / "out.mp4", OutputRequest(fps=25, audio_from=str(site.folder / name), on_event=told.append)
    )
    writer.send(mark_picture(0, time_s=0.0))
    writer.close()
    assert "cannot read" in told[0]


@pytest.mark.parametrize("lasting", [2, 1_000_000])
def test_a_playlist_on_the_disk_that_does_not_end_is_not_waited_for(site: Site, lasting: int) -> None:
    """FFmpeg waits for more parts, and the longer the longer one lasts."""
    text = f"#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:{lasting}\n#EXTINF:1.2,\nclip.ts\n"
    (site.folder / f"open{lasting}.m3u8").write_text(text)
    (site.folder / f"master{lasting}.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100\nopen{lasting}.m3u8\n"
    )
    assert site.open(f"{site.folder}/open{lasting}.m3u8") == 30
    assert site.open(f"{site.folder}/master{lasting}.m3u8") == 30


@pytest.mark.parametrize(
    "text",
    [
        playlist("gone.ts", "gone too.ts"),
        playlist("gone.ts", "gone too.ts").removesuffix("#EXT-X-ENDLIST\n"),
        playlist("clip.ts", before='#EXT-X-KEY:METHOD=AES-128,URI="gone.key"\n'),
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ngone.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nfar.m3u8\n",
    ],
    ids=["parts", "parts of one that does not end", "a key", "playlists"],
)
def test_what_it_names_and_is_not_there_is_told_in_one_line(
    site: Site, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (site.folder / "lost.m3u8").write_text(text)
    assert "its playlist names" in site.refusal(f"{site.folder}/lost.m3u8")
    assert "Traceback" not in capfd.readouterr().err


def test_films_that_hold_themselves_are_read(tmp_path: Path) -> None:
    for suffix in (*SUFFIXES, ".avi", ".webm", ".flv", ".ts", ".gif"):
        path = tmp_path / f"film{suffix}"
        codec = {".webm": "libvpx", ".gif": "gif"}.get(suffix, "libx264")
        with av.open(str(path), "w") as film:
            stream = film.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "rgb8" if suffix == ".gif" else "yuv420p"
            for index in range(30):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(mark_picture(index).image, format="bgr24")))
            film.mux(stream.encode())
        assert len(list(open_input(str(path)).frames())) == 30, suffix


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/a.ts", "data:video/mp2t;base64,AAAA", "/loop"])
def test_redirects_stay_on_the_web(site: Site, to: str) -> None:
    with serve(lambda path: (302, {"Location": to}, b"")) as there:
        (site.folder / "moved.m3u8").write_text(playlist(f"{there}clip.ts"))
        site.refusal(f"{site.http}moved.m3u8")
        site.refusal(f"{there}near.m3u8")


def test_a_public_server_leads_into_no_private_network(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a redirect nor by a playlist: a router may believe a request from here. Nothing is asked there."""
    asked: list[str] = []

    def answer(path: str) -> Reply:
        asked.append(path)
        return 302, {"Location": f"{site.http}near.m3u8"}, b""

    with serve(answer) as there:
        (site.folder / "inwards.m3u8").write_text(playlist(f"{there}reboot"))
        for url, expected in ((f"{there}list.m3u8", ["/list.m3u8"]), (f"{site.http}inwards.m3u8", [])):
            public = iter([True])
            monkeypatch.setattr(web_client, "is_public", lambda address, public=public: next(public, False))
            assert "a public server that leads into a private network" in site.refusal(url)
            assert asked == expected
            asked.clear()


def test_nor_does_one_that_a_proxy_asks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is in the private network itself, and addresses of this machine go around it."""
    asked: list[str] = []

    def answer(path: str) -> Reply:
        asked.append(path)
        return 302, {"Location": f"{site.http}near.m3u8"}, b""

    with serve(answer) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert "a public server that leads into a private network" in site.refusal("http://example.org/list.m3u8")
        assert asked == ["http://example.org/list.m3u8"]


def test_private_addresses_are_known_in_every_form() -> None:
    private = ("127.0.0.1", "10.0.0.1", "100.64.0.1", "::1", "fd00::1", "fec0::1", "::ffff:10.0.0.1")
    assert not any(web_client.is_public(one) or web_client.sounds_public(one) for one in private)
    assert not web_client.is_public("64:ff9b::a00:1")
    assert not any(map(web_client.sounds_public, ("localhost", "router", "router.lan", "a.localhost.", "2130706433")))
    assert all(map(web_client.is_public, ("93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e")))
    assert web_client.sounds_public("example.org")


def test_what_a_moved_playlist_names_is_relative_to_where_it_is(site: Site) -> None:
    with serve(lambda path: (302, {"Location": f"{site.https}near.m3u8"}, b"")) as there:
        assert site.open(f"{there}elsewhere/list.m3u8") == 30


def test_a_dripping_part_is_given_up(site: Site) -> None:
    with serve(lambda path: (200, {"Content-Length": "9000"}, None)) as there:
        (site.folder / "slow.m3u8").write_text(playlist(f"{there}clip.ts"))
        began = time.monotonic()
        with pytest.raises(InputError, match=r"in time|no picture within"):
            NetworkStream(f"{site.http}slow.m3u8", on_event=print, open_timeout_s=0.5)
        assert time.monotonic() - began < 30


def test_an_endless_playlist_does_not_fill_the_memory(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playlists, "_MOST_BYTES", 100_000)
    (site.folder / "endless.m3u8").write_text(playlist(*[f"{number}.ts" for number in range(5_000)]))
    for base in (f"{site.folder}/", site.http):
        assert "no picture within" in site.refusal(f"{base}endless.m3u8")


def test_a_list_that_names_itself_in_thousands_of_ways_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg opened each, and each of those: 8.8 GB, and no end. So did the search for files that must be kept."""
    monkeypatch.setattr(playlists, "_MOST_BYTES", 200_000)
    names = ["".join(("./", ".//")[number >> bit & 1] for bit in range(9)) + "again.m3u8" for number in range(501)]
    again = site.folder / "again.m3u8"
    for tag in ("#EXT-X-STREAM-INF:BANDWIDTH=1\n{}", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{}"'):
        again.write_text("#EXTM3U\n" + "\n".join(tag.format(name) for name in names))
        for base in (f"{site.folder}/", site.http):
            assert "more than 500 further playlists" in site.refusal(f"{base}again.m3u8")
        assert len(list(playlists.files_named(again))) == len(names)
