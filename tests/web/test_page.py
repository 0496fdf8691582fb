"""The page: light, whole, and without anything from elsewhere."""

from __future__ import annotations

import re

from paths import ROOT
from studio_client import Client

FOLDER = ROOT / "rtswap/assets/studio"
MOST_BYTES = 300_000


def test_the_page_is_light_with_all_it_loads(studio: Client) -> None:
    files = sum(path.stat().st_size for path in FOLDER.iterdir())
    personas = [row["id"] for row in studio.get("/api/sources")["sources"]]
    thumbnails = sum(len(studio.send("GET", f"/api/sources/{id}/thumbnail.jpg").data) for id in personas)
    assert files + thumbnails <= MOST_BYTES, (files, thumbnails)


def test_nothing_comes_from_elsewhere() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""(src|href|from|import|url)\W{1,4}(https?:)?//""", text), path.name
        assert not re.search(r"@import|<script>|\bstyle=|\bon\w+=\"", text), path.name


def test_files_name_each_other_rightly(studio: Client) -> None:
    there = {path.name for path in FOLDER.iterdir()}
    for path in FOLDER.iterdir():
        named = set(re.findall(r"""(?:from|src=|href=)\s*"(?:\./)?([\w.]+\.\w+)\"""", path.read_text()))
        assert named <= there, path.name
    kinds = {"index.html": "text/html", "style.css": "text/css", "app.js": "javascript", "icon.svg": "image/svg+xml"}
    for name, kind in kinds.items():
        answer = studio.send("GET", f"/{name}")
        assert (answer.status, answer.data) == (200, (FOLDER / name).read_bytes())
        assert kind in answer.headers["content-type"]
    assert studio.send("GET", "/").data == (FOLDER / "index.html").read_bytes()


def test_ids_that_scripts_use_are_in_the_page() -> None:
    ids = set(re.findall(r'\bid="([\w-]+)"', (FOLDER / "index.html").read_text()))
    for path in FOLDER.glob("*.js"):
        assert set(re.findall(r'byId\("([\w-]+)"\)', path.read_text())) <= ids, path.name


def test_the_openapi_document_names_what_is_there(studio: Client) -> None:
    found = studio.get("/api/openapi.json")
    assert found["openapi"].startswith("3.1")
    assert found["info"]["version"] == studio.get("/api")["version"]
    for path, operations in found["paths"].items():
        asked = path.replace("{id}", "nothing")
        answer = studio.send("PATCH", asked, {})
        assert answer.status == 405
        assert {method.upper() for method in operations} <= set(answer.headers["allow"].split(",")), path
