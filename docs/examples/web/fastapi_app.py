"""POST /swap with the files ``source`` and ``picture``: answers with the swapped picture as PNG.

Run it: pip install fastapi uvicorn python-multipart; uvicorn fastapi_app:app
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Annotated

import cv2
from fastapi import FastAPI, File, Form, HTTPException, Response

import rtswap

app = FastAPI()
swapper = rtswap.Swapper("persona:vera")  # loads the networks; the source is changed for each request
one_at_a_time = Lock()


@contextmanager
def errors_as_answers() -> Iterator[None]:
    try:
        yield
    except (rtswap.UsageError, rtswap.InputError) as error:
        raise HTTPException(422, str(error)) from error


@app.post("/swap")
def swap(
    source: Annotated[bytes, File()], picture: Annotated[bytes, File()], consent: Annotated[bool, Form()] = False
) -> Response:
    """``consent``: the visitor confirms that the person in ``source`` has agreed."""
    with errors_as_answers(), one_at_a_time:
        swapper.update(source, consent=consent)
        result = swapper.swap(picture)
    counts = {"X-Faces-Swapped": str(result.swapped), "X-Faces-Covered": str(result.covered)}
    return Response(cv2.imencode(".png", result.image)[1].tobytes(), media_type="image/png", headers=counts)
