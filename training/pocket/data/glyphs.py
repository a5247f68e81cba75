"""Emoji as RGBA bitmaps.

Noto Color Emoji holds one bitmap strike of 136×128 pixels, reached at a nominal size of 109. A few hundred
bitmaps are a few megabytes, so they are cached in the work folder: a machine without the font can then go on.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..config import WORK

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
STRIKE = 109
CANVAS = (136, 128)


def _draw(emoji: str) -> Image.Image:
    canvas = Image.new("RGBA", CANVAS, (0, 0, 0, 0))
    font = ImageFont.truetype(str(FONT), STRIKE)
    ImageDraw.Draw(canvas).text((0, 0), emoji, font=font, embedded_color=True)
    box = canvas.getbbox()
    if box is None:
        raise ValueError(f"Cannot draw {emoji!r}: the font has no bitmap for it")
    return canvas.crop(box)


@lru_cache(maxsize=None)
def glyph(emoji: str) -> Image.Image:
    """The emoji cropped to what is drawn of it. Treat it as immutable: it is shared."""
    name = "-".join(f"{ord(c):x}" for c in emoji)
    cached = WORK / "glyphs" / f"{name}.png"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        _draw(emoji).save(cached)
    with Image.open(cached) as picture:
        return picture.convert("RGBA")


def place(canvas: Image.Image, picture: Image.Image, centre: tuple[float, float]) -> None:
    """Alpha-composite `picture` onto an opaque `canvas` about `centre`; parts outside are cut off."""
    x, y = round(centre[0] - picture.width / 2), round(centre[1] - picture.height / 2)
    canvas.paste(picture, (x, y), picture)


def fit(picture: Image.Image, side: float, angle: float = 0.0, flip: bool = False) -> Image.Image:
    """Scale the longer side to `side` pixels, mirrored and turned by `angle` degrees."""
    if flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    factor = side / max(picture.size)
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    # Premultiplied alpha, or transparent black would bleed into the edges.
    picture = picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC)
    if angle:
        picture = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    return picture.convert("RGBA")


def luminance(picture: Image.Image) -> np.ndarray:
    """Rec. 601 luma of an RGBA picture in 0..1, `[height, width]`."""
    return np.asarray(picture.convert("RGB").convert("L"), dtype=np.float32) / 255
