"""A scene becomes a picture of 128×128 pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from .backgrounds import BACKGROUNDS, NEON, SIDE, Rng, glow, neon_sign
from .glyphs import fit, glyph, luminance, place
from .scenes import Scene

TILES = {"flowers": "🌺🌸🌺🌺", "leaves": "🍃🍀🌿", "candy": "🍬🍭", "strawberries": "🍓", "fire": "🔥", "cheese": "🧀"}
RAMPS = {
    "gold": [(70, 40, 5), (190, 130, 25), (250, 215, 90), (255, 250, 220)],
    "ice": [(40, 90, 150), (120, 185, 230), (200, 235, 250), (250, 254, 255)],
    "chocolate": [(35, 18, 10), (85, 48, 28), (130, 80, 50), (185, 130, 90)],
    "stone": [(40, 40, 44), (100, 100, 104), (150, 150, 152), (205, 205, 205)],
    "wood": [(60, 32, 14), (130, 80, 40), (180, 125, 75), (220, 175, 125)],
    "jade": [(5, 50, 35), (20, 120, 80), (90, 190, 140), (210, 245, 225)],
    "silver": [(30, 34, 44), (110, 118, 130), (190, 198, 210), (255, 255, 255)],
}


def _ramp(light: np.ndarray, stops: list[tuple[int, int, int]]) -> np.ndarray:
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(light, at, [stop[c] for stop in stops]) for c in range(3)], -1)


def clad(picture: Image.Image, material: str, rng: Rng) -> Image.Image:
    """The same shape made out of something else: the old luminance stays as relief under the new colours."""
    alpha, light = picture.getchannel("A"), luminance(picture)
    opaque = light[np.asarray(alpha) > 128]
    low, high = np.percentile(opaque, (4, 96)) if opaque.size else (0.0, 1.0)
    light = np.clip((light - low) / max(high - low, 0.15), 0, 1)
    if material in RAMPS:
        if material in ("stone", "wood"):
            grain = rng.normal(size=(24, 4 if material == "wood" else 24)).astype(np.float32)
            light = light + 0.09 * np.asarray(Image.fromarray(grain).resize(picture.size, Image.Resampling.BICUBIC))
        colours = _ramp(np.clip(light, 0, 1), RAMPS[material])
    elif material == "rainbow":
        hue = np.linspace(0, 235, picture.width)[None] * np.ones((picture.height, 1))
        hsv = np.stack([hue, np.full_like(hue, 190), 110 + 145 * light], -1).astype(np.uint8)
        colours = np.asarray(Image.fromarray(hsv, "HSV").convert("RGB"))
    else:
        tile = Image.new("RGB", picture.size, {"flowers": (190, 60, 120), "leaves": (60, 130, 60), "fire": (200, 60, 20),
                                               "cheese": (250, 200, 70)}.get(material, (220, 90, 100)))
        for y in range(0, picture.height + 12, 19):
            for x in range(0, picture.width + 12, 19):
                piece = glyph(str(rng.choice(list(TILES[material]))))
                place(tile, fit(piece, 27, float(rng.uniform(-40, 40))), (x + rng.uniform(-4, 4), y + rng.uniform(-4, 4)))
        edge = np.asarray(alpha.filter(ImageFilter.MinFilter(5)).filter(ImageFilter.GaussianBlur(2)), np.float32) / 255
        colours = np.asarray(tile) * ((0.55 + 0.55 * light) * (0.6 + 0.4 * edge))[..., None]
    clothed = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)).convert("RGBA")
    clothed.putalpha(alpha)
    return clothed


def crowned(picture: Image.Image, headwear: str, rng: Rng) -> Image.Image:
    """A picture grown upward by what is worn on the head."""
    width, height = picture.size
    grown = Image.new("RGBA", (width, height + height // 3), (0, 0, 0, 0))
    top = height // 3

    def wear(piece: Image.Image, x: float, y: float) -> None:
        layer = Image.new("RGBA", grown.size, (0, 0, 0, 0))
        place(layer, piece, (x, y))
        grown.alpha_composite(layer)

    if headwear == "feathers":
        for k in (-2, -1, 0, 1, 2):
            wear(fit(glyph("🪶"), width * 0.5, 45 - 24 * k), width * (0.5 + 0.17 * k), top + height * (0.02 + 0.035 * k * k))
    grown.alpha_composite(picture, (0, top))
    if headwear in ("crown", "top hat"):
        wear(fit(glyph("👑" if headwear == "crown" else "🎩"), width * 0.62), width / 2, top + height * 0.0)
    elif headwear == "flower wreath":
        for k in (-2, -1, 0, 1, 2):
            flower = str(rng.choice(list("🌺🌸🌼🌹")))
            wear(fit(glyph(flower), width * 0.3), width * (0.5 + 0.19 * k), top + height * (0.08 + 0.035 * k * k))
    elif headwear == "feathers":
        wear(fit(glyph("💎"), width * 0.2), width / 2, top + height * 0.13)
    return grown.crop(grown.getbbox())


def tattooed(picture: Image.Image, rng: Rng) -> Image.Image:
    """Glowing lines on the lower half of the face."""
    width, height = picture.size
    first, second = (NEON[i] for i in rng.permutation(2))

    def lines(draw: ImageDraw.ImageDraw) -> None:
        for side, colour in ((-1, first), (1, second)):
            x, y = width * (0.5 + 0.21 * side), height * 0.66
            for k in range(3):
                r = width * (0.05 + 0.05 * k)
                draw.arc((x - r, y - r, x + r, y + r), 20 + 140 * (side < 0), 200 + 140 * (side < 0), fill=colour, width=4)
    glowing = glow(picture.convert("RGB"), lines, 4).convert("RGBA")
    glowing.putalpha(picture.getchannel("A"))
    return glowing


def shadow(canvas: Image.Image, x: float, foot: float, width: float) -> Image.Image:
    shade = Image.new("L", canvas.size, 0)
    ImageDraw.Draw(shade).ellipse((x - width * 0.45, foot - width * 0.09, x + width * 0.45, foot + width * 0.06), fill=105)
    return Image.composite(Image.new("RGB", canvas.size), canvas, shade.filter(ImageFilter.GaussianBlur(3)))


def _put(canvas: Image.Image, picture: Image.Image, x: float, y: float, grounded: bool) -> Image.Image:
    if grounded:
        canvas = shadow(canvas, x, y + picture.height / 2 - 2, picture.width)
    place(canvas, picture, (x, y))
    return canvas


def _stylise(picture: Image.Image, style: str, rng: Rng) -> Image.Image:
    if style == "pixel art":
        return picture.resize((32, 32), Image.Resampling.BOX).quantize(24).convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)
    if style == "oil":
        return picture.filter(ImageFilter.ModeFilter(5)).filter(ImageFilter.ModeFilter(5))
    grey = picture.convert("L")
    if style == "black and white":
        return ImageOps.autocontrast(grey).convert("RGB")
    if style == "sepia":
        return ImageOps.colorize(grey, (45, 28, 15), (250, 232, 200))
    edges = ImageChops.difference(picture.filter(ImageFilter.MaxFilter(3)), picture.filter(ImageFilter.MinFilter(3))).convert("L")
    edges = edges.point(lambda v: min(255, int(v * 2.2)))
    if style == "sketch":
        return ImageOps.colorize(ImageOps.invert(edges), (45, 45, 52), (250, 248, 242))
    colour = Image.new("RGB", picture.size, NEON[rng.integers(len(NEON))])
    return glow(Image.new("RGB", picture.size, (8, 6, 16)), lambda d: d.bitmap((0, 0), edges, fill=colour.getpixel((0, 0))), 2)


def _light(picture: Image.Image, effect: str, rng: Rng) -> Image.Image:
    values = np.asarray(picture, np.float32)
    y, x = np.mgrid[-1:1:SIDE * 1j, -1:1:SIDE * 1j]
    if effect == "cinematic":
        vignette = np.clip(1.12 - 0.42 * (x**2 + y**2), 0, 1.1)[..., None]
        values = ((values - 128) * 1.15 + 122) * vignette * np.array([1.04, 0.98, 0.98]) + np.array([0, 5, 12])
    elif effect == "rays":
        slant = np.sin((x * 0.9 + y * 0.6 + rng.uniform(-1, 1)) * 9) * np.clip(0.7 - 0.5 * y, 0, 1)
        values = values + 62 * np.clip(slant, 0, 1)[..., None] * np.array([1, 0.96, 0.8])
    elif effect == "hdr":
        grey = values.mean(-1, keepdims=True)
        values = (grey + (values - grey) * 1.5 - 128) * 1.1 + 128
    elif effect == "warm":
        values = values * np.array([1.1, 0.95, 0.72]) + np.array([22, 10, 0])
    elif effect == "fog":
        values = values * 0.55 + 0.45 * np.array([205, 212, 220])
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def storybook(picture: Image.Image) -> Image.Image:
    """The custom model's look: flat patches of warm colour inside ink outlines, on paper."""
    flat = picture.filter(ImageFilter.ModeFilter(5)).filter(ImageFilter.SMOOTH)
    edges = ImageChops.difference(picture.filter(ImageFilter.MaxFilter(3)), picture.filter(ImageFilter.MinFilter(3))).convert("L")
    ink = np.clip(np.asarray(edges.filter(ImageFilter.GaussianBlur(0.6)), np.float32) * 2.4 - 60, 0, 215)[..., None] / 255
    values = np.asarray(flat, np.float32)
    paper = 0.72 * values + 0.28 * values.mean(-1, keepdims=True)
    paper = paper * np.array([1.0, 0.93, 0.78]) * 0.86 + np.array([38, 30, 18])
    return Image.fromarray(np.clip(paper * (1 - ink) + np.array([46, 30, 24]) * ink, 0, 255).astype(np.uint8))


def render(scene: Scene, look: str = "plain") -> Image.Image:
    """Background, subject and what belongs to it, light, style, look: in this order."""
    rng = np.random.default_rng(scene.seed)
    background = BACKGROUNDS[scene.background]
    canvas = background.draw(rng)
    if scene.sign:
        canvas = neon_sign(canvas, rng, scene.sign)
    canvas = canvas.reduce(2)
    if "depth of field" in scene.effects or scene.view == "macro":
        canvas = canvas.filter(ImageFilter.GaussianBlur(4))
    grounded = background.ground and scene.view == "plain"

    if scene.subject is not None:
        main = glyph(scene.subject.emoji)
        if scene.tattoos:
            main = tattooed(main, rng)
        if scene.material:
            main = clad(main, scene.material, rng)
        if scene.headwear:
            main = crowned(main, scene.headwear, rng)
        flip = bool(rng.random() < 0.25)
        angle = float(rng.uniform(-12, 12)) if rng.random() < 0.15 else 0.0
        if scene.relation == "single":
            side = {"plain": rng.uniform(76, 96), "close": rng.uniform(116, 136), "macro": rng.uniform(104, 120)}[scene.view]
            if scene.sign or scene.background == "isometric dungeon":
                side *= 0.78
            picture = fit(main, side, angle, flip)
            y = 112 - picture.height / 2 + rng.uniform(-4, 4) if grounded else 64 + rng.uniform(-7, 7)
            canvas = _put(canvas, picture, 64 + rng.uniform(-8, 8), max(y, picture.height / 2 + 2) if scene.view == "plain" else y, grounded)
        elif scene.relation == "pair":
            for x, piece in ((35, main), (93, glyph(scene.others[0].emoji))):
                picture = fit(piece, rng.uniform(50, 60))
                canvas = _put(canvas, picture, x + rng.uniform(-3, 3), (106 if grounded else 92) - picture.height / 2, grounded)
        elif scene.relation == "many":
            for k in range(scene.count):
                picture = fit(main, {2: 58, 3: 42}[scene.count] * rng.uniform(0.92, 1.02), flip=flip)
                x = SIDE * (k + 0.5) / scene.count + rng.uniform(-2, 2)
                canvas = _put(canvas, picture, x, (104 if grounded else 90) - picture.height / 2, grounded)
        else:
            picture = fit(main, rng.uniform(72, 84), 0, flip)
            canvas = _put(canvas, picture, 64 + rng.uniform(-5, 5), 100 - picture.height / 2, grounded)
            for other, x in zip(scene.others, (24, 104, 64)):
                picture = fit(glyph(other.emoji), rng.uniform(34, 40))
                canvas = _put(canvas, picture, x + rng.uniform(-3, 3), 122 - picture.height / 2, grounded)

    for effect in scene.effects:
        if effect != "depth of field":
            canvas = _light(canvas, effect, rng)
    if scene.style:
        canvas = _stylise(canvas, scene.style, rng)
    return storybook(canvas) if look == "storybook" else canvas
