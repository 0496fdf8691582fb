"""Decide which faces are good enough to store."""

from __future__ import annotations

from dataclasses import dataclass

from rtswap.commands.extract.measurement import MeasuredFace


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """Quality limits of a face. Each face outside them is counted under one reason."""

    min_face_px: float = 96.0
    """Minimum height from forehead to chin in the photo, px."""
    min_sharpness: float = 0.002
    """Minimum of ``source.quality.sharpness``: below 0.001 is blurred, above 0.03 crisp."""
    max_yaw: float = 60.0
    max_pitch: float = 45.0
    """Degrees."""
    light: tuple[float, float] = (30.0, 235.0)
    """Lowest and highest mean grey level inside the face, 0..255."""
    max_clipped: float = 0.5
    """Largest share of the face that is pure black or white."""
    max_outside: float = 0.2
    """Largest share of the face's outline outside the picture."""

    def refusal(self, face: MeasuredFace) -> str:
        """Return the first reason to leave out the face; empty for a good one."""
        figures = face.figures
        checks = (
            ("too small", face.face_px >= self.min_face_px),
            ("cut off", face.outside <= self.max_outside),
            ("turned away", abs(face.pose.yaw) <= self.max_yaw),
            ("looks up or down", abs(face.pose.pitch) <= self.max_pitch),
            ("too dark", figures.light >= self.light[0]),
            ("too bright", figures.light <= self.light[1]),
            ("black or white", figures.clipped <= self.max_clipped),
            ("blurred", figures.sharpness >= self.min_sharpness),
        )
        return next((reason for reason, good in checks if not good), "")
