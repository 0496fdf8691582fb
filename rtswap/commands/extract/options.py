"""The options of ``rtswap extract``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rtswap.commands.extract.limits import QualityLimits


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """Options of one run."""

    inputs: tuple[str, ...]
    out: Path = Path("rtswap_faces")
    template: str = "ffhq"
    """One of ``templates.TEMPLATES``."""
    size: int = 512
    """Width and height of an aligned picture, px."""
    format: str = "png"
    """``png`` or ``jpg``."""
    limits: QualityLimits = field(default_factory=QualityLimits)
    similar: float | None = None
    """Leave out a face whose cosine to a stored one is at least this; None: ``near_duplicates.USUAL``."""
    keep_all: bool = False
    every_s: float = 0.5
    """Minimum time between two processed frames of a video, s."""
    detector: str = "mtcnn"
    """Name of the face detector, for the record."""
    smooth_s: float = 0.0
    """Half the window of time over which landmarks of a video are smoothed, s."""
    embeddings: bool = False
    from_dfl: bool = False
    """Whether the input is a folder of faces that DeepFaceLab aligned; ``template`` is theirs."""
    to_dfl: Path | None = None
    """Write the faceset as DeepFaceLab's aligned set, too."""
    licence: str = ""
    provenance: str = ""
    """What the user says of the pictures; written beside each face."""
    person: str = ""
    """Keep only this person: their number in the folder, several such as ``0,3``, or a photo of them."""
    overwrite: bool = False

    def settings(self) -> dict[str, Any]:
        """Return the options that determine the result, as JSON types. A run with other settings starts over."""
        limits = asdict(self.limits) | {"light": list(self.limits.light)}
        decisive = (
            "template",
            "size",
            "format",
            "limits",
            "similar",
            "keep_all",
            "every_s",
            "smooth_s",
            "embeddings",
            "from_dfl",
            "detector",
        )
        return {name: getattr(self, name) for name in decisive} | {"limits": limits}
