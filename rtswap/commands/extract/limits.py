"""Which faces are good enough to be kept."""

from __future__ import annotations

from dataclasses import dataclass

from rtswap.commands.extract.measure import MeasuredFace


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a face must be. Every face that is not is counted under one word."""

    min_face_px: float = 96.0
    """Height from forehead to chin in the photo."""
    min_sharpness: float = 0.002
    """``source.quality.sharpness``: below 0.001 blurred, above 0.03 crisp."""
    max_yaw: float = 60.0
    max_pitch: float = 45.0
    """Degrees."""
    light: tuple[float, float] = (30.0, 235.0)
    """Mean of grey inside the face, darkest and brightest."""
    max_clipped: float = 0.5
    """Share of the face that is pure black or white."""
    max_outside: float = 0.2
    """Share of the face's outline that lies beyond the picture."""

    def refusal(self, face: MeasuredFace) -> str:
        """The first reason against a face, in one word or two; empty for a good one."""
        checks = (
            ("too small", face.face_px >= self.min_face_px),
            ("cut off", face.outside <= self.max_outside),
            ("turned away", abs(face.yaw) <= self.max_yaw),
            ("looks up or down", abs(face.pitch) <= self.max_pitch),
            ("too dark", face.light >= self.light[0]),
            ("too bright", face.light <= self.light[1]),
            ("black or white", face.clipped <= self.max_clipped),
            ("blurred", face.sharpness >= self.min_sharpness),
        )
        return next((reason for reason, good in checks if not good), "")
