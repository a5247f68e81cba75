"""A run of diffusers that starts from a picture, in float32 on the CPU.

Command: python tests/goldens/image_start.py     (written: data/goldens/run-image-start.safetensors; run tiny.py first)
"""

import torch
from common import GOLDENS, deterministic, save_tensors
from diffusers import StableDiffusionXLImg2ImgPipeline
from safetensors.torch import load_file


def main():
    deterministic()
    picture = load_file(GOLDENS / "run-tiny-sdxl.safetensors")["image"]
    pipe = StableDiffusionXLImg2ImgPipeline.from_pretrained(GOLDENS / "tiny-sdxl", torch_dtype=torch.float32, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    latents, step = [], pipe.scheduler.step

    def recording(output, timestep, sample, *args, **kwargs):
        latents.append(sample.clone())
        return step(output, timestep, sample, *args, **kwargs)

    pipe.scheduler.step = recording
    seeds = [5, 6]
    run = dict(image=picture.repeat(2, 1, 1, 1), strength=0.6, num_inference_steps=5, guidance_scale=3)
    generator = [torch.Generator().manual_seed(seed) for seed in seeds]
    result = pipe(["snow"] * 2, **run, generator=generator, output_type="latent").images
    latents.append(result)
    encoded = pipe.vae.encode(2 * picture - 1).latent_dist.mode() * pipe.vae.config.scaling_factor
    tensors = {"init_image": picture, "encoded": encoded.detach(), "latents": torch.stack(latents), "timesteps": pipe.scheduler.timesteps[-3:].float()}
    save_tensors("run-image-start.safetensors", tensors)
    print([list(tensor.shape) for tensor in tensors.values()], tensors["timesteps"])


if __name__ == "__main__":
    main()
