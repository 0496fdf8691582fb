"""A session of the studio: pictures, settings, people and recordings."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from base64 import b64encode

import cv2
import numpy as np
import pytest
from mark_reading import is_marked
from prepared_sources import ready  # noqa: F401
from studio_client import Client


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def look_at(session: Client) -> np.ndarray:
    """A picture that was made after the last change."""
    time.sleep(0.3)
    return decoded(session.send("GET", "/api/snapshot.jpg").data).astype(int)


def test_pictures_that_leave_are_marked(session: Client) -> None:
    assert is_marked([decoded(session.send("GET", "/api/snapshot.jpg").data)])
    small = session.send("GET", "/api/snapshot.jpg?width=320").data
    assert cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape == (180, 320, 3)


def test_a_preview_shows_pictures_as_they_come(session: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", session.port, timeout=20)
    connection.request("GET", "/api/preview.mjpg?fps=10")
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=rtswap-frame"
    for _ in range(3):
        assert response.readline() == b"--rtswap-frame\r\n"
        assert response.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(response.readline().split()[1])
        assert response.readline() == b"\r\n"
        assert is_marked([decoded(response.read(length))])
        assert response.readline() == b"\r\n"
    connection.close()
    session.until(lambda status: session.studio.viewer.watchers == 0)


def test_a_swapper_that_shows_the_targets_face_is_refused_and_the_swap_goes_on(
    session: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``mesh`` as if it were another package's, and as if it changed nothing."""
    monkeypatch.setattr("rtswap.app.program.built_in_swappers", tuple)
    monkeypatch.setattr("rtswap.app.swap_check.UNCHANGED", -1.0)
    frames = session.get("/api/status")["figures"]["frames"]
    refused = session.send("PUT", "/api/config", {"mask.masks": ["hull"]})
    assert refused.status == 409
    assert "does not change faces" in refused.json()["detail"]
    after = session.until(lambda status: status["figures"]["frames"] > frames + 3)
    assert (after["covered"], after["reasons"], after["figures"]["faces"]) == (0, [], 1)
    assert session.get("/api/config")["values"]["mask.masks"] != ["hull"]


def test_settings_change_the_picture_and_nobody_is_lost(session: Client) -> None:
    frames, before = session.get("/api/status")["figures"]["frames"], look_at(session)
    person = session.get("/api/people")["people"][0]["id"]
    for values in ({"swap.strength": 0.2, "swap.expression": 0.3}, {"swap.color": "none"}, {"mask.parts": ["eyes"]}):
        answer = session.good("PUT", "/api/config", values)
        assert not answer["restarted"]
        after = look_at(session)
        assert abs(after - before)[60:300, 200:440].mean() > 1, values
        before = after
    session.good("PUT", "/api/config", {"badge.look": "light tr"})
    after = look_at(session)
    assert abs(after - before)[:60, 440:].mean() > 5
    status = session.get("/api/status")
    assert status["people"][0]["id"] == person
    assert status["figures"]["frames"] > frames
    defaults = session.get("/api/config")["schema"]["properties"]
    session.good("PUT", "/api/config", {key: defaults[key]["default"] for key in ("mask.parts", "badge.look")})
    session.good("PUT", "/api/config", {"swap.strength": 1.0, "swap.expression": 1.0, "swap.color": "light"})


def test_a_wrong_setting_changes_nothing(session: Client) -> None:
    before = session.get("/api/config")["values"]
    answer = session.send("PUT", "/api/config", {"swap.strength": 0.1, "swap.color": "purple"})
    assert answer.status == 422
    assert "purple" in answer.json()["detail"]
    assert session.get("/api/config")["values"] == before


def test_people_are_chosen_by_who_is_in_the_picture(session: Client) -> None:
    first = look_at(session)
    person = session.get("/api/people")["people"][0]
    assert person["source"] == session.get("/api/people")["main"]
    assert 0 <= person["box"][0] < person["box"][2] <= 1
    rows = [{"id": person["id"], "source": "persona:carl"}]
    session.good("PUT", "/api/people", {"people": rows})
    assert session.until(lambda s: s["people"] and s["people"][0]["source"] == "persona:carl")["people"][0]["chosen"]
    assert abs(look_at(session) - first)[60:300, 200:440].mean() > 1
    session.good("PUT", "/api/people", {"people": [{"id": person["id"], "source": None}]})
    covered = session.until(lambda s: s["covered"])
    assert covered["reasons"]
    session.good("PUT", "/api/people", {"people": [{"id": person["id"], "source": "main"}], "main": "persona:ben"})
    session.until(lambda s: s["people"] and s["people"][0]["source"] == "persona:ben" and s["figures"]["faces"])
    assert session.send("PUT", "/api/people", {"main": "persona:nobody"}).status == 422
    session.good("PUT", "/api/people", {"main": "persona:ada"})


def test_a_recording_is_finished_signed_and_can_be_fetched(session: Client) -> None:
    added = session.good("POST", "/api/outputs", {"kind": "record"})
    assert session.send("GET", f"/api/outputs/{added['id']}/file").status == 422, "it is not finished"
    time.sleep(1.2)
    session.good("DELETE", f"/api/outputs/{added['id']}")
    row = session.get("/api/outputs")["outputs"][-1]
    assert row["finished"]
    assert row["download"]
    assert row["failure"] is None
    assert row["bytes"] > 1000
    assert os.listdir(row["folder"]) == [row["file"]]
    answer = session.send("GET", f"/api/outputs/{added['id']}/file")
    assert answer.headers["content-disposition"] == f'attachment; filename="{row["file"]}"'
    assert len(answer.data) == row["bytes"]
    assert b"c2pa" in answer.data
    assert session.send("DELETE", f"/api/outputs/{added['id']}").status == 422


def test_status_over_a_websocket_and_as_events(session: Client) -> None:
    with socket.create_connection(("127.0.0.1", session.port), timeout=20) as connection:
        key = b64encode(os.urandom(16)).decode()
        host = f"127.0.0.1:{session.port}"
        head = f"GET /api/status HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
        head += f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101")
        assert b'"state": "running"' in connection.recv(4096)
    connection = http.client.HTTPConnection("127.0.0.1", session.port, timeout=20)
    connection.request("GET", "/api/status", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    first = json.loads(response.readline().removeprefix(b"data: "))
    assert first["state"] == "running"
    assert first["events"]
    connection.close()


def test_what_restarts_comes_back_with_the_same_input(session: Client) -> None:
    assert session.good("PUT", "/api/config", {"tracking.min_face": 50})["restarted"]
    status = session.until(lambda status: status["figures"].get("faces"))
    assert status["input"] == "caller.mp4"
    assert session.get("/api/config")["values"]["tracking.min_face"] == 50


def test_a_setting_that_cannot_be_used_leaves_the_picture_as_it_was(session: Client) -> None:
    """A detector that is not installed, in place of one that restarts the picture."""
    before = session.get("/api/status")["figures"]["frames"]
    refused = session.send("PUT", "/api/config", {"models.detector": "retinaface"})
    assert refused.status == 409
    assert "no retinaface detector is installed" in refused.json()["detail"]
    session.until(lambda status: status["state"] == "running" and status["figures"]["frames"] > before + 3)
    assert session.get("/api/config")["values"]["models.detector"] == "mtcnn"


def test_an_output_that_fails_says_so_and_is_no_reason_for_the_end(session: Client) -> None:
    ask = {"kind": "stream", "url": "rtmp://127.0.0.1:1/live"}
    for _ in range(2):
        session.good("POST", "/api/outputs", ask)
        status = session.until(lambda status: any(one["failure"] for one in status["outputs"]))
    failed = [one for one in status["outputs"] if one["failure"]]
    assert [(one["kind"], one["finished"], one["download"]) for one in failed] == [("stream", True, False)]
    assert "rtmp://127.0.0.1:1/live" in failed[0]["failure"]
    assert session.send("GET", f"/api/outputs/{failed[0]['id']}/file").status == 422
    session.good("DELETE", "/api/session")
    last = session.get("/api/status")["events"][-1]["text"]
    assert last == "stopped"
    session.good("POST", "/api/session", {"input": {"kind": "given"}})
    session.until(lambda status: status["figures"].get("faces"))


def test_one_may_stop_and_start_again(session: Client) -> None:
    session.good("DELETE", "/api/session")
    assert session.get("/api/session")["state"] == "idle"
    assert session.send("GET", "/api/snapshot.jpg").status == 409
    assert session.send("GET", "/api/preview.mjpg").status == 409
    session.good("POST", "/api/session", {"input": {"kind": "given"}})
    session.until(lambda status: status["figures"].get("faces"))
