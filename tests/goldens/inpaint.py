"""Inpainting with the pocket base by diffusers, in float32 on the CPU.

Command: python tests/goldens/inpaint.py     (written: data/goldens/run-inpaint-pocket.safetensors; run runs.py first)

The picture of run-pocket-lightning and a soft mask, two seeds, one generator a picture: the ancestral run shows who draws
what in which order. Tensors: mask_image [1,3,128,128], and for each run NAME/timesteps [n], NAME/latents [n+1,B,4,16,16].
"""

import torch
from common import GOLDENS, POCKET, deterministic, save_tensors
from diffusers import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionXLInpaintPipeline,
)
from safetensors.torch import load_file

RUNS = {
    "ancestral": (EulerAncestralDiscreteScheduler, dict(num_inference_steps=4, strength=0.75, guidance_scale=3.0)),
    "euler": (EulerDiscreteScheduler, dict(num_inference_steps=3, strength=1.0, guidance_scale=2.0)),
    "lcm": (LCMScheduler, dict(num_inference_steps=2, strength=1.0, guidance_scale=0.0)),
}
SEEDS = [5, 2**40 + 6]


def colourful_mask():
    """A soft spot whose edge is cut at another place in each colour: only the right luma gives the right mask."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    distance = ((x - 70) ** 2 + (y - 60) ** 2).sqrt()
    return torch.stack([(1.6 - distance / size).clamp(0, 1) for size in (30, 45, 20)])[None]


def main():
    deterministic()
    picture = load_file(GOLDENS / "run-pocket-lightning.safetensors")["image"]
    mask = colourful_mask()
    # PIL's grey, which diffusers takes for a picture file; tensors it wants grey already.
    grey = (mask * torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
    pipe = StableDiffusionXLInpaintPipeline.from_pretrained(POCKET / "base", torch_dtype=torch.float32, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    tensors = {"mask_image": mask}
    config = pipe.scheduler.config
    for name, (kind, run) in RUNS.items():
        pipe.scheduler = kind.from_config({**config, "clip_sample": False, "set_alpha_to_one": False}, timestep_spacing="trailing")
        latents, timesteps, step = [], [], pipe.scheduler.step

        def recording(output, timestep, sample, *args, **kwargs):
            latents.append(sample.clone())
            timesteps.append(float(timestep))
            return step(output, timestep, sample, *args, **kwargs)

        pipe.scheduler.step = recording
        # The pipeline asks the step's signature whether to hand it the generators.
        recording.__wrapped__ = step
        result = pipe(
            ["sunflower, meadow"] * len(SEEDS),
            image=picture.repeat(len(SEEDS), 1, 1, 1),
            mask_image=grey.clone(),
            height=128,
            width=128,
            generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
            output_type="latent",
            **run,
        ).images
        tensors[f"{name}/timesteps"] = torch.tensor(timesteps)
        tensors[f"{name}/latents"] = torch.stack([*latents, result])
        print(name, timesteps, list(tensors[f"{name}/latents"].shape))
    save_tensors("run-inpaint-pocket.safetensors", tensors, seeds=SEEDS, runs={name: run for name, (_, run) in RUNS.items()})


if __name__ == "__main__":
    main()
