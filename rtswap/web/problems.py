"""Errors as ``application/problem+json`` (RFC 9457); as a line of text where a browser wants a page."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from rtswap.core.errors import RtswapError, UsageError
from rtswap.core.text import printable

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what failed, expected, got, what to do"},
    },
    "required": ["type", "title", "status", "detail"],
}
"""JSON schema of an error."""


class Problem(Exception):
    """A request that cannot be answered. ``detail``: one line."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def answer(request: web.Request, status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return the error as a response."""
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(text=f"rtswap studio: {detail}\n", status=status, headers=headers)
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors as problems. A fault of the program is logged, and the client learns nothing of its insides."""
    try:
        return await handler(request)
    except Problem as problem:
        return answer(request, problem.status, str(problem))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return answer(request, error.status, error.reason, allow)
    except UsageError as error:
        return answer(request, 422, str(error))
    except RtswapError as error:
        return answer(request, 409, str(error))
    except (HttpProcessingError, web.RequestPayloadError):
        return answer(request, 400, "the request's body does not follow HTTP")
    except ConnectionError:
        raise
    except Exception:
        logging.getLogger("rtswap.web").exception("%s failed", printable(f"{request.method} {request.path}"))
        return answer(request, 500, "rtswap failed, which is a bug; its terminal says more")


def fault_log() -> logging.Logger:
    """The log of the HTTP server: faults of the program alone. What clients send wrongly is answered, who hangs up
    is gone, and both would let anybody who can connect fill the terminal."""
    log = logging.getLogger("rtswap.web.http")
    log.addFilter(_is_fault)
    return log


def _is_fault(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)
