"""Trajectories of every diffusers sampler over a linear stand-in for the network, and of custom schedules.

Command: python tests/goldens/samplers.py     (written: data/goldens/samplers.json, samplers-ramps.json; a name makes that one)

The stand-in sees the scaled input x and the fixed tensor c, and gives a·x + b·c, with (a, b) by prediction type, so
that its x0 stays of unit size. Start and noise come from one CPU generator of seed 5, in diffusers' order.
Each row keeps the latent after the first step and the last one, 16 values each; rows of the other predictions keep the
last alone, as their schedules are epsilon's. The whole table: sampler x spacing x ramp x steps x prediction.
"""

import sys
import warnings

import torch
from common import save_json
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
)
from diffusers.schedulers.scheduling_utils import AysSchedules

STEPS = [1, 2, 3, 4, 8, 20, 50]
SHAPE = (1, 4, 2, 2)
ORIGINAL = torch.linspace(1, -0.5, 16).reshape(SHAPE)
STRENGTHS = [0.125, 0.3, 0.5, 0.75, 0.9999, 1.0]
STAND_IN = {"epsilon": (0.9, 0.1), "v_prediction": (0.2, -0.5), "sample": (0.3, 0.5)}
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
# scheduler_config.json of SDXL base says both; other values are for pixels.
DDPM = dict(clip_sample=False, set_alpha_to_one=False)

SAMPLERS = {
    "euler": (EulerDiscreteScheduler, {}),
    "euler-ancestral": (EulerAncestralDiscreteScheduler, {}),
    "heun": (HeunDiscreteScheduler, {}),
    "ddim": (DDIMScheduler, DDPM),
    "dpmpp-2m": (DPMSolverMultistepScheduler, {}),
    "dpmpp-2m-sde": (DPMSolverMultistepScheduler, dict(algorithm_type="sde-dpmsolver++")),
    "lcm": (LCMScheduler, DDPM),
    "tcd": (TCDScheduler, DDPM),
}
SPACED = ("euler", "euler-ancestral", "heun", "ddim", "dpmpp-2m", "dpmpp-2m-sde")
RAMPED = ("euler", "heun", "dpmpp-2m", "dpmpp-2m-sde")
NAMES = {"epsilon": "epsilon", "v_prediction": "v", "sample": "sample"}


def rounded(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def trajectory(sampler, prediction, *, steps=None, spacing=None, ramp=None, eta=None, timesteps=None, sigmas=None, strength=None, **config):
    kind, own = SAMPLERS[sampler]
    options = {**BETAS, **own, **config, "prediction_type": prediction}
    if spacing:
        options["timestep_spacing"] = spacing
    if ramp:
        options[f"use_{ramp}_sigmas"] = True
    scheduler = kind(**options)
    if timesteps or sigmas:
        scheduler.set_timesteps(**({"timesteps": timesteps} if timesteps else {"sigmas": sigmas}))
    else:
        scheduler.set_timesteps(steps)
    if sampler.startswith("dpmpp"):
        # Where a ramp rounds two levels to one timestep, diffusers would else look the first step up as the second.
        scheduler.set_begin_index(0)
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(SHAPE, generator=generator)
    taken = scheduler.timesteps
    if strength is None:
        x = noise * scheduler.init_noise_sigma
    else:  # as the image-to-image pipelines do
        skipped = (steps - min(int(steps * strength), steps)) * scheduler.order
        taken = taken[skipped:]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(skipped)
        x = scheduler.add_noise(ORIGINAL, noise, taken[:1])
    c = torch.linspace(-1, 1, 16).reshape(SHAPE)
    a, b = STAND_IN[prediction]
    first = None
    for t in taken:
        output = a * scheduler.scale_model_input(x, t) + b * c
        kwargs = {} if sampler in ("heun",) or (sampler == "dpmpp-2m") else {"generator": generator}
        if eta is not None:
            kwargs["eta"] = eta
        x = scheduler.step(output, t, x, **kwargs).prev_sample
        first = x if first is None else first
    row = {"sampler": sampler, "prediction": NAMES[prediction], "steps": steps, "spacing": spacing, "ramp": ramp, "eta": eta}
    row |= {"strength": strength, "timestepsGiven": timesteps, "sigmasGiven": sigmas, "finalSigma": config.get("final_sigmas_type")}
    row = {key: value for key, value in row.items() if value is not None}
    if prediction != "epsilon":
        return row | {"last": rounded(x)}
    row["timesteps"] = rounded(taken.double())
    if strength is None and (sampler in RAMPED or sampler == "euler-ancestral"):
        row["sigmas"] = rounded(scheduler.sigmas.double())
    return row | {"first": rounded(first), "last": rounded(x)}


def ramps():
    """Every ramp on the other predictions; epsilon's are among rows()."""
    for sampler in RAMPED:
        for ramp in ("karras", "exponential", "beta"):
            for spacing in ("leading", "trailing", "linspace"):
                for steps in STEPS:
                    for prediction in ("v_prediction", "sample"):
                        if (spacing, steps) != ("linspace", 1):
                            yield trajectory(sampler, prediction, steps=steps, spacing=spacing, ramp=ramp)


def rows():
    for sampler in SPACED:
        for spacing in ("leading", "trailing", "linspace"):
            for steps in STEPS:
                for prediction in STAND_IN:
                    # diffusers has no ancestral step on x0.
                    if (sampler, prediction) != ("euler-ancestral", "sample"):
                        yield trajectory(sampler, prediction, steps=steps, spacing=spacing)
    for sampler in RAMPED:
        for ramp in ("karras", "exponential", "beta"):
            for spacing in ("leading", "trailing", "linspace"):
                for steps in STEPS:
                    # One step at timestep 0 has equal ends, over which no ramp can be laid.
                    if (spacing, steps) != ("linspace", 1):
                        yield trajectory(sampler, "epsilon", steps=steps, spacing=spacing, ramp=ramp)
    for sampler, etas in (("ddim", (0.5, 1.0)), ("tcd", (0.0, 0.3, 1.0))):
        for eta in etas:
            for steps in STEPS:
                for prediction in STAND_IN:
                    spacing = {"spacing": "trailing"} if sampler == "ddim" else {}
                    yield trajectory(sampler, prediction, steps=steps, eta=eta, **spacing)
    for steps in STEPS:
        for prediction in STAND_IN:
            yield trajectory("lcm", prediction, steps=steps)
    # From a picture: every sampler and strength, where a step is left.
    for sampler in SAMPLERS:
        for steps in (1, 2, 4, 8):
            for strength in STRENGTHS:
                if int(steps * strength) > 0:
                    spaced = {"spacing": "trailing"} if sampler in SPACED else {}
                    yield trajectory(sampler, "epsilon", steps=steps, strength=strength, **spaced)
    # Whole schedules of published models: DMD2's, Hyper-SD's, Align Your Steps, and levels given as sigmas.
    yield trajectory("lcm", "epsilon", timesteps=[999, 749, 499, 249])
    yield trajectory("lcm", "epsilon", timesteps=[800])
    yield trajectory("tcd", "epsilon", timesteps=[800], eta=1.0)
    yield trajectory("euler", "epsilon", timesteps=AysSchedules["StableDiffusionXLTimesteps"], spacing="trailing")
    yield trajectory("dpmpp-2m", "epsilon", timesteps=AysSchedules["StableDiffusionXLTimesteps"], spacing="trailing")
    yield trajectory("euler", "epsilon", sigmas=AysSchedules["StableDiffusionXLSigmas"], spacing="trailing")
    for sampler in ("euler", "dpmpp-2m"):
        for steps in STEPS:
            yield trajectory(sampler, "epsilon", steps=steps, spacing="trailing", final_sigmas_type="sigma_min")


TABLES = {"samplers": rows, "samplers-ramps": ramps}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or TABLES:
        made = list(TABLES[name]())
        save_json(f"{name}.json", {"rows": made})
        print(f"{name}: {len(made)} trajectories")
