"""What was asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rtswap.commands.extract.limits import QualityLimits


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """One run of ``rtswap extract``."""

    inputs: tuple[str, ...]
    out: Path = Path("rtswap_faces")
    template: str = "ffhq"
    """One of ``templates.TEMPLATES``."""
    size: int = 512
    """Side of an aligned picture."""
    format: str = "png"
    """Or jpg."""
    limits: QualityLimits = field(default_factory=QualityLimits)
    similar: float | None = None
    """Cosine from which two faces are too alike for both to be kept; None: ``likeness.USUAL``."""
    keep_all: bool = False
    every_s: float = 0.5
    """Least time between two frames of a video that are looked at."""
    embeddings: bool = False
    overwrite: bool = False

    def settings(self) -> dict[str, Any]:
        """Everything that decides what comes out, as JSON knows it: where it differs, nothing is done already."""
        limits = asdict(self.limits) | {"light": list(self.limits.light)}
        decisive = ("template", "size", "format", "limits", "similar", "keep_all", "every_s", "embeddings")
        return {name: getattr(self, name) for name in decisive} | {"limits": limits}
