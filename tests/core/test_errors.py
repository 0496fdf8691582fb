"""How errors are put into words."""

from __future__ import annotations

import pytest

from rtswap.core.errors import InputError, described


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("no face", do="Use another."), "no face. Use another."),
        (ValueError("an empty mask"), "an empty mask (ValueError)"),
        (ValueError("first line\nsecond"), "first line (ValueError)"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_described_without_python_s_quotes(error: Exception, words: str) -> None:
    assert described(error) == words


def test_a_reason_that_ends_with_a_full_stop_gets_no_second_one() -> None:
    assert str(InputError("no camera", got="see the manual.", do="Plug it in.")) == (
        "no camera; got see the manual. Plug it in."
    )
