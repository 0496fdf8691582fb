"""What the studio's terminal says of its own faults."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from rtswap.web.problems import problems


def test_a_path_with_control_characters_reaches_no_terminal(caplog: pytest.LogCaptureFixture) -> None:
    """aiohttp decodes it: %1b[2J would clear the screen, %0a forge a line."""

    async def fails(request: web.Request) -> web.StreamResponse:
        raise RuntimeError("a fault")

    request = make_mocked_request("GET", "/api/%1b[2J%0arecording")
    assert "\x1b" in request.path
    response = asyncio.run(problems(request, fails))
    assert response.status == 500
    (record,) = caplog.records
    assert record.getMessage() == "GET /api/?[2J recording failed"
