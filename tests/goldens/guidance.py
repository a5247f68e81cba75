"""Guidance rescale, LCM's guidance embedding and noise on a clean latent, by diffusers.

Command: python tests/goldens/guidance.py     (written: data/goldens/guidance.safetensors)
"""

import torch
from common import save_tensors
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionXLPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import rescale_noise_cfg

BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing")


def main():
    generator = torch.Generator().manual_seed(11)
    negative, positive, x0, noise = (torch.randn(2, 4, 4, 4, generator=generator) for _ in range(4))
    cfg = negative + 7.5 * (positive - negative)
    tensors = {"negative": negative, "positive": positive, "x0": x0, "noise": noise, "guided": cfg}
    tensors["rescaled"] = rescale_noise_cfg(cfg, positive, guidance_rescale=0.7)
    embed = StableDiffusionXLPipeline.get_guidance_scale_embedding
    for scale in (1.0, 4.5, 8.0):
        tensors[f"embedding-{scale:g}"] = embed(None, torch.tensor([scale - 1]), embedding_dim=256)
    for name, kind in (("exploding", EulerDiscreteScheduler), ("preserving", DDIMScheduler)):
        scheduler = kind(**BETAS)
        scheduler.set_timesteps(4)
        t = scheduler.timesteps[1:2]
        tensors[f"noised-{name}"] = scheduler.add_noise(x0, noise, t)
    save_tensors("guidance.safetensors", tensors)


if __name__ == "__main__":
    main()
