"""
The same for tools that are not diffusers: a callback that writes what a sampler tells of its steps.

Samplers in the manner of k-diffusion call back once a step with a dictionary of `x` (the latent before the step, x0 + sigma *
noise), `sigma` and `denoised` (x0). `SamplerDump` is such a callback; where a tool's callback looks otherwise, call `note`
with the three. Names and meanings: docs/dumps.md.

    dump = SamplerDump(seeds=[7])
    result = sample_euler(model, x, sigmas, callback=dump)
    dump.save("theirs.safetensors", result, noise=noise)
"""

import json

import torch
from safetensors.torch import save_file


class SamplerDump:
    def __init__(self, seeds=()):
        self.seeds = [str(int(seed)) for seed in seeds]
        self.latents, self.sigmas, self.denoised = [], [], []

    def __call__(self, told):
        self.note(told["x"], told["sigma"], told["denoised"])

    def note(self, x, sigma, denoised):
        """Before step k: the latent, its noise level, and x0 as the sampler takes it. All are copied."""
        self.latents.append(x.detach().float().cpu().clone())
        self.sigmas.append(float(torch.as_tensor(sigma).flatten()[0]))
        self.denoised.append(denoised.detach().float().cpu().clone())

    def save(self, path, result, **more):
        """`result` is the last latent; `more` what else is at hand: noise, prompt_embeds, timesteps, prediction, image."""
        tensors = {
            "latents": torch.stack([*self.latents, result.detach().float().cpu()]),
            "sigmas": torch.tensor([*self.sigmas, 0.0]),
            "denoised": torch.stack(self.denoised),
            **{name: tensor.detach().float().cpu() for name, tensor in more.items()},
        }
        facts = {"fewstep": json.dumps({"request": {"seed": self.seeds}})}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=facts)
