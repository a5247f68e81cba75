from __future__ import annotations

import numpy as np

from pocket import text, tokenizer
from pocket.data import captions, compose, scenes


def test_a_scene_and_its_picture_follow_from_seed_and_index() -> None:
    for index in (0, 7, 123):
        first, again = scenes.sample(5, index), scenes.sample(5, index)
        assert first == again
        assert captions.captions(first, 3) == captions.captions(again, 3)
        assert np.array_equal(np.asarray(compose.render(first)), np.asarray(compose.render(again)))
    assert scenes.sample(5, 0) != scenes.sample(6, 0)


def test_every_subject_draws() -> None:
    for subject in scenes.subjects():
        assert compose.render(scenes.Scene(1, "white", subject)).size == (128, 128)


def test_training_never_sees_held_out_combinations() -> None:
    assert all(scenes.allowed(scenes.sample(1, index)) for index in range(500))
    assert not any(scenes.allowed(scenes.sample(1, index, split="held-out")) for index in range(100))


def test_ids_are_in_clips_order_and_padded_as_sdxl_pads() -> None:
    first, second = tokenizer.opened()
    end = len(first) - 1
    assert first.convert_tokens_to_ids("!") == 0
    assert first.bos_token_id == end - 1 and first.eos_token_id == end
    ids = tokenizer.ids(["red apple, beach"], (first, second))
    assert ids.shape == (2, 1, tokenizer.LENGTH)
    assert ids[0, 0, -1] == end and ids[1, 0, -1] == 0
    assert text.second_ids(ids[0], end).equal(ids[1])


def test_the_articles_words_are_single_tokens() -> None:
    first, _ = tokenizer.opened()
    for word in ("cheesecake", "dendrobium", "manicure", "headdress", "isometric", "dungeon"):
        assert first.tokenize(word) == [word + "</w>"]
