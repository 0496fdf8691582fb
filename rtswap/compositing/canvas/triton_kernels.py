"""The canvas's Triton kernels: each program computes one tile in registers. ``triton_launch`` launches them.

They read and round bytes as ``plain_torch`` does. Coordinates are clamped to the image before reading, so that no
table can make a kernel read out of bounds.
"""

# mypy: ignore-errors
from __future__ import annotations

import triton
import triton.language as tl

from rtswap.gpu.triton_pixels import byte, pixel, rounded


@triton.jit(do_not_specialize=["taps"])
def crop(frame, crops, table, width, height, side, taps, FIELDS: tl.constexpr, TX: tl.constexpr, TY: tl.constexpr):
    """Crop every face: one program per tile and face."""
    face = tl.program_id(2)
    t = table + face * FIELDS
    column = tl.program_id(0) * TX + tl.arange(0, TX)[None, :]
    row = tl.program_id(1) * TY + tl.arange(0, TY)[:, None]
    inside = (column < side) & (row < side)
    x = tl.minimum(column.to(tl.float32), tl.load(t + 6) - 1)
    y = tl.minimum(row.to(tl.float32), tl.load(t + 7) - 1)
    x1, y1, x2, y2 = tl.load(t + 9), tl.load(t + 10), tl.load(t + 13), tl.load(t + 14)
    across, down = tl.load(t + 11), tl.load(t + 12)
    blue = tl.zeros((TY, TX), tl.float32)
    green = tl.zeros((TY, TX), tl.float32)
    red = tl.zeros((TY, TX), tl.float32)
    if tl.load(t + 8) > 0:
        low_x, low_y = x1 + x * across, y1 + y * down
        for i in range(taps):
            line = tl.floor(low_y) + i
            tall = tl.maximum(tl.minimum(low_y + down, line + 1) - tl.maximum(low_y, line), 0.0)
            line = tl.minimum(tl.maximum(line, 0.0), height - 1.0).to(tl.int32)
            for j in range(taps):
                place = tl.floor(low_x) + j
                wide = tl.maximum(tl.minimum(low_x + across, place + 1) - tl.maximum(low_x, place), 0.0)
                place = tl.minimum(tl.maximum(place, 0.0), width - 1.0).to(tl.int32)
                share = tall * wide / (across * down)
                b, g, d = pixel(frame, line, place, width, inside & (share > 0))
                blue += share * b
                green += share * g
                red += share * d
    else:
        u = tl.load(t) * x + tl.load(t + 1) * y + tl.load(t + 2)
        v = tl.load(t + 3) * x + tl.load(t + 4) * y + tl.load(t + 5)
        u = tl.minimum(tl.maximum(tl.minimum(tl.maximum(u, x1), x2), 0.0), width - 1.0)
        v = tl.minimum(tl.maximum(tl.minimum(tl.maximum(v, y1), y2), 0.0), height - 1.0)
        left, top = tl.floor(u), tl.floor(v)
        for m in tl.static_range(2):
            r = tl.minimum(top + m, height - 1.0).to(tl.int32)
            for n in tl.static_range(2):
                c = tl.minimum(left + n, width - 1.0).to(tl.int32)
                weight = (1 - tl.abs(v - top - m)) * (1 - tl.abs(u - left - n))
                near_b, near_g, near_r = pixel(frame, r, c, width, inside)
                blue += weight * near_b
                green += weight * near_g
                red += weight * near_r
    to = crops + ((face * side + row) * side + column) * 3
    tl.store(to, byte(blue).to(tl.uint8), mask=inside)
    tl.store(to + 1, byte(green).to(tl.uint8), mask=inside)
    tl.store(to + 2, byte(red).to(tl.uint8), mask=inside)


@triton.jit
def _key(t, A: tl.constexpr):
    """Keys' cubic kernel at distance ``t`` >= 0."""
    near = ((A + 2) * t - (A + 3)) * t * t + 1
    far = ((A * t - 5 * A) * t + 8 * A) * t - 4 * A
    return tl.where(t <= 1, near, tl.where(t < 2, far, 0.0))


@triton.jit(do_not_specialize=["faces", "x1", "y1"])
def paste(
    frame, crops, masks, table, faces, x1, y1, width, height, side,
    FIELDS: tl.constexpr, TX: tl.constexpr, TY: tl.constexpr,
):  # fmt: skip
    """Paste every face into the frame, in order: one program per tile of the frame."""
    left, top = x1 + tl.program_id(0) * TX, y1 + tl.program_id(1) * TY
    column, row = left + tl.arange(0, TX)[None, :], top + tl.arange(0, TY)[:, None]
    inside = (column < width) & (row < height)
    x, y = column.to(tl.float32), row.to(tl.float32)
    own_b, own_g, own_r = pixel(frame, row, column, width, inside)
    touched = inside & False
    for face in range(faces):
        t = table + face * FIELDS
        low_x, low_y, high_x, high_y = tl.load(t + 8), tl.load(t + 9), tl.load(t + 10), tl.load(t + 11)
        if (left < high_x) & (left + TX > low_x) & (top < high_y) & (top + TY > low_y):
            here = inside & (x >= low_x) & (x < high_x) & (y >= low_y) & (y < high_y)
            u = tl.load(t) * x + tl.load(t + 1) * y + tl.load(t + 2)
            v = tl.load(t + 3) * x + tl.load(t + 4) * y + tl.load(t + 5)
            share = _share(
                masks + face * side * side, u, v, tl.load(t + 6), tl.load(t + 7), side, tl.load(t + 13), here
            )
            shown = here & (share > 0)
            if tl.max(shown.to(tl.int32)) > 0:
                crop = crops + face * side * side * 3
                b, g, r = _color(crop, u, v, tl.load(t + 6), tl.load(t + 7), side, tl.load(t + 12), shown)
                touched = touched | shown
                own_b = tl.where(shown, _mix(own_b, b, share), own_b)
                own_g = tl.where(shown, _mix(own_g, g, share), own_g)
                own_r = tl.where(shown, _mix(own_r, r, share), own_r)
    to = frame + (row * width + column) * 3
    tl.store(to, own_b.to(tl.uint8), mask=touched)
    tl.store(to + 1, own_g.to(tl.uint8), mask=touched)
    tl.store(to + 2, own_r.to(tl.uint8), mask=touched)


@triton.jit
def _mix(own, color, share):
    """Blend with both products rounded, as in OpenCV: a share of 255 is the colour, 0 the original."""
    return tl.minimum(rounded(own * (255 - share) / 255) + rounded(color * share / 255), 255.0)


@triton.jit
def _share(mask, u, v, w, h, side, zero, here):
    """Bilinear sample of the mask; its border is replicated, or 0."""
    u = tl.minimum(tl.maximum(u, -zero), w - 1 + zero)
    v = tl.minimum(tl.maximum(v, -zero), h - 1 + zero)
    left, top = tl.floor(u), tl.floor(v)
    share = tl.zeros_like(u)
    for i in tl.static_range(2):
        r = top + i
        for j in tl.static_range(2):
            c = left + j
            weight = (1 - tl.abs(v - r)) * (1 - tl.abs(u - c))
            known = here & (weight > 0) & (r >= 0) & (r < h) & (c >= 0) & (c < w)
            share += weight * tl.load(mask + r.to(tl.int32) * side + c.to(tl.int32), mask=known, other=0).to(
                tl.float32
            )
    return byte(share)


@triton.jit
def _color(crop, u, v, w, h, side, cubic, shown):
    """Bicubic or bilinear sample of the crop; its border is replicated."""
    u = tl.minimum(tl.maximum(u, -2.0), w + 1)
    v = tl.minimum(tl.maximum(v, -2.0), h + 1)
    if cubic == 0:
        u = tl.minimum(tl.maximum(u, 0.0), w - 1)
        v = tl.minimum(tl.maximum(v, 0.0), h - 1)
    left, top = tl.floor(u), tl.floor(v)
    blue, green, red = tl.zeros_like(u), tl.zeros_like(u), tl.zeros_like(u)
    first, last = tl.where(cubic > 0, -1, 0), tl.where(cubic > 0, 3, 2)
    for i in range(first, last):
        far_y = tl.abs(v - top - i)
        wide_y = tl.where(cubic > 0, _key(far_y, -0.75), tl.maximum(1 - far_y, 0.0))
        r = tl.minimum(tl.maximum(top + i, 0.0), h - 1).to(tl.int32)
        for j in range(first, last):
            far_x = tl.abs(u - left - j)
            weight = wide_y * tl.where(cubic > 0, _key(far_x, -0.75), tl.maximum(1 - far_x, 0.0))
            c = tl.minimum(tl.maximum(left + j, 0.0), w - 1).to(tl.int32)
            b, g, d = pixel(crop, r, c, side, shown)
            blue += weight * b
            green += weight * g
            red += weight * d
    return byte(blue), byte(green), byte(red)
