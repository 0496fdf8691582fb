"""Several sessions at once: each has its own input and faces, and the networks are compiled once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from prepared_sources import ready  # noqa: F401
from studio_client import Client, run_studio

from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig
from rtswap.engines.locked_engine import LockedEngine, lock_engine
from rtswap.web.routes.route import STUDIOS


@pytest.fixture
def client(caller: Path, tmp_path: Path) -> Iterator[Client]:
    """A studio whose input is the caller."""
    with run_studio(Config(input=InputConfig(address=str(caller))), tmp_path) as client:
        yield client


def test_two_sessions_swap_at_once_with_faces_of_their_own(client: Client) -> None:
    id = client.good("POST", "/api/sessions", {})["id"]
    own = f"session={id}"
    client.good("PUT", f"/api/people?{own}", {"main": "persona:carl"})
    client.good("PUT", f"/api/config?{own}", {"swap.strength": 0.8})
    for where in ("", f"?{own}"):
        client.good("POST", f"/api/session{where}", {"input": {"kind": "given"}})
    client.until(lambda status: status["figures"].get("faces"))
    client.until(lambda _: client.get(f"/api/status?{own}")["figures"].get("faces"))
    first, second = (
        cv2.imdecode(np.frombuffer(client.send("GET", f"/api/snapshot.jpg{where}").data, np.uint8), 1).astype(int)
        for where in ("", f"?{own}")
    )
    assert abs(first - second)[60:300, 200:440].mean() > 3
    assert client.get("/api/config")["values"]["swap.strength"] == 1
    assert [row["state"] for row in client.get("/api/sessions")["sessions"]] == ["running"] * 2
    loops = [one.running for one in (client.studio, client.app[STUDIOS].get(id))]
    assert loops[0]._models.open(("heads",))["heads"] is loops[1]._models.open(("heads",))["heads"]
    client.good("DELETE", f"/api/sessions/{id}")
    assert client.send("GET", f"/api/status?{own}").status == 422
    frames = client.get("/api/status")["figures"]["frames"]
    client.until(lambda status: status["figures"]["frames"] > frames + 3)


def test_sessions_are_limited_and_the_first_stays(client: Client) -> None:
    studios, ids = client.app[STUDIOS], list[str]()
    for _ in range(3):
        ids.append(client.good("POST", "/api/sessions", {})["id"])
        studios.get(ids[-1]).pages = 1
    answer = client.send("POST", "/api/sessions", {})
    assert answer.status == 422
    assert "close that window" in answer.json()["detail"]
    assert client.send("DELETE", "/api/sessions/main").status == 422
    assert client.send("DELETE", "/api/sessions/none").status == 422
    client.good("DELETE", f"/api/sessions/{ids[0]}")
    client.good("POST", "/api/sessions", {})
    studios.get(ids[1]).pages = 0  # its window was closed
    client.good("POST", "/api/sessions", {})
    left = [row["id"] for row in client.get("/api/sessions")["sessions"]]
    assert ids[1] not in left
    assert ids[2] in left


def test_an_engine_in_turn_runs_once_at_a_time_and_its_outputs_stay() -> None:
    class Engine:
        """Gives out its memory, as OpenVINO does."""

        name, inside = "openvino-f32", 0

        def __init__(self) -> None:
            self.memory, self.gate = np.zeros(1, np.float32), threading.Barrier(2, timeout=0.05)

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            with pytest.raises(threading.BrokenBarrierError):
                self.gate.wait()
            self.gate.reset()
            self.memory += 1
            return {"out": self.memory}

    engine, found = lock_engine(Engine()), []
    threads = [threading.Thread(target=lambda: found.append(engine.run({})["out"])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(engine, LockedEngine)
    assert sorted(float(one[0]) for one in found) == [1, 2]
    gpu = Engine()
    gpu.name = "tensorrt-fp16"
    assert lock_engine(gpu) is gpu
