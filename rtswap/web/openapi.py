"""The OpenAPI document, from the routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rtswap.core.version import __version__
from rtswap.web.problems import SCHEMA
from rtswap.web.routes.route import Route

API_VERSION = "1"
"""Raised when a client of the one before would not work any more."""


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the document, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rtswap studio",
            "version": API_VERSION,
            "description": f"rtswap {__version__}. Every picture that leaves is marked as synthetic.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {
        "summary": route.summary,
        "responses": {
            "2XX": {"description": "done", "content": {route.answer: {}}},
            "default": {"description": "a problem", "content": problem},
        },
    }
    text = {"type": "string"}
    named = [(name, "path", True, "") for name in re.findall(r"{(\w+)}", route.path)]
    named += [(name, "query", False, words) for name, words in route.query.items()]
    if not route.path.startswith("/api/sessions"):
        named.append(("session", "query", False, "an id of /api/sessions; without it, the first"))
    if named:
        found["parameters"] = [
            {"name": name, "in": place, "required": required, "schema": text, "description": words}
            for name, place, required, words in named
        ]
    if route.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    if route.upload:
        found["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    return found
