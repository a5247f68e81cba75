"""A random CLIP, small enough to be committed, and what transformers makes of pictures and texts with it.

Command: python tests/goldens/clip.py     (written: data/goldens/tiny-clip/, clip.safetensors; run tokenizer.py first)

The towers differ in width and heads; weights are fp16. Pictures are wider, higher and smaller than the 32 pixels that the
tower sees, so that scaling down, scaling up and cutting all count.
"""

import shutil

import numpy as np
import torch
from common import GOLDENS, deterministic, save_tensors
from PIL import Image
from tiny import vivid
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

FOLDER = GOLDENS / "tiny-clip"
TOKENIZER = GOLDENS / "tokenizers" / "tokenizer"
TEXTS = ["gold fish", "a snow forest, neon", "", "sunflower " * 80]
SIZES = {"wide": (45, 70), "high": (61, 40), "small": (20, 24), "same": (32, 32)}


def picture(index, height, width):
    """Smooth shapes and hard edges, as bytes `[height, width, 3]`."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = np.stack([np.sin((3 + c + index) * x * 6) * np.cos((2 + index) * y * 5 + c) for c in range(3)], -1)
    edges = ((x * 7).astype(int) + (y * 5).astype(int)) % 2 * 0.6
    noise = np.random.default_rng(index).uniform(-0.2, 0.2, waves.shape)
    return np.clip(127.5 + 110 * (0.6 * waves + edges[..., None] - 0.3 + noise), 0, 255).round().astype(np.uint8)


def main():
    deterministic()
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    vocab = len(tokenizer)
    config = CLIPConfig(
        text_config=dict(hidden_size=32, intermediate_size=56, num_attention_heads=2, num_hidden_layers=2, vocab_size=vocab,
                         max_position_embeddings=77, bos_token_id=vocab - 2, eos_token_id=vocab - 1, pad_token_id=vocab - 1),
        vision_config=dict(hidden_size=48, intermediate_size=72, num_attention_heads=3, num_hidden_layers=2, image_size=32,
                           patch_size=8, hidden_act="gelu"),
        projection_dim=24, attn_implementation="eager")
    model, generator = CLIPModel(config), torch.Generator().manual_seed(5)
    for tower in (model.text_model, model.vision_model, model.text_projection, model.visual_projection):
        vivid(tower, generator)
    model = model.eval().half()
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    shutil.rmtree(FOLDER, ignore_errors=True)
    model.save_pretrained(FOLDER)
    processor.save_pretrained(FOLDER)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        if (TOKENIZER / name).exists():
            shutil.copy(TOKENIZER / name, FOLDER / name)

    model = model.float()
    tensors = {}
    with torch.no_grad():
        for index, (name, size) in enumerate(SIZES.items()):
            pixels = picture(index, *size)
            seen = processor(Image.fromarray(pixels), return_tensors="pt").pixel_values
            tensors[f"picture_{name}"] = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
            tensors[f"pixel_values_{name}"] = seen[0]
            tensors[f"image_embeds_{name}"] = model.get_image_features(pixel_values=seen).pooler_output[0]
        ids = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=77, return_tensors="pt").input_ids
        tensors["text_embeds"] = model.get_text_features(input_ids=ids).pooler_output
    save_tensors("clip.safetensors", tensors, request={"texts": TEXTS})


if __name__ == "__main__":
    main()
