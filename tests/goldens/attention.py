"""What the pocket base's U-Net attends to and computes inside, by diffusers: an attention processor that keeps the
probabilities of each head, and forward hooks that keep the blocks' outputs.

Command: python tests/goldens/attention.py     (written: data/goldens/attention.safetensors)
"""

import torch
from common import POCKET, deterministic, save_tensors
from diffusers import StableDiffusionXLPipeline

# The block whose layers have two heads, so that heads cannot be mistaken for each other.
CROSS = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
SELF = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
WIDE = "up_blocks.1.attentions.0.transformer_blocks.0.attn2"
BLOCKS = ["down_blocks.1", "mid_block.attentions.0"]


class Storing:
    """diffusers' AttnProcessor, which spells the probabilities out; they are kept."""

    def __init__(self, name, kept):
        self.name, self.kept = name, kept

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(context))
        value = attn.head_to_batch_dim(attn.to_v(context))
        scores = attn.get_attention_scores(query, key, attention_mask)
        self.kept[self.name] = scores.unflatten(0, (-1, attn.heads))
        return attn.to_out[0](attn.batch_to_head_dim(torch.bmm(scores, value)))


def main():
    deterministic()
    pipe = StableDiffusionXLPipeline.from_pretrained(POCKET / "base", torch_dtype=torch.float32, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    kept = {}
    layers = {name: module for name, module in pipe.unet.named_modules() if name in (CROSS, SELF, WIDE)}
    for name, module in layers.items():
        module.set_processor(Storing(name, kept))

    def keep(name):
        def hook(_module, _inputs, output):
            first = output[0] if isinstance(output, tuple) else output
            kept[name] = getattr(first, "sample", first)

        return hook

    for name, module in pipe.unet.named_modules():
        if name in BLOCKS:
            module.register_forward_hook(keep(name))

    # Not square, so that rows and columns cannot be mistaken for each other; guided, so that there are two halves.
    first = {}

    def on_step(_pipe, index, _timestep, tensors):
        if index == 0:
            first.update({name: value.clone() for name, value in kept.items()})
        return tensors

    pipe("red apple, wooden table", num_inference_steps=2, guidance_scale=4.0, width=128, height=96,
         generator=torch.Generator().manual_seed(5), callback_on_step_end=on_step, output_type="latent")
    first[WIDE] = first[WIDE].mean(1, keepdim=True)
    save_tensors("attention.safetensors", first, request={"steps": 2})


if __name__ == "__main__":
    main()
