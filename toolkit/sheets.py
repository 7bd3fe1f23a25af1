"""Contact sheets: labeled rows of pictures on one sheet, and overlays of what was found in a frame."""

import cv2
import numpy as np

from toolkit.skeletons import P

PART_COLORS = np.array([
    (0, 0, 0), (230, 25, 75), (255, 225, 25), (60, 180, 75), (0, 130, 200), (245, 130, 48), (145, 30, 180), (70, 240, 240),
    (240, 50, 230), (210, 245, 60), (250, 190, 190)], np.uint8)
"""(P + 1, 3) RGB; color of part label i, 0 = background."""
assert len(PART_COLORS) == P + 1


def to_rgb(image: np.ndarray) -> np.ndarray:
    """Any picture as (H, W, 3) uint8: gray is repeated, float in [0, 1] is scaled."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return np.repeat(image[..., None], 3, -1) if image.ndim == 2 else image


def paint_parts(parts: np.ndarray) -> np.ndarray:
    """Part labels (H, W) uint8 as colors, (H, W, 3) uint8."""
    return PART_COLORS[np.minimum(parts, P)]


def overlay_parts(frame: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Part labels drawn over a frame, (H, W, 3) uint8."""
    weight = .55 * (parts[..., None] > 0)
    return (frame * (1 - weight) + paint_parts(parts) * weight).astype(np.uint8)


def overlay_mask(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Background dimmed to a third and the outline of the mask drawn; ``mask`` (H, W) float in [0, 1]."""
    out = (frame * (.33 + .67 * mask[..., None])).astype(np.uint8)
    outlines, _ = cv2.findContours((mask > .5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(out, outlines, -1, (0, 255, 120), max(1, frame.shape[0] // 256))


def _label(image: np.ndarray, text: str) -> np.ndarray:
    scale = max(.45, image.shape[0] / 700)
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    out = np.ascontiguousarray(image)
    out[:height + base + 3, :width + 6] //= 4
    return cv2.putText(out, text, (3, height + 3), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)


def contact_sheet(
        rows: list[list[np.ndarray]], labels: list[list[str]] | None = None, height: int | None = None, gap: int = 4) -> np.ndarray:
    """Pictures side by side, row under row.

    Args:
        rows: pictures, (H, W) or (H, W, 3), uint8 or float in [0, 1]; sizes may differ.
        labels: a text for each picture, drawn into its upper left corner; '' for none.
        height: height to scale every picture to; by default pictures keep their size.
        gap: white pixels between pictures.

    Returns:
        (H, W, 3) uint8; white where a row is shorter.
    """
    strips = []
    for r, row in enumerate(rows):
        tiles = []
        for c, image in enumerate(row):
            tile = to_rgb(image)
            if height and tile.shape[0] != height:
                size = (max(1, round(tile.shape[1] * height / tile.shape[0])), height)
                tile = cv2.resize(tile, size, interpolation=cv2.INTER_AREA if height < tile.shape[0] else cv2.INTER_NEAREST)
            tiles.append(_label(tile.copy(), labels[r][c]) if labels and labels[r][c] else tile)
        strip = np.full((max(t.shape[0] for t in tiles), sum(t.shape[1] + gap for t in tiles) + gap, 3), 255, np.uint8)
        x = gap
        for tile in tiles:
            strip[:tile.shape[0], x:x + tile.shape[1]] = tile
            x += tile.shape[1] + gap
        strips.append(strip)
    sheet = np.full((sum(s.shape[0] + gap for s in strips) + gap, max(s.shape[1] for s in strips), 3), 255, np.uint8)
    y = gap
    for strip in strips:
        sheet[y:y + strip.shape[0], :strip.shape[1]] = strip
        y += strip.shape[0] + gap
    return sheet
