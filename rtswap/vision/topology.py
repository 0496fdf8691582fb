"""Indices of facial features in the 468 canonical landmarks. Rings are closed, in order, as MediaPipe numbers them.

Left and right are those of the image, for an unmirrored face that looks at the camera: ``LEFT_EYE`` is the person's
right eye.
"""

from __future__ import annotations

OVAL = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]  # fmt: skip
PROFILE = [
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152,
]  # fmt: skip
"""From forehead to chin along the middle of the face: its outline when seen from the side."""
LEFT_EYE = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]
RIGHT_EYE = [362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398]
LIPS_OUTER = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
LIPS_INNER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191]
LEFT_BROW = [70, 63, 105, 66, 107, 55, 65, 52, 53, 46]
RIGHT_BROW = [336, 296, 334, 293, 300, 276, 283, 282, 295, 285]
GLASSES = [71, 105, 9, 334, 301, 447, 347, 277, 6, 47, 118, 227]
"""From the brows to below the eyes: where the frames of glasses lie."""
NOSE_RIDGE = [197, 195, 5, 1]
NOSE_BASE = [48, 64, 98, 2, 327, 294, 278, 4]
"""Around the lower third of the nose."""
NOSE_TIP = 1
CHIN = 152
FOREHEAD = 10
KEYPOINTS = (LEFT_EYE, RIGHT_EYE, [NOSE_TIP], [61], [291])
"""Landmarks whose means are the five keypoints of detectors and templates."""
JAW_68 = [127, 234, 93, 132, 172, 136, 149, 148, 152, 377, 378, 365, 397, 361, 323, 454, 356]
BROWS_68 = [70, 63, 105, 66, 107, 336, 296, 334, 293, 300]
NOSE_68 = [168, 197, 5, 1, 98, 97, 2, 326, 327]
EYES_68 = [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
LIPS_68 = [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87]
POINTS_68 = [*JAW_68, *BROWS_68, *NOSE_68, *EYES_68, *LIPS_68]
"""The landmark nearest to each of iBUG's 68 points, in their order: jaw, brows, nose, eyes, lips. The jaw is divided
evenly along ``OVAL``; the others lie within 0.05 face widths of the 68-point mean face when both mean faces are
aligned."""
