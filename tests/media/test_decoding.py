"""Colours that FFmpeg cannot convert are refused in one line, never an internal error."""

from __future__ import annotations

import av
import pytest

from rtswap.core.errors import InputError
from rtswap.media.decoding import PictureMaker


@pytest.mark.parametrize("matrix", [3, 8, *range(10, 18)])
def test_a_matrix_that_ffmpeg_cannot_convert_is_refused(matrix: int) -> None:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.colorspace = matrix
    with pytest.raises(InputError, match=f"colour matrix {matrix}"):
        PictureMaker().to_image(frame)


@pytest.mark.parametrize("matrix", [1, 2, 4, 5, 6, 7, 9])
def test_other_matrices_are_converted(matrix: int) -> None:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.colorspace = matrix
    assert PictureMaker().to_image(frame).shape == (16, 16, 3)
