"""A manifest beside a file may be that of another file; it is not replaced without ``--overwrite``."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtswap.core.errors import OutputError
from rtswap.core.parts import OutputRequest
from rtswap.media.outputs import check_output, open_output


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.apng", "clip.bmp"])
def test_a_manifest_that_is_there_is_kept(tmp_path: Path, name: str) -> None:
    beside = tmp_path / "clip.c2pa"
    beside.write_bytes(b"of another clip")
    for take in (check_output, open_output):
        with pytest.raises(OutputError, match=r"clip\.c2pa already exists; .* would have its manifest there"):
            take(str(tmp_path / name), OutputRequest())
    assert [path.name for path in tmp_path.iterdir()] == ["clip.c2pa"]
    open_output(str(tmp_path / name), OutputRequest(overwrite=True)).close()
    open_output(str(tmp_path / "clip.mp4"), OutputRequest()).close()
