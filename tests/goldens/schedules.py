"""Timesteps and sigmas of diffusers' Euler schedules.

Command: python tests/goldens/schedules.py     (written: data/goldens/schedules.json)
"""

import warnings

import numpy as np
import torch
from common import save_json
from diffusers import EulerDiscreteScheduler

STEPS = [1, 2, 3, 4, 6, 8, 12, 16, 20, 25, 50, 100, 999]
SDXL = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
TABLES = {
    "sdxl": SDXL,
    "zero-snr": SDXL | dict(rescale_betas_zero_snr=True),
    "linear": dict(beta_start=0.0001, beta_end=0.02, beta_schedule="linear"),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
}


def row(config, steps, **kwargs):
    scheduler = EulerDiscreteScheduler(**config, **kwargs)
    scheduler.set_timesteps(steps)
    return {
        "timesteps": scheduler.timesteps.double().tolist(),
        "sigmas": scheduler.sigmas.double().tolist(),
        "initNoiseSigma": float(scheduler.init_noise_sigma),
    }


def main():
    warnings.simplefilter("ignore")
    schedules = []
    for spacing in ("leading", "trailing", "linspace"):
        for ramp in (None, "karras", "exponential", "beta"):
            for steps in STEPS if ramp is None else [s for s in STEPS if s <= 50]:
                kwargs = {"timestep_spacing": spacing, **({f"use_{ramp}_sigmas": True} if ramp else {})}
                # A ramp of the single step between two equal ends divides 0 by 0 in none of them but is no schedule.
                schedules.append({"spacing": spacing, "ramp": ramp, "steps": steps, "finalSigma": "zero", **row(SDXL, steps, **kwargs)})
    for steps in (1, 4):
        kwargs = {"timestep_spacing": "trailing", "final_sigmas_type": "sigma_min"}
        schedules.append({"spacing": "trailing", "ramp": None, "steps": steps, "finalSigma": "sigma-min", **row(SDXL, steps, **kwargs)})
    tables = {}
    for name, config in TABLES.items():
        alphas = EulerDiscreteScheduler(**config).alphas_cumprod
        tables[name] = {
            "alphasCumprod": alphas.double().tolist()[::37] + [alphas[-1].item()],
            "sigmas": (((1 - alphas) / alphas) ** 0.5).double().tolist()[::37],
        }
    save_json("schedules.json", {"tables": tables, "schedules": schedules})


if __name__ == "__main__":
    main()
