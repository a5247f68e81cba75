"""A scene becomes words: many ways to say the same, and quality words that change nothing, as prompts have them."""

from __future__ import annotations

import numpy as np

from .backgrounds import BACKGROUNDS, Rng
from .scenes import EFFECTS, HEADWEAR, MATERIALS, STYLES, TATTOOS, Scene, Subject

FLUFF = ("8k", "highly detailed", "ultra detailed", "intricate", "ultrarealistic", "natural features", "high resolution",
         "natural lighting", "shot on IMAX Laser", "beautiful", "masterpiece", "sharp")
NUMBERS = {2: "two", 3: "three"}


def _one(rng: Rng, options) -> str:
    return str(options[rng.integers(len(options))])


def _name(rng: Rng, subject: Subject) -> str:
    return subject.names[0] if rng.random() < 0.6 else _one(rng, subject.names)


def _article(rng: Rng, name: str) -> str:
    if name.endswith("s") or rng.random() < 0.5:
        return name
    return ("an " if name[0] in "aeiou" else "a ") + name


def _background(rng: Rng, scene: Scene) -> str | None:
    if rng.random() < 0.08 and scene.subject is not None:
        return None
    phrases = BACKGROUNDS[scene.background].phrases
    return phrases[0] if rng.random() < 0.45 else _one(rng, phrases)


def caption(scene: Scene, rng: Rng) -> str:
    parts: list[str] = []
    subject = scene.subject
    if subject is not None:
        name = _name(rng, subject)
        if scene.material:
            material = _one(rng, MATERIALS[scene.material])
            told = _one(rng, (f"{_article(rng, name)} made out of {material}", f"{_article(rng, name)} made of {material}"))
        elif scene.relation == "many":
            told = f"{NUMBERS[scene.count]} {name}" if rng.random() < 0.5 else f"{NUMBERS[scene.count]} of {name}"
        elif scene.relation == "pair":
            other = _name(rng, scene.others[0])
            told = _one(rng, (f"{_article(rng, name)} and {_article(rng, other)}", f"{_article(rng, name)} next to {_article(rng, other)}"))
        elif scene.relation == "extras":
            others = [_name(rng, other) for other in scene.others]
            joined = others[0] if len(others) == 1 else ", ".join(others[:-1]) + " and " + others[-1]
            told = _one(rng, (f"{_article(rng, name)} with {joined}", f"{name}, {joined}"))
        else:
            told = _article(rng, name)
        if scene.view == "close":
            told = _one(rng, (f"close up, {told}", f"close up of {told}"))
        elif scene.view == "macro":
            told = f"macro photography of {told}"
        elif subject.kind == "food" and rng.random() < 0.2:
            told = f"food photography, {told}"
        elif rng.random() < 0.06:
            told = f"a photo of {told}"
        parts.append(told)
        if scene.headwear:
            parts.append(_one(rng, HEADWEAR[scene.headwear]))
        if scene.tattoos:
            parts.append(_one(rng, TATTOOS))
    background = _background(rng, scene)
    if background:
        if parts and background.startswith(("in ", "on ", "at ", "by ", "under")) and len(parts) == 1 and rng.random() < 0.5:
            parts[-1] += f" {background}"
        else:
            parts.append(background)
    if scene.sign:
        sign = f'big neon sign that says "{scene.sign}"'
        if parts and rng.random() < 0.5:
            parts[-1] += f" with a {sign}"
        else:
            parts.append(sign)
    effects = [_one(rng, EFFECTS[effect]) for effect in scene.effects]
    parts += [effects[i] for i in rng.permutation(len(effects))]
    if scene.style:
        style = _one(rng, STYLES[scene.style])
        if rng.random() < 0.4 and parts:
            parts[0] = f"{style} of {parts[0]}"
        else:
            parts.append(style)
    if rng.random() < 0.3:
        parts += [_one(rng, FLUFF) for _ in range(int(rng.integers(1, 4)))]
    return ", ".join(parts)


def captions(scene: Scene, count: int) -> list[str]:
    """`count` tellings of one scene; the first is always the same for the same scene."""
    rng = np.random.default_rng((scene.seed, 7))
    return [caption(scene, rng) for _ in range(count)]
