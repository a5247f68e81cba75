"""
Writes a run of diffusers' SDXL pipelines into a safetensors file that `deno task diff` compares with a run of the kit.

    from dump_diffusers import dump

    with dump(pipe, "theirs.safetensors", seeds=[7]) as run:
        run.image = pipe(prompt, generator=torch.Generator().manual_seed(7), ...).images

Or from the command line, for a text-to-image run in float32 on the CPU:

    python training/dump_diffusers.py models/pocket/base --prompt "sunflower, meadow" --seed 7 --steps 4 --out theirs.safetensors

The pipeline is not changed: for the time of the block its scheduler's step and its encode_prompt note what passes through
them. What is kept, and under which names, stands in docs/dumps.md. Needs torch, diffusers, safetensors; nothing of the kit.
"""

import argparse
import functools
import json
from contextlib import contextmanager
from importlib.metadata import version

import torch
from safetensors.torch import save_file

EMBEDDINGS = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")


class Run:
    """What the steps of one call of a pipeline were given and gave."""

    def __init__(self, seeds):
        self.seeds = [int(seed) for seed in seeds]
        self.image = None
        self.embeds = {}
        self.latents, self.prediction, self.denoised, self.timesteps = [], [], [], []

    def tensors(self, scheduler, guided):
        """By their names in a record, float32."""
        if not self.latents:
            raise ValueError("Nothing was dumped: the pipeline took no step inside of the block.")
        embeds = {name: value for name, value in self.embeds.items() if guided or not name.startswith("negative")}
        tensors = {**embeds, "timesteps": torch.tensor(self.timesteps), "latents": torch.stack(self.latents)}
        for name in ("prediction", "denoised"):
            if getattr(self, name):  # some schedulers tell no x0
                tensors[name] = torch.stack(getattr(self, name))
        whole = len(self.timesteps) == len(scheduler.timesteps)
        if whole:  # a run from a picture begins in the middle, with noise that cannot be told from the picture
            tensors["noise"] = self.latents[0] / float(scheduler.init_noise_sigma)
        if hasattr(scheduler, "sigmas"):
            tensors["sigmas"] = scheduler.sigmas[-len(self.timesteps) - 1 :]
        if self.image is not None:
            tensors["image"] = pixels(self.image)
        return {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}


def pixels(image):
    """[B,3,H,W] in 0..1, of tensors, arrays or PIL pictures."""
    if isinstance(image, torch.Tensor):
        return image
    import numpy

    rows = [numpy.asarray(row, dtype=numpy.float32) / (255 if not hasattr(row, "dtype") else 1) for row in image]
    return torch.from_numpy(numpy.stack(rows)).permute(0, 3, 1, 2)


@contextmanager
def dump(pipe, path, seeds=()):
    """Notes one call of `pipe` made inside of the block, and writes it when the block ends. `seeds` help to name causes."""
    run, scheduler, state = Run(seeds), pipe.scheduler, {}
    step, encode = scheduler.step, pipe.encode_prompt

    @functools.wraps(step)  # the pipeline asks the signature whether to pass eta and generators
    def noting_step(output, timestep, sample, *args, return_dict=True, **kwargs):
        run.latents[-1:] = [sample.clone()]  # as the network sees it: inpainting changes it between two steps
        result = step(output, timestep, sample, *args, return_dict=True, **kwargs)
        run.prediction.append(output.clone())
        x0 = next((result[name] for name in ("denoised", "pred_original_sample") if result.get(name) is not None), None)
        if x0 is not None:
            run.denoised.append(x0.clone())
        run.timesteps.append(float(timestep))
        run.latents.append(result.prev_sample.clone())
        return result if return_dict else (result.prev_sample,)

    @functools.wraps(encode)
    def noting_encode(*args, **kwargs):
        result = encode(*args, **kwargs)
        run.embeds = {name: value.clone() for name, value in zip(EMBEDDINGS, result) if value is not None}
        state["guided"] = pipe.do_classifier_free_guidance
        return result

    scheduler.step, pipe.encode_prompt = noting_step, noting_encode
    try:
        yield run
    finally:
        del scheduler.step, pipe.encode_prompt
    tensors = run.tensors(scheduler, state.get("guided", False))
    facts = {
        "request": {"seed": [str(seed) for seed in run.seeds]},
        "scheduler": type(scheduler).__name__,
        "software": {name: version(name) for name in ("diffusers", "torch")},
    }
    save_file(tensors, path, metadata={"fewstep": json.dumps(facts)})


def main():
    parser = argparse.ArgumentParser(description="Dump a text-to-image run of diffusers for `deno task diff`.")
    parser.add_argument("model", help="a diffusers folder")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--negative")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--spacing", choices=["leading", "trailing", "linspace"], help="default: the model's own")
    parser.add_argument("--latents", action="store_true", help="leave the picture out")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    from diffusers import StableDiffusionXLPipeline

    pipe = StableDiffusionXLPipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    if args.spacing:
        pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, timestep_spacing=args.spacing)
    with dump(pipe, args.out, seeds=[args.seed]) as run:
        image = pipe(
            args.prompt,
            negative_prompt=args.negative,
            num_inference_steps=args.steps,
            guidance_scale=args.guidance,
            generator=torch.Generator().manual_seed(args.seed),
            output_type="latent" if args.latents else "pt",
        ).images
        if not args.latents:
            run.image = image


if __name__ == "__main__":
    main()
