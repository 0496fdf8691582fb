"""Names for the arrays that the recipes pass around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
"""Pictures (H, W, 3) BGR, masks (H, W), or stacks of them; 0..255."""
Floats = NDArray[np.float32]
"""Points in pixels, meshes (468, 3), affine maps (2, 3)."""
Rows = NDArray[np.int64]
"""Rows of a table, corners of triangles."""
Flags = NDArray[np.bool_]
