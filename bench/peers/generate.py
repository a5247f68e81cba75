"""One picture by diffusers, from process start to PNG: generate.py OUT. Run in the kit's folder."""

import sys

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
from safetensors.torch import load_file

pipe = StableDiffusionXLPipeline.from_pretrained("models/pocket/base", torch_dtype=torch.float32)
pipe.unet.load_state_dict(load_file("models/pocket/lightning_4step_unet.safetensors"))
pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
pipe.set_progress_bar_config(disable=True)
image = pipe(
    "sunflower, meadow",
    num_inference_steps=4,
    guidance_scale=0,
    generator=torch.Generator("cpu").manual_seed(7),
).images[0]
image.save(sys.argv[1])
