"""How the values of some settings are read and written that only one setting takes."""

from __future__ import annotations

from rtswap.app.options import Kind, integer, text

BADGE_STYLES = ("auto", "dark", "light", "outline")
BADGE_POSITIONS = ("tl", "tc", "tr", "bl", "bc", "br")
BADGE_LANGUAGES = tuple("en bg cs da de el es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv zh ja ko".split())  # noqa: SIM905
"""The official ones of the EU, and three more."""


def camera_index() -> Kind:
    index = integer("N", 0, 255)
    return Kind(index.expected, "N", lambda value: str(index.parse(value)), write=index.write)


def address() -> Kind:
    """A camera's number, a path or a URL; always a text inside."""
    expected = "a camera's number, a file, a folder or a URL"
    read = text("ADDRESS", expected).parse
    return Kind(expected, "ADDRESS", lambda v: read(str(v)), (str, int))


def badge_look() -> Kind:
    """A style, a place or both, in any order; always ``style place`` inside."""

    def parse(value: str) -> str:
        style, position = "auto", "bl"
        words = value.replace(",", " ").split()
        for word in words:
            if word in BADGE_STYLES:
                style = word
            elif word in BADGE_POSITIONS:
                position = word
            else:
                raise ValueError(repr(word))
        if not words:
            raise ValueError("nothing")
        return f"{style} {position}"

    expected = f"a style ({', '.join(BADGE_STYLES)}), a place ({', '.join(BADGE_POSITIONS)}) or both: light,tr"
    return Kind(expected, "STYLE,PLACE", parse)
