"""A batch that diffusers draws from one generator, in float32 on the CPU: its start, its ancestral noise, a picture's latents.

Command: python tests/goldens/one_generator.py     (written: data/goldens/run-one-generator.safetensors; run tiny.py first)
Tensors: noise/latents [3,2,4,8,6] of a run from noise, picture/latents [3,2,4,8,6] of one from init_image [2,3,64,48].
"""

import torch
from common import GOLDENS, deterministic, save_tensors
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

SEED = 2**33 + 3


def latents_of(pipe, **run):
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    latents, step = [], pipe.scheduler.step

    def recording(output, timestep, sample, *args, **kwargs):
        latents.append(sample.clone())
        return step(output, timestep, sample, *args, **kwargs)

    # The pipeline asks the step's signature whether to hand it the generator.
    recording.__wrapped__ = step
    pipe.scheduler.step = recording
    generator = torch.Generator().manual_seed(SEED)
    result = pipe(["gold"] * 2, generator=generator, guidance_scale=0, output_type="latent", **run).images
    return torch.stack([*latents, result])


def main():
    deterministic()
    pipe = StableDiffusionXLPipeline.from_pretrained(GOLDENS / "tiny-deep", torch_dtype=torch.float32, local_files_only=True)
    picture = torch.rand((2, 3, 64, 48), generator=torch.Generator().manual_seed(1))
    from_noise = latents_of(pipe, num_inference_steps=2, width=48, height=64)
    from_picture = latents_of(StableDiffusionXLImg2ImgPipeline.from_pipe(pipe, torch_dtype=torch.float32), image=picture, num_inference_steps=4, strength=0.5)
    save_tensors("run-one-generator.safetensors", {"noise/latents": from_noise, "picture/latents": from_picture, "init_image": picture}, seed=SEED)
    print(list(from_noise.shape), list(from_picture.shape))


if __name__ == "__main__":
    main()
