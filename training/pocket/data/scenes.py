"""What is to be seen in one picture, as data: chosen here, drawn by `compose`, told by `captions`.

`sample(seed, index)` is a pure function, so a data set is a seed and a length. One in twenty of the pairs
(subject, background) and (subject, material) is never drawn for training: those are the held-out captions
that the metrics use.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from .backgrounds import BACKGROUNDS, Rng


@dataclass(frozen=True)
class Subject:
    emoji: str
    kind: str
    names: tuple[str, ...]


@cache
def subjects() -> tuple[Subject, ...]:
    table = Path(__file__).with_name("subjects.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return tuple(Subject(emoji, kind, tuple(names.split("|"))) for emoji, kind, names in rows)


@cache
def by_name() -> dict[str, Subject]:
    return {name: subject for subject in reversed(subjects()) for name in subject.names}


MATERIALS: dict[str, tuple[str, ...]] = {
    "flowers": ("dendrobium flowers", "flowers", "orchid flowers"), "leaves": ("leaves", "green leaves"),
    "candy": ("candy", "sweets"), "strawberries": ("strawberries",), "fire": ("fire", "flames"),
    "gold": ("gold", "shiny gold"), "ice": ("ice", "frozen ice"), "chocolate": ("chocolate",), "stone": ("stone", "grey stone"),
    "wood": ("wood", "carved wood"), "jade": ("jade", "green jade"), "silver": ("silver", "chrome"),
    "rainbow": ("rainbow colors",), "cheese": ("cheese",),
}
HEADWEAR: dict[str, tuple[str, ...]] = {
    "crown": ("wearing a crown", "crown", "with a crown"), "top hat": ("wearing a top hat", "with a top hat"),
    "feathers": ("feather headdress", "headdress", "wearing a headdress"),
    "flower wreath": ("flower headdress", "headdress of flowers", "flowers on the head"),
}
TATTOOS = ("neon tattoos", "neon iridescent tattoos", "glowing tattoos")
STYLES: dict[str, tuple[str, ...]] = {
    "pixel art": ("pixel art",), "sketch": ("pencil sketch", "pencil drawing"), "oil": ("oil painting",),
    "black and white": ("black and white", "black and white photo"), "neon outline": ("neon outline", "neon lines"),
    "sepia": ("sepia", "vintage photo"),
}
EFFECTS: dict[str, tuple[str, ...]] = {
    "depth of field": ("depth of field", "blurred background", "bokeh"), "cinematic": ("cinematic", "cinematic lighting"),
    "rays": ("volumetric lighting", "light rays"), "hdr": ("HDR", "vivid colors", "professional color palette"),
    "warm": ("golden hour", "warm light"), "fog": ("foggy", "fog", "mist"),
}
SIGNS = ("arcade", "open", "game", "love")

FAVOURITES = ("woman", "cheesecake", "fish", "nail polish", "joystick", "alien monster", "blueberries", "castle", "honey pot",
              "hibiscus", "game controller", "painter palette")
"""Drawn four times as often: the article's six prompts rest on them."""


@dataclass(frozen=True)
class Scene:
    seed: int
    background: str
    subject: Subject | None = None
    relation: str = "single"
    """single, pair, extras, many or none"""
    others: tuple[Subject, ...] = ()
    count: int = 1
    view: str = "plain"
    """plain, close or macro"""
    material: str | None = None
    headwear: str | None = None
    tattoos: bool = False
    style: str | None = None
    effects: tuple[str, ...] = field(default=())
    sign: str | None = None


def held_out(subject: Subject, other: str) -> bool:
    return zlib.crc32(f"{subject.names[0]}/{other}".encode()) % 20 == 0


def allowed(scene: Scene) -> bool:
    """Whether training may see the scene."""
    if scene.subject is None:
        return True
    return not (held_out(scene.subject, scene.background) or scene.material and held_out(scene.subject, scene.material))


@cache
def _weights() -> tuple[np.ndarray, np.ndarray]:
    subject = np.array([4.0 if s.names[0] in FAVOURITES else 1.0 for s in subjects()])
    background = np.array([b.weight for b in BACKGROUNDS.values()])
    return subject / subject.sum(), background / background.sum()


def _choose(rng: Rng, items, chance: float) -> str | None:
    return list(items)[rng.integers(len(items))] if rng.random() < chance else None


def _propose(rng: Rng) -> Scene:
    subject_weights, background_weights = _weights()
    names = list(BACKGROUNDS)
    background = names[rng.choice(len(names), p=background_weights)]
    main, *others = (subjects()[i] for i in rng.choice(len(subjects()), 4, replace=False, p=subject_weights))
    relation = ("single", "extras", "pair", "many", "none")[rng.choice(5, p=(0.80, 0.06, 0.06, 0.04, 0.04))]
    sign = _choose(rng, SIGNS, 0.6 if background == "neon room" else 0.01)
    effects = tuple(e for e in EFFECTS if rng.random() < 0.035)
    seed = int(rng.integers(2**31))
    style = _choose(rng, STYLES, 0.07)
    if relation == "none":
        return Scene(seed, background, relation=relation, effects=effects, sign=sign, style=style)
    if relation in ("extras", "pair"):
        others = others[: 1 if relation == "pair" else int(rng.integers(1, 4))]
        if main.kind == "food" and relation == "extras":
            foods = [s for s in subjects() if s.kind == "food" and s != main]
            others = [foods[i] for i in rng.choice(len(foods), len(others), replace=False)]
        return Scene(seed, background, main, relation, tuple(others), effects=effects, sign=sign, style=style)
    if relation == "many":
        return Scene(seed, background, main, relation, count=int(rng.integers(2, 4)), effects=effects, style=style)
    head = main.kind in ("face", "person")
    return Scene(
        seed, background, main,
        view=("plain", "close", "macro")[rng.choice(3, p=(0.86, 0.08, 0.06))],
        material=_choose(rng, MATERIALS, 0.30 if main.names[0] == "fish" else 0.08),
        headwear=_choose(rng, HEADWEAR, 0.22 if head else 0.01), tattoos=bool(rng.random() < (0.08 if head else 0)),
        style=style, effects=effects, sign=sign,
    )


def sample(seed: int, index: int, *, split: str = "train") -> Scene:
    """The scene number `index` of the data set `seed`; split `held-out` draws only what training never saw."""
    rng = np.random.default_rng((seed, index, 0 if split == "train" else 1))
    while True:
        scene = _propose(rng)
        if split == "train" and allowed(scene):
            return scene
        if split == "held-out" and scene.relation == "single" and not allowed(scene):
            return scene
