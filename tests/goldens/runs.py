"""Whole runs by diffusers in float32 on the CPU, as records: the pocket family, the random tiny models, every sampler.

Command: python tests/goldens/runs.py [pocket|tiny|samplers|pictures]  (written: data/goldens/run-*.safetensors; tiny.py first)

After new pocket weights, `python tests/goldens/runs.py pocket` makes all that depends on them: these runs, what inpaint.py,
attention.py and tokens.py make, and a dump of training/dump_diffusers.py. A child of the family is made when its weights
are there, and told when they are not; the tests take up what is made.
"""

import json
import subprocess
import sys
import time

import torch
from common import GOLDENS, POCKET, deterministic
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
    TCDScheduler,
)
from record import record
from safetensors.torch import load_file


# What the base's file leaves to DDIM's family is for pixels by default.
DDPM = {"clip_sample": False, "set_alpha_to_one": False}


def open_pipeline(folder, **kwargs):
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True, **kwargs)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def article(name):
    with open("data/prompts/article.json", encoding="utf-8") as file:
        return next(row for row in json.load(file) if row["name"] == name)


def pocket():
    portrait = article("portrait")
    text = dict(prompt=portrait["prompt"], seeds=[portrait["seed"]], width=128, height=128)
    pipe = open_pipeline(POCKET / "base")
    record("run-pocket-base.safetensors", pipe, steps=50, guidance=4.5, keep=[0, 1, 2, 9, 24, 39, 48, 49], **text)

    pipe.unet.load_state_dict(load_file(POCKET / "lightning_4step_unet.safetensors"))
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    record("run-pocket-lightning.safetensors", pipe, steps=4, guidance=0, recipe="lightning-4step", **text)


# The children of the pocket base: golden, file, scheduler and its settings, recipe, steps, pixels, more for the call.
CHILDREN = [
    ("lightning-1step", "lightning_1step_unet_x0", EulerDiscreteScheduler, {"prediction_type": "sample"}, "lightning-1step", 1, 128, {}),
    *[(f"lightning-{n}step", f"lightning_{n}step_unet", EulerDiscreteScheduler, {}, f"lightning-{n}step", n, 128, {}) for n in (2, 4, 8)],
    *[(f"lightning-{n}step-lora", f"lightning_{n}step_lora", EulerDiscreteScheduler, {}, f"lightning-{n}step", n, 128, {}) for n in (2, 4, 8)],
    *[(f"turbo-{n}", "turbo_unet", EulerAncestralDiscreteScheduler, {}, "turbo", n, 64, {}) for n in (1, 4)],
    *[(f"lcm-{n}", "lcm_lora", LCMScheduler, DDPM, "lcm", n, 128, {}) for n in (1, 4, 8)],
    # TCD was published as a LoRA of its own; consistency distillation being what both do, LCM's stands in for its weights.
    ("tcd", "lcm_lora", TCDScheduler, DDPM, "tcd", 4, 128, {"eta": 0.3}),
]


def children():
    """One pipeline for all, as opening it takes longer than most runs: before each, its U-Net is the base's again."""
    animal = article("animal")
    pipe = open_pipeline(POCKET / "base")
    base = {key: value.clone() for key, value in pipe.unet.state_dict().items()}
    settings = pipe.scheduler.config
    for name, file, kind, config, recipe, steps, pixels, more in CHILDREN:
        path = POCKET / f"{file}.safetensors"
        if not path.exists():
            print(f"run-child-{name}: skipped, there is no {path}")
            continue
        pipe.unet.load_state_dict(base)
        if file.endswith("lora"):
            pipe.load_lora_weights(str(POCKET), weight_name=path.name)
            pipe.fuse_lora()
            pipe.unload_lora_weights()  # the layers beside the weights, which hold it now
        else:
            pipe.unet.load_state_dict(load_file(path))
        pipe.scheduler = kind.from_config({**settings, **config}, timestep_spacing="trailing")
        record(f"run-child-{name}.safetensors", pipe, prompt=animal["prompt"], seeds=[animal["seed"], 1], steps=steps,
               guidance=0, width=pixels, height=pixels, recipe=recipe, slim=True, weights=path.name, **more)


# What else depends on the pocket weights; each script says what it writes.
DUMP = ["models/pocket/base", "--prompt", "sunflower, meadow", "--seed", "7", "--steps", "4", "--guidance", "3", "--latents",
        "--out", "data/goldens/dump-diffusers.safetensors"]  # fmt: skip
OTHERS = [["tests/goldens/inpaint.py"], ["tests/goldens/attention.py"], ["tests/goldens/tokens.py"], ["training/dump_diffusers.py", *DUMP]]


def others():
    for script in OTHERS:
        print(" ".join(script[:1]), flush=True)
        subprocess.run([sys.executable, *script], check=True)


def tiny():
    record("run-tiny-deep.safetensors", open_pipeline(GOLDENS / "tiny-deep"), prompt="A neon fish!", seeds=[1, 2**63 - 1],
           steps=4, guidance=5, width=64, height=96)
    record("run-tiny-sdxl.safetensors", open_pipeline(GOLDENS / "tiny-sdxl"), prompt="neon fish, snow", seeds=[11], steps=4,
           guidance=4, width=64, height=64)
    record("run-tiny-sharded.safetensors", open_pipeline(GOLDENS / "tiny-sharded"), prompt="gold splashes", negative="snow",
           seeds=[7], steps=4, guidance=3.5, width=96, height=64)
    record("run-tiny-variant.safetensors", open_pipeline(GOLDENS / "tiny-variant", variant="fp16"), prompt="",
           seeds=[2**32 + 7, -1], steps=2, guidance=2, width=64, height=64)


SAMPLERS = {
    "euler-ancestral": (EulerAncestralDiscreteScheduler, {}, {}),
    "heun": (HeunDiscreteScheduler, {}, {}),
    "ddim": (DDIMScheduler, {}, {"eta": 0.6}),
    "dpmpp-2m": (DPMSolverMultistepScheduler, {}, {}),
    "dpmpp-2m-sde": (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}, {}),
    "lcm": (LCMScheduler, {}, {}),
    "tcd": (TCDScheduler, {}, {"eta": 0.3}),
}


def samplers():
    """Two seeds, so that each sampler's noise comes from each picture's own generator."""
    for name, (kind, config, arguments) in SAMPLERS.items():
        pipe = open_pipeline(GOLDENS / "tiny-deep")
        pipe.scheduler = kind.from_config(
            {**pipe.scheduler.config, "clip_sample": False, "set_alpha_to_one": False},
            timestep_spacing="trailing",
            **config,
        )
        record(f"run-sampler-{name}.safetensors", pipe, prompt="gold", seeds=[3, 2**40 + 1], steps=4, guidance=0,
               width=48, height=64, recipe="none", slim=True, **arguments)


def pictures():
    """From a picture's latent, half of the way, all of it or a part: where each sampler starts, and with what noise."""
    original = torch.randn((2, 4, 8, 6), generator=torch.Generator().manual_seed(9))
    mask = torch.zeros(1, 1, 8, 6)
    mask[:, :, 2:6, 1:4] = 1
    plain, inpaint = StableDiffusionXLImg2ImgPipeline, StableDiffusionXLInpaintPipeline
    rows = [("picture", plain, name, {}) for name in ("euler", "heun", "ddim", "dpmpp-2m", "lcm")]
    rows += [("inpaint", inpaint, name, {"mask": mask}) for name in ("euler", "lcm")]
    for prefix, pipeline, name, masked in rows:
        kind, config, arguments = SAMPLERS.get(name, (EulerDiscreteScheduler, {}, {}))
        pipe = pipeline.from_pipe(open_pipeline(GOLDENS / "tiny-deep"), torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = kind.from_config(
            {**pipe.scheduler.config, "clip_sample": False, "set_alpha_to_one": False},
            timestep_spacing="trailing",
            **config,
        )
        record(f"run-{prefix}-{name}.safetensors", pipe, prompt="gold", seeds=[3, 2**40 + 1], steps=6, guidance=0,
               width=48, height=64, recipe="none", slim=True, original=original, strength=0.5, **masked, **arguments)


if __name__ == "__main__":
    deterministic()
    wanted = sys.argv[1:] or ["pocket", "tiny", "samplers", "pictures"]
    if "pocket" in wanted:
        started = time.monotonic()
        pocket()
        children()
        others()
        print(f"pocket: {time.monotonic() - started:.0f} s")
    if "tiny" in wanted:
        tiny()
    if "samplers" in wanted:
        samplers()
    if "pictures" in wanted:
        pictures()
