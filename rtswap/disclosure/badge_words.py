"""The text of the badge: two large letters, and a few plain words in two lines beside them.

The words follow article 50(4) of the EU's AI Act ("artificially generated or manipulated") in its official languages;
the letters abbreviate AI in each language, or are "AI" where people say that.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Wording:
    """The wording in one language."""

    icon: str
    """Legible in a thumbnail."""
    lines: tuple[str, str]
    """Legible where there is room."""


TEXTS = MappingProxyType(
    {
        "en": Wording("AI", ("artificially", "generated face")),
        "bg": Wording("ИИ", ("изкуствено", "създадено лице")),
        "cs": Wording("AI", ("uměle", "vytvořený obličej")),
        "da": Wording("AI", ("kunstigt", "genereret ansigt")),
        "de": Wording("KI", ("künstlich", "erzeugtes Gesicht")),
        "el": Wording("TN", ("πρόσωπο που έχει", "παραχθεί τεχνητά")),
        "es": Wording("IA", ("rostro generado", "artificialmente")),
        "et": Wording("AI", ("tehislikult", "loodud nägu")),
        "fi": Wording("AI", ("keinotekoisesti", "tuotetut kasvot")),
        "fr": Wording("IA", ("visage généré", "artificiellement")),
        "ga": Wording("AI", ("aghaidh a gineadh", "go saorga")),
        "hr": Wording("UI", ("umjetno", "generirano lice")),
        "hu": Wording("MI", ("mesterségesen", "létrehozott arc")),
        "it": Wording("IA", ("volto generato", "artificialmente")),
        "lt": Wording("DI", ("dirbtinai", "sugeneruotas veidas")),
        "lv": Wording("MI", ("mākslīgi", "radīta seja")),
        "mt": Wording("IA", ("wiċċ iġġenerat", "b'mod artifiċjali")),
        "nl": Wording("AI", ("kunstmatig", "gegenereerd gezicht")),
        "pl": Wording("AI", ("sztucznie", "wygenerowana twarz")),
        "pt": Wording("IA", ("rosto gerado", "artificialmente")),
        "ro": Wording("IA", ("față generată", "artificial")),
        "sk": Wording("AI", ("umelo", "vytvorená tvár")),
        "sl": Wording("UI", ("umetno", "ustvarjen obraz")),
        "sv": Wording("AI", ("artificiellt", "genererat ansikte")),
        "zh": Wording("AI生成", ("人工智能", "生成的人脸")),
        "ja": Wording("AI", ("人工的に", "生成された顔")),
        "ko": Wording("AI", ("인공적으로", "생성된 얼굴")),
    }
)
"""Language -> wording. The Greek letters are drawn as Latin ones of the same shape, which the font has in bold; the
Chinese label says "generated" in its large letters, as GB 45438-2025 requires."""
