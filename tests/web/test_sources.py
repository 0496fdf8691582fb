"""The shelf: uploads are treated as any hostile photo, and nothing of them comes back or stays."""

from __future__ import annotations

import tempfile
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import group
from prepared_sources import ready  # noqa: F401
from studio_client import Client, run_studio

from rtswap.app.config import Config
from rtswap.vision.caller import caller_layers


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Somebody whose consent was never asked."""
    return bytes(cv2.imencode(".jpg", caller_layers().still())[1])


def test_personas_are_there_from_the_start(studio: Client) -> None:
    rows = studio.get("/api/sources")["sources"]
    assert all(row["persona"] and row["consent"] for row in rows)
    assert sum(row["main"] for row in rows) == 1
    answer = studio.send("GET", f"/api/sources/{rows[0]['id']}/thumbnail.jpg")
    assert cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_COLOR).shape == (160, 160, 3)
    assert len(answer.data) < 12_000


def test_a_person_is_used_only_with_consent(studio: Client, photo: bytes) -> None:
    added = studio.good("POST", "/api/sources?name=../../etc/%3Cb%3EEve%0a", photo)
    assert added["name"] == "etc b Eve"
    assert not added["consent"]
    refused = studio.send("PUT", "/api/people", {"main": added["id"]})
    assert refused.status == 422
    assert "consent" in refused.json()["detail"]
    for body in ({}, {"confirmed": False}, {"confirmed": "yes"}, {"confirmed": 1}):
        assert studio.send("POST", f"/api/sources/{added['id']}/consent", body).status == 422
    assert studio.good("POST", f"/api/sources/{added['id']}/consent", {"confirmed": True})["consent"]
    studio.good("PUT", "/api/people", {"main": added["id"]})
    assert studio.good("POST", "/api/sources?name=Again", photo)["consent"], "rtswap asks once for each photo"
    assert studio.good("POST", f"/api/sources/{added['id']}/photos", photo)["photos"] == 2
    assert studio.send("DELETE", f"/api/sources/{added['id']}").status == 422, "it is in use"
    studio.good("PUT", "/api/people", {"main": "persona:ada"})
    studio.good("DELETE", f"/api/sources/{added['id']}")
    assert studio.send("PUT", "/api/people", {"main": added["id"]}).status == 422


def test_another_photo_needs_consent_too(studio: Client, photo: bytes) -> None:
    persona = resources.files("rtswap").joinpath("assets/personas/ruth.jpg").read_bytes()
    added = studio.good("POST", "/api/sources?name=Ruth", persona)
    assert added["consent"], "she does not exist"
    other = bytes(cv2.imencode(".png", caller_layers().still())[1])
    assert not studio.good("POST", f"/api/sources/{added['id']}/photos", other)["consent"]


def test_photos_are_not_sent_back(studio: Client, photo: bytes) -> None:
    added = studio.good("POST", "/api/sources", photo)
    answer = studio.send("GET", f"/api/sources/{added['id']}/thumbnail.jpg")
    assert answer.status == 422
    assert len(answer.data) < 400


def test_what_was_noticed_about_a_photo_is_told_with_it(studio: Client) -> None:
    several = bytes(cv2.imencode(".jpg", group("erik", "vera", "ben", size=360))[1])
    added = studio.good("POST", "/api/sources?name=friends", several)
    assert any(note.startswith("friends shows 3 faces; using the largest") for note in added["notes"])
    blank = bytes(cv2.imencode(".png", np.full((300, 400, 3), 120, np.uint8))[1])
    answer = studio.send("POST", "/api/sources?name=wall", blank)
    assert answer.json()["detail"].startswith("no face found in wall. Use a photo")


BOMB = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\2\0\0\0"


@pytest.mark.parametrize(
    "data",
    [b"x", b"\xff\xd8\xff" + bytes(1000), b"GIF89a", BOMB, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7"],
    ids=["text", "broken JPEG", "broken GIF", "4 gigapixels", "SVG", "PDF"],
)
def test_hostile_files_are_refused_in_a_line(studio: Client, data: bytes) -> None:
    answer = studio.send("POST", "/api/sources", data)
    assert answer.status == 422
    assert len(answer.json()["detail"]) < 500


def test_what_is_too_large_is_refused(studio: Client) -> None:
    headers = {"Content-Length": str(10**12), "Content-Type": "image/jpeg"}
    assert studio.send("POST", "/api/sources", b"", headers).status == 413
    assert studio.send("POST", "/api/sources", b"").status == 400


def test_clips_lie_in_a_folder_that_goes(tmp_path: Path, caller: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with run_studio(Config(), tmp_path) as client:
        added = client.good("POST", "/api/clips?name=my%20clip.mp4", caller.read_bytes())
        assert client.get("/api/inputs")["clips"] == [{"id": added["id"], "name": "my clip.mp4"}]
        folder = next(tmp_path.glob("rtswap-studio-*"))
        assert folder.stat().st_mode & 0o77 == 0
        assert client.send("POST", "/api/clips", b"no clip").status in (409, 422)
        assert len(list(folder.iterdir())) == 1
        client.good("DELETE", f"/api/clips/{added['id']}")
        assert not list(folder.iterdir())
        client.good("POST", "/api/clips", caller.read_bytes())
    assert not folder.exists()
