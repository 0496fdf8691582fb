"""The model registry returns a valid file or reports an error, whatever happened to cache and network."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ASSETS
from web_servers import FileServer, run_server

from rtswap.app.config import Config
from rtswap.app.networks import Networks
from rtswap.app.sections import EngineConfig
from rtswap.core.errors import ModelError
from rtswap.core.network_rows import read_rows
from rtswap.networks.catalog import Entry, current_name, load_catalog
from rtswap.networks.registry import Registry, cache_folder

CONTENT = bytes(range(256)) * 9000  # 2.3 MB, more than two chunks


def free(**changes: object) -> Entry:
    values = {
        "name": "net",
        "title": "a network",
        "licence": "MIT",
        "url": "http://127.0.0.1:9/net.onnx",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "bytes": len(CONTENT),
    }
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def server() -> Iterator[FileServer]:
    server = FileServer(CONTENT)
    with run_server(server):
        yield server


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_catalogue_names_every_network_with_its_licence() -> None:
    catalog = load_catalog()
    assert {"pnet", "rnet", "onet", "dlib"} <= set(catalog)
    for entry in catalog.values():
        assert entry.licence
        assert entry.origin
        assert entry.input["dtype"] == "uint8"


@pytest.mark.parametrize(
    "text",
    [
        "[net",
        "[net]\ntitle = 'no licence'\nurl = 'http://x'",
        "[net]\ntitle = 't'\nlicence = 'MIT'",
        "[net]\ntitle = 't'\nlicence = 'MIT'\nurl = 'http://x'",
        "[net]\ntitle = 't'\nlicence = 'MIT'\nasset = 'a'\nconverter = 'b'",
        "['../net']\ntitle = 't'\nlicence = 'MIT'\nasset = 'a'",
        "[net]\ntitle = 't'\nlicence = 'MIT'\nasset = 'a'\nsurprise = 1",
    ],
)
def test_an_invalid_catalogue_is_reported_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "networks.toml").write_text(text)
    with pytest.raises(ModelError) as caught:
        load_catalog(read_rows(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("former", "name"), [(former, "refiner") for former in ("one", "one-256", "refiner-128", "refiner-256")]
)
def test_a_network_is_found_by_its_former_name(tmp_path: Path, former: str, name: str) -> None:
    assert former not in load_catalog()
    assert current_name(former, load_catalog()) == name
    assert current_name(name, load_catalog()) == name
    assert Registry(tmp_path).path(former) == Registry(tmp_path).path(name)


def test_unknown_name_is_reported_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"unknown model 'pnett'.*onet or photo_light or pnet"):
        Registry(tmp_path).path("pnett")


def test_converted_once_then_only_checked(tmp_path: Path) -> None:
    events: list[str] = []
    first = Registry(tmp_path, on_event=events.append).path("pnet")
    assert len(events) == 1
    made_at = first.stat().st_mtime_ns
    assert Registry(tmp_path, on_event=events.append).path("pnet") == first
    assert len(events) == 1
    assert first.stat().st_mtime_ns == made_at


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "gone"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    path = Registry(tmp_path).path("pnet")
    good = path.read_bytes()
    if damage == "cut":
        path.write_bytes(good[:1000])
    elif damage == "flipped":
        path.write_bytes(good[:500] + bytes([good[500] ^ 4]) + good[501:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "gone":
        path.unlink()
    events: list[str] = []
    assert Registry(tmp_path, on_event=events.append).path("pnet").read_bytes() == good
    assert events
    assert left_over(tmp_path) == ["pnet-2.onnx"]


def test_a_file_that_the_cache_itself_vouches_for_is_not_believed(tmp_path: Path) -> None:
    """Somebody puts another network into the cache, with its hash beside it."""
    path = Registry(tmp_path).path("rnet")
    good, other = path.read_bytes(), Registry(tmp_path).path("onet").read_bytes()
    path.write_bytes(other)
    path.with_suffix(".json").write_text(json.dumps({"sha256": hashlib.sha256(other).hexdigest()}))
    assert Registry(tmp_path).path("rnet").read_bytes() == good


def test_what_is_read_is_what_was_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user of a shared cache puts a network into it at the worst moment: after the check of the file."""
    path, good = Registry(tmp_path).read("rnet")
    other = Registry(tmp_path).read("onet")[1]
    checked = Registry.path

    def replaced(self: Registry, name: str) -> Path:
        found = checked(self, name)
        found.write_bytes(other)
        return found

    assert Registry(tmp_path).read("rnet") == (path, good)
    path.write_bytes(other)
    assert Registry(tmp_path).read("rnet") == (path, good)
    path.write_bytes(other)
    monkeypatch.setattr(Registry, "path", replaced)
    with pytest.raises(ModelError, match="was changed while it was read"):
        Registry(tmp_path).read("rnet")


def test_no_engine_reads_a_file_of_the_cache_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "path", lambda self, name: pytest.fail("verified, and read again afterwards"))
    networks = Networks(Config(engine=EngineConfig(engine="onnxruntime")), on_event=lambda event: None)
    assert networks.open(("heads",))["heads"].inputs


def test_a_conversion_that_gives_other_bytes_is_used_but_not_believed_later(tmp_path: Path) -> None:
    catalog = {"rnet": dataclasses.replace(load_catalog()["rnet"], sha256="0" * 64)}
    for _ in range(2):
        events: list[str] = []
        assert Registry(tmp_path, catalog=catalog, on_event=events.append).read("rnet")[0].is_file()
        assert "other bytes" in events[-1]


def test_every_converted_network_has_its_hash_in_the_catalogue() -> None:
    with pytest.raises(ModelError, match="sha256 as well"):
        Entry("net", "a network", "MIT", converter="mtcnn", part="rnet")


def test_unwritable_cache_is_reported_and_not_needed(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    events: list[str] = []
    registry = Registry(blocked / "cache", on_event=events.append)
    path = registry.path("pnet")
    assert path.is_file()
    assert "RTSWAP_CACHE" in events[0]
    assert "\n" not in events[0]
    temporary = registry.folder
    registry.close()
    assert not temporary.exists()


def test_the_environment_says_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSWAP_CACHE", str(tmp_path / "ä b"))
    assert cache_folder() == tmp_path / "ä b"
    assert Registry().path("pnet").parent == tmp_path / "ä b"
    monkeypatch.setenv("RTSWAP_CACHE", "")
    assert "rtswap" in str(cache_folder())


def test_downloaded_with_progress_then_kept(tmp_path: Path, server: FileServer) -> None:
    events: list[str] = []
    registry = Registry(tmp_path, catalog={"net": free(url=server.url)}, on_event=events.append)
    assert registry.path("net").read_bytes() == CONTENT
    assert "MIT" in events[0]
    assert events[-1].endswith("100 %")
    server.status = 500
    assert registry.path("net").read_bytes() == CONTENT
    assert left_over(tmp_path) == ["net-1.onnx"]


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (404, b"", "404"),
        (200, CONTENT[:-1] + b"x", "not the model"),
        (200, CONTENT[:5000], "not the model"),
        (200, CONTENT + b"more", "not the model"),
        (200, b"<html>log in first</html>", "not the model"),
    ],
    ids=["404", "changed", "short", "long", "page"],
)
def test_wrong_download_is_reported_and_leaves_no_file(
    tmp_path: Path, server: FileServer, status: int, content: bytes, told: str
) -> None:
    server.status, server.content = status, content
    with pytest.raises(ModelError, match=told) as caught:
        Registry(tmp_path, catalog={"net": free(url=server.url)}).path("net")
    assert "\n" not in str(caught.value)
    assert left_over(tmp_path) == []


def test_an_interrupted_download_is_kept_for_the_next_attempt(tmp_path: Path, server: FileServer) -> None:
    server.most = 5000
    registry = Registry(tmp_path, catalog={"net": free(url=server.url)})
    with pytest.raises(ModelError, match=r"stopped after 5 kB of 2\.3 MB.* 5 kB are kept"):
        registry.path("net")
    assert left_over(tmp_path) == ["net-1.onnx.part"]
    server.most = None
    assert registry.path("net").read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/net", "file:///etc/passwd", "https://", "http://[::1"])
def test_unreachable_address_is_reported(tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelError, match="cannot download"):
        Registry(tmp_path, catalog={"net": free(url=url)}).path("net")
    assert left_over(tmp_path) == []


def test_a_damaged_download_is_fetched_again(tmp_path: Path, server: FileServer) -> None:
    registry = Registry(tmp_path, catalog={"net": free(url=server.url)})
    registry.path("net").write_bytes(b"broken")
    assert registry.path("net").read_bytes() == CONTENT


def test_another_licence_must_be_accepted_once(tmp_path: Path, server: FileServer) -> None:
    entry = free(url=server.url, licence="non-commercial", origin="https://example.org/licence")
    asked: list[str] = []

    def accept(shown: Entry) -> bool:
        asked.append(shown.licence)
        return len(asked) > 1

    registry = Registry(tmp_path, catalog={"net": entry}, accept=accept)
    with pytest.raises(ModelError, match=r"non-commercial.*example\.org"):
        registry.path("net")
    assert left_over(tmp_path) == []
    assert registry.path("net").read_bytes() == CONTENT
    registry.path("net").unlink()
    registry.path("net")
    assert asked == ["non-commercial", "non-commercial"]


def test_by_default_no_other_licence_is_accepted(tmp_path: Path, server: FileServer) -> None:
    with pytest.raises(ModelError, match="not accepted"):
        Registry(tmp_path, catalog={"net": free(url=server.url, licence="non-commercial")}).path("net")


def test_what_ships_with_rtswap_is_found_and_checked(tmp_path: Path) -> None:
    shipped = Entry(name="mean", title="the mean embedding", licence="MIT", asset="dlib_mean.npy", folder=ASSETS)
    path = Registry(tmp_path, catalog={"mean": shipped}).path("mean")
    assert path.name == "dlib_mean.npy"
    wrong = Entry(name="mean", title="another", licence="MIT", asset="dlib_mean.npy", folder=ASSETS, sha256="0" * 64)
    gone = Entry(name="gone", title="none", licence="MIT", asset="gone.npy", folder=ASSETS)
    for name, entry in (("mean", wrong), ("gone", gone)):
        with pytest.raises(ModelError, match="Reinstall the package"):
            Registry(tmp_path, catalog={name: entry}).path(name)


def test_a_mistyped_name_is_answered_with_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"unknown model 'landmrks'; expected .*\. Did you mean landmarks\?"):
        Registry(tmp_path).path("landmrks")
    with pytest.raises(ModelError) as caught:
        Registry(tmp_path).path("xyz")
    assert "Did you mean" not in str(caught.value)
