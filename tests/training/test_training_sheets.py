"""What a person looks at while a network learns."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rtswap.training.pictures import chart_of, write_sheet


def test_each_picture_of_a_sheet_has_its_name(tmp_path: Path) -> None:
    """Nothing said which of the pictures was the swap."""
    columns = {name: [np.full((128, 128, 3), 90, np.uint8)] * 2 for name in ("source", "target", "swap")}
    write_sheet(tmp_path / "sheet.png", columns)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    below = sheet[16 + 128 + 2 : 16 + 128 + 22]
    inked = [int((below[:, 16 + 140 * n : 16 + 140 * n + 128] < 100).any(2).sum()) for n in range(3)]
    assert min(inked) > 40, "dark letters below each"
    assert len(set(inked)) == 3


@pytest.mark.parametrize(("values", "logarithmic"), [([17.9, 22.5], False), ([9.0, 0.1], True), ([0.0, 1.0], False)])
def test_a_curve_is_logarithmic_only_over_more_than_a_decade(values: list[float], logarithmic: bool) -> None:
    """An axis from 17.95 to 22.5 dB was numbered 1.795 x 10^1."""
    chart = chart_of("source_psnr", [(0.0, values[0]), (1.0, values[1])])
    assert chart.logarithmic is logarithmic
    assert chart.title == "source psnr"
