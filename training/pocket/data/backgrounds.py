"""Named procedural backgrounds. Each is drawn at twice the size and averaged down, which is the antialiasing.

A background is a function of a random generator; everything that differs between two pictures of one name
(hues, positions, counts) comes from it, so that the seed matters as much as the words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .glyphs import fit, glyph, place

SIDE = 128
S = 2 * SIDE
Rng = np.random.Generator
Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "white": (245, 245, 245), "black": (18, 18, 20), "red": (205, 40, 45),
    "orange": (245, 140, 40), "yellow": (250, 212, 70), "green": (70, 165, 85),
    "blue": (55, 110, 215), "purple": (120, 70, 180), "pink": (245, 150, 190),
}


def jitter(rng: Rng, colour: Rgb, amount: int = 12) -> Rgb:
    return tuple(int(np.clip(c + rng.integers(-amount, amount + 1), 0, 255)) for c in colour)


def gradient(top: Rgb, bottom: Rgb, height: int = S) -> Image.Image:
    ramp = np.linspace(np.array(top, np.float32), np.array(bottom, np.float32), height)
    return Image.fromarray(np.broadcast_to(ramp[:, None].round().astype(np.uint8), (height, S, 3)).copy())


def glow(picture: Image.Image, draw: Callable[[ImageDraw.ImageDraw], None], radius: float = 8) -> Image.Image:
    """Adds light: what `draw` paints, plus its blur."""
    light = Image.new("RGB", picture.size)
    draw(ImageDraw.Draw(light))
    blurred = np.asarray(light.filter(ImageFilter.GaussianBlur(radius)), np.uint16) * 2
    total = np.asarray(picture, np.uint16) + blurred + np.asarray(light, np.uint16)
    return Image.fromarray(np.minimum(total, 255).astype(np.uint8))


def pine(draw: ImageDraw.ImageDraw, x: float, base: float, height: float, green: Rgb, snow: bool) -> None:
    width = height * 0.5
    draw.rectangle((x - height * 0.04, base - height * 0.15, x + height * 0.04, base), fill=(80, 55, 40))
    for layer in range(3):
        low, high = base - height * (0.1 + 0.27 * layer), base - height * (0.5 + 0.25 * layer)
        half = width * (1 - 0.25 * layer) / 2
        draw.polygon([(x - half, low), (x + half, low), (x, high)], fill=green)
        if snow:
            draw.polygon([(x - half * 0.4, high + (low - high) * 0.4), (x + half * 0.4, high + (low - high) * 0.4),
                          (x, high)], fill=(240, 245, 250))


def bricks(draw: ImageDraw.ImageDraw, rng: Rng, colour: Rgb, top: int, bottom: int, size: int = 32) -> None:
    for row, y in enumerate(range(top, bottom, size // 2)):
        for x in range(-size if row % 2 else -size // 2, S, size):
            draw.rectangle((x, y, x + size - 3, y + size // 2 - 3), fill=jitter(rng, colour, 9))


def flame(picture: Image.Image, x: float, y: float, size: float) -> Image.Image:
    ImageDraw.Draw(picture).rectangle((x - size / 8, y, x + size / 8, y + size), fill=(90, 60, 40))
    return glow(picture, lambda d: (d.ellipse((x - size / 2, y - size, x + size / 2, y + size / 4), fill=(190, 90, 10)),
                                    d.ellipse((x - size / 4, y - size * 0.6, x + size / 4, y), fill=(60, 90, 40))), size / 2)


def stars(draw: ImageDraw.ImageDraw, rng: Rng, count: int, below: int = S) -> None:
    for _ in range(count):
        x, y, r = rng.uniform(0, S), rng.uniform(0, below), rng.uniform(0.8, 2.6)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, int(rng.integers(190, 256))))


def hill(draw: ImageDraw.ImageDraw, rng: Rng, y: float, rise: float, colour: Rgb) -> None:
    phase, waves = rng.uniform(0, 6.28), rng.uniform(0.6, 1.6)
    xs = np.linspace(0, S, 33)
    ys = y - rise * np.sin(xs / S * 6.28 * waves + phase)
    draw.polygon([(0, S), *zip(xs.tolist(), ys.tolist()), (S, S)], fill=colour)


def cloud(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, size: float, colour: Rgb = (250, 252, 255)) -> None:
    for dx, dy, r in ((-0.5, 0.1, 0.32), (0, -0.1, 0.42), (0.5, 0.1, 0.3), (0.2, 0.12, 0.35)):
        draw.ellipse((x + (dx - r) * size, y + (dy - r) * size, x + (dx + r) * size, y + (dy + r) * size), fill=colour)


def plain(colour: str) -> Callable[[Rng], Image.Image]:
    def draw(rng: Rng) -> Image.Image:
        return Image.new("RGB", (S, S), jitter(rng, COLOURS[colour], 8))
    return draw


def snow_forest(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (150, 195, 230)), (225, 238, 248))
    draw = ImageDraw.Draw(picture)
    ground = rng.uniform(165, 190)
    hill(draw, rng, ground, 6, (243, 247, 252))
    for x in np.sort(rng.uniform(0, S, 7)):
        pine(draw, x, ground + rng.uniform(0, 25), rng.uniform(90, 150), jitter(rng, (40, 85, 70)), True)
    stars(draw, rng, 40)
    return picture


def forest(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (150, 190, 150)), (60, 100, 60))
    draw = ImageDraw.Draw(picture)
    for depth in range(3):
        for x in rng.uniform(0, S, 5):
            green = jitter(rng, (50 - 10 * depth, 105 - 20 * depth, 55 - 10 * depth))
            pine(draw, x, 185 + 20 * depth, rng.uniform(120, 190), green, False)
    hill(draw, rng, 215, 5, jitter(rng, (70, 95, 45)))
    return picture


def meadow(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (120, 190, 240)), (205, 232, 250))
    draw = ImageDraw.Draw(picture)
    cloud(draw, rng, rng.uniform(30, S - 30), rng.uniform(25, 60), rng.uniform(45, 70))
    hill(draw, rng, 165, 14, jitter(rng, (130, 195, 90)))
    hill(draw, rng, 190, 10, jitter(rng, (95, 170, 70)))
    for _ in range(26):
        x, y = rng.uniform(0, S), rng.uniform(200, S)
        colour = [(250, 240, 110), (250, 250, 250), (240, 120, 150)][rng.integers(3)]
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
    return picture


def beach(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (110, 195, 245)), (200, 235, 250))
    draw = ImageDraw.Draw(picture)
    horizon = rng.uniform(110, 130)
    draw.rectangle((0, horizon, S, S), fill=jitter(rng, (40, 150, 190)))
    hill(draw, rng, 176, 7, (235, 248, 250))
    hill(draw, rng, 182, 7, jitter(rng, (238, 214, 160)))
    return picture


def desert(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (120, 190, 230)), (250, 225, 180))
    draw = ImageDraw.Draw(picture)
    x = rng.uniform(40, S - 40)
    draw.ellipse((x - 18, 25, x + 18, 61), fill=(255, 240, 170))
    hill(draw, rng, 150, 20, jitter(rng, (225, 175, 105)))
    hill(draw, rng, 195, 15, jitter(rng, (205, 150, 85)))
    return picture


def underwater(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (60, 175, 215)), (10, 55, 110))
    x = rng.uniform(40, S - 40)
    picture = glow(picture, lambda d: [d.polygon([(x + k * 40 - 6, 0), (x + k * 40 + 6, 0), (x + k * 75 + 25, 210),
                                                  (x + k * 75 - 25, 210)], fill=(10, 18, 20)) for k in (-1, 0, 1)], 6)
    draw = ImageDraw.Draw(picture)
    hill(draw, rng, 228, 6, (190, 180, 130))
    for _ in range(18):
        u, v, r = rng.uniform(0, S), rng.uniform(0, 220), rng.uniform(2, 7)
        draw.ellipse((u - r, v - r, u + r, v + r), outline=(190, 230, 250), width=2)
    return picture


def night_sky(rng: Rng) -> Image.Image:
    picture = gradient((12, 16, 48), jitter(rng, (50, 60, 120)))
    draw = ImageDraw.Draw(picture)
    stars(draw, rng, 60)
    x, y = rng.uniform(25, S - 25), rng.uniform(25, 55)
    draw.ellipse((x - 18, y - 18, x + 18, y + 18), fill=(245, 240, 205))
    hill(draw, rng, 225, 10, (15, 20, 35))
    return picture


def space(rng: Rng) -> Image.Image:
    noise = rng.normal(size=(5, 5, 3)) * np.array([55, 30, 70]) + np.array([30, 8, 55])
    picture = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).resize((S, S), Image.Resampling.BICUBIC)
    stars(ImageDraw.Draw(picture), rng, 90)
    return picture


def sunset(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (85, 50, 120)), (255, 150, 70))
    draw = ImageDraw.Draw(picture)
    x, y = rng.uniform(60, S - 60), rng.uniform(150, 185)
    draw.ellipse((x - 32, y - 32, x + 32, y + 32), fill=(255, 225, 120))
    hill(draw, rng, 205, 10, jitter(rng, (60, 35, 60)))
    return picture


def city_night(rng: Rng) -> Image.Image:
    picture = gradient((15, 15, 45), jitter(rng, (70, 50, 110)))
    draw = ImageDraw.Draw(picture)
    x = -rng.uniform(0, 20)
    while x < S:
        width, top = rng.uniform(28, 50), rng.uniform(70, 180)
        draw.rectangle((x, top, x + width, S), fill=jitter(rng, (28, 28, 48), 8))
        for v in range(int(top) + 8, S, 18):
            for u in range(int(x) + 6, int(x + width) - 8, 14):
                if rng.random() < 0.5:
                    draw.rectangle((u, v, u + 6, v + 8), fill=(250, 215, 110))
        x += width + 2
    return picture


def kitchen(rng: Rng) -> Image.Image:
    wall = jitter(rng, (235, 225, 205))
    picture = Image.new("RGB", (S, S), tuple(c - 22 for c in wall))
    draw = ImageDraw.Draw(picture)
    for y in range(0, 160, 32):
        for x in range(0, S, 32):
            draw.rectangle((x, y, x + 29, y + 29), fill=jitter(rng, wall, 5))
    for x in rng.uniform(20, S - 20, 2):
        draw.line((x, 0, x, 28), fill=(70, 60, 50), width=3)
        draw.pieslice((x - 20, 16, x + 20, 60), 180, 360, fill=jitter(rng, (200, 140, 60)))
    draw.rectangle((0, 168, S, S), fill=jitter(rng, (110, 80, 60)))
    draw.rectangle((0, 160, S, 178), fill=jitter(rng, (245, 240, 232)))
    return picture


def wooden(rng: Rng, top: int) -> Callable[[ImageDraw.ImageDraw], None]:
    colour = jitter(rng, (165, 110, 65), 18)

    def draw(canvas: ImageDraw.ImageDraw) -> None:
        for y in range(top, S, 32):
            canvas.rectangle((0, y, S, y + 30), fill=jitter(rng, colour, 10))
            canvas.line((0, y + 31, S, y + 31), fill=tuple(c // 2 for c in colour), width=2)
            for _ in range(3):
                x, v = rng.uniform(0, S), y + rng.uniform(5, 26)
                canvas.line((x, v, x + rng.uniform(20, 80), v), fill=tuple(int(c * 0.8) for c in colour), width=2)
    return draw


def wooden_table(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (225, 220, 210), 25), (190, 180, 170))
    wooden(rng, 160)(ImageDraw.Draw(picture))
    return picture


def dungeon(rng: Rng) -> Image.Image:
    picture = Image.new("RGB", (S, S), (28, 27, 32))
    draw = ImageDraw.Draw(picture)
    bricks(draw, rng, jitter(rng, (72, 70, 78), 8), 0, 190, 40)
    bricks(draw, rng, (50, 46, 50), 196, S, 64)
    for x in (rng.uniform(20, 50), S - rng.uniform(20, 50)):
        picture = flame(picture, x, rng.uniform(60, 90), 26)
    return picture


def isometric(rng: Rng, colour: Rgb, sky: Rgb) -> Image.Image:
    picture = Image.new("RGB", (S, S), sky)
    draw = ImageDraw.Draw(picture)
    x, y, w, h, d = S / 2, 182, 112, 56, 22
    dark, mid = tuple(int(c * 0.55) for c in colour), tuple(int(c * 0.75) for c in colour)
    draw.polygon([(x - w, y), (x, y + h), (x, y + h + d), (x - w, y + d)], fill=mid)
    draw.polygon([(x + w, y), (x, y + h), (x, y + h + d), (x + w, y + d)], fill=dark)
    draw.polygon([(x - w, y), (x, y - h), (x + w, y), (x, y + h)], fill=colour)
    for k in (-0.5, 0, 0.5):
        draw.line((x - w / 2 + k * w, y - h / 2 - k * h, x + w / 2 + k * w, y + h / 2 - k * h), fill=mid, width=2)
        draw.line((x + w / 2 + k * w, y - h / 2 + k * h, x - w / 2 + k * w, y + h / 2 + k * h), fill=mid, width=2)
    return picture


def isometric_tile(rng: Rng) -> Image.Image:
    colour = [(110, 180, 90), (90, 150, 200), (205, 170, 110), (170, 120, 190)][rng.integers(4)]
    return isometric(rng, jitter(rng, colour), jitter(rng, (225, 232, 240)))


def isometric_dungeon(rng: Rng) -> Image.Image:
    picture = isometric(rng, jitter(rng, (120, 118, 130)), jitter(rng, (40, 36, 56)))
    draw = ImageDraw.Draw(picture)
    x, y, w, h, wall = S / 2, 182, 112, 56, rng.uniform(60, 90)
    for side, shade in ((-1, 1.0), (1, 0.75)):
        stone = tuple(int(c * shade) for c in (105, 100, 112))
        line = tuple(int(c * 0.6) for c in stone)
        draw.polygon([(x + side * w, y), (x, y - h), (x, y - h - wall), (x + side * w, y - wall)], fill=stone)
        for k in np.arange(0, wall, 14):
            draw.line((x + side * w, y - k, x, y - h - k), fill=line, width=2)
        for k in np.arange(0.125, 1, 0.25):
            u, v = x + side * w * k, y - h * (1 - k)
            draw.line((u, v, u, v - wall), fill=line, width=2)
    for side in (-1, 1):
        picture = flame(picture, x + side * w * 0.5, y - h / 2 - wall * 0.55, 18)
    return picture


NEON = [(255, 40, 160), (40, 220, 255), (170, 70, 255), (90, 255, 120), (255, 180, 40)]


def neon_sign(picture: Image.Image, rng: Rng, text: str) -> Image.Image:
    """Neon letters across the top, in two lines of light: the tube and its glow."""
    colour = NEON[rng.integers(len(NEON))]
    font = ImageFont.load_default(size=62 if len(text) <= 4 else 54)
    return glow(picture, lambda d: d.text((S / 2, 38), text.upper(), font=font, fill=colour, anchor="mm",
                                          stroke_width=1, stroke_fill=colour), 5)


def neon_room(rng: Rng) -> Image.Image:
    picture = gradient((22, 12, 45), jitter(rng, (48, 22, 80)))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 200, S, S), fill=(24, 16, 40))
    first, second = rng.permutation(len(NEON))[:2]
    for x in (18, S - 70):
        draw.rounded_rectangle((x, 110, x + 52, 224), 8, fill=jitter(rng, (45, 45, 75)))
        draw.rectangle((x + 8, 122, x + 44, 156), fill=NEON[rng.integers(len(NEON))])
    return glow(picture, lambda d: (d.line((0, 200, S, 200), fill=NEON[first], width=4),
                                    d.line((0, 72, S, 72), fill=NEON[second], width=4)), 7)


def mountains(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (130, 185, 235)), (225, 238, 248))
    draw = ImageDraw.Draw(picture)
    for x in (rng.uniform(20, 90), rng.uniform(160, 240), rng.uniform(90, 160)):
        top, half = rng.uniform(35, 80), rng.uniform(80, 110)
        draw.polygon([(x - half, 200), (x, top), (x + half, 200)], fill=jitter(rng, (110, 120, 140)))
        draw.polygon([(x - half * 0.25, top + (200 - top) * 0.25), (x, top), (x + half * 0.25, top + (200 - top) * 0.25)],
                     fill=(245, 248, 252))
    hill(draw, rng, 200, 8, jitter(rng, (85, 140, 85)))
    return picture


def clouds(rng: Rng) -> Image.Image:
    picture = gradient(jitter(rng, (70, 150, 230)), (175, 215, 245))
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        cloud(draw, rng, rng.uniform(0, S), rng.uniform(0, S), rng.uniform(45, 85))
    return picture


def oil_paints(rng: Rng) -> Image.Image:
    palette = [(200, 50, 60), (235, 165, 50), (60, 120, 190), (70, 150, 110), (140, 70, 150), (240, 220, 180)]
    picture = Image.new("RGB", (S, S), jitter(rng, palette[rng.integers(6)], 20))
    draw = ImageDraw.Draw(picture)
    for _ in range(70):
        x, y, a = rng.uniform(-20, S), rng.uniform(-20, S), rng.uniform(-0.6, 0.6)
        length = rng.uniform(40, 90)
        draw.line((x, y, x + length * np.cos(a), y + length * np.sin(a)), fill=jitter(rng, palette[rng.integers(6)], 15),
                  width=int(rng.integers(10, 22)))
    return picture


def gold_splashes(rng: Rng) -> Image.Image:
    base = [(30, 28, 34), (245, 238, 228), (20, 60, 70), (110, 25, 50)][rng.integers(4)]
    picture = Image.new("RGB", (S, S), jitter(rng, base, 8))
    draw = ImageDraw.Draw(picture)
    for _ in range(7):
        cx, cy = rng.uniform(0, S), rng.uniform(0, S)
        for _ in range(12):
            a, d = rng.uniform(0, 6.28), abs(rng.normal()) * 28
            x, y, r = cx + d * np.cos(a), cy + d * np.sin(a), rng.uniform(3, 16) / (1 + d / 25)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=jitter(rng, (222, 176, 62), 25))
    return picture


def library(rng: Rng) -> Image.Image:
    picture = Image.new("RGB", (S, S), jitter(rng, (85, 55, 38), 8))
    draw = ImageDraw.Draw(picture)
    palette = [(150, 50, 50), (50, 90, 130), (60, 110, 75), (190, 150, 70), (110, 70, 120), (200, 190, 170)]
    for y in range(-6, S, 66):
        x = 4.0
        while x < S - 4:
            width, height = rng.uniform(9, 18), rng.uniform(40, 54)
            draw.rectangle((x, y + 58 - height, x + width, y + 58), fill=jitter(rng, palette[rng.integers(6)]))
            x += width + 2
        draw.rectangle((0, y + 59, S, y + 66), fill=(120, 82, 55))
    return picture


def two_colours(rng: Rng) -> tuple[Rgb, Rgb]:
    names = list(COLOURS)
    first, second = rng.permutation(len(names))[:2]
    a, b = (np.array(COLOURS[names[i]]) for i in (first, second))
    return tuple((a * 0.5 + 122).astype(int).tolist()), tuple((b * 0.5 + 122).astype(int).tolist())


def polka_dots(rng: Rng) -> Image.Image:
    ground, dot = two_colours(rng)
    picture = Image.new("RGB", (S, S), ground)
    draw = ImageDraw.Draw(picture)
    for row, y in enumerate(range(0, S + 20, 32)):
        for x in range(0, S + 40, 40):
            u = x + (20 if row % 2 else 0)
            draw.ellipse((u - 9, y - 9, u + 9, y + 9), fill=dot)
    return picture


@dataclass(frozen=True)
class Background:
    draw: Callable[[Rng], Image.Image]
    phrases: tuple[str, ...]
    """How captions name it, as it stands after a comma; the first is the plain one."""
    ground: bool = False
    """Whether things stand on it and so throw a shadow."""
    weight: float = 1.0


def _named(draw: Callable[[Rng], Image.Image], phrases: str, ground: bool = False, weight: float = 1.0) -> Background:
    return Background(draw, tuple(phrases.split("|")), ground, weight)


BACKGROUNDS: dict[str, Background] = {
    **{colour: _named(plain(colour), f"{colour} background|plain {colour} background", weight=0.8) for colour in COLOURS},
    "snow forest": _named(snow_forest, "snow forest|snowy forest|in a snow forest", True, 1.5),
    "forest": _named(forest, "forest|in a forest|deep forest", True),
    "meadow": _named(meadow, "meadow|in a green meadow|green hills", True),
    "beach": _named(beach, "beach|on the beach|by the sea", True),
    "desert": _named(desert, "desert|in the desert", True),
    "underwater": _named(underwater, "underwater|in the ocean|under the sea"),
    "night sky": _named(night_sky, "night sky|at night|starry night", True),
    "space": _named(space, "space|in outer space|galaxy"),
    "sunset": _named(sunset, "sunset|at sunset", True),
    "city at night": _named(city_night, "city at night|night city", True),
    "kitchen": _named(kitchen, "kitchen|in a kitchen|in a luxurious Michelin kitchen style|luxurious kitchen", True, 1.5),
    "wooden table": _named(wooden_table, "wooden table|on a wooden table", True, 1.3),
    "dungeon": _named(dungeon, "dungeon|in a dungeon|dungeon with torches", True),
    "isometric": _named(isometric_tile, "isometric|3d isometric|isometric tile", True, 1.2),
    "isometric dungeon": _named(isometric_dungeon, "3d isometric dungeon game|isometric dungeon|3d isometric dungeon", True, 1.5),
    "neon room": _named(neon_room, "video game room|neon room|neon lights", True, 1.5),
    "mountains": _named(mountains, "mountains|in the mountains|mountain landscape", True),
    "clouds": _named(clouds, "clouds|in the clouds|blue sky with clouds"),
    "oil paints": _named(oil_paints, "oil paints|painting, oil paints|colorful paint strokes", False, 1.3),
    "gold splashes": _named(gold_splashes, "gold splashes|golden splashes|splashes of gold", False, 1.3),
    "library": _named(library, "library|in a library|bookshelves"),
    "polka dots": _named(polka_dots, "polka dots|polka dot background"),
}
