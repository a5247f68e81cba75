"""ComfyUI's schedules, derived here a second time from what its documentation and users say of them.

Command: python tests/goldens/comfy.py     (written: data/goldens/comfy.json)
No ComfyUI code is run or read: float64 table, then float32; log-linear interpolation between its entries; the network is
told the nearest timestep in log sigma. Where two timesteps are equally near (499.5), both count as right.

Trajectories: the samplers on those schedules over samplers.py's linear stand-in for the network, in float64 and in terms
of x = x0 + sigma * noise throughout, from the papers' equations: Karras et al. 2022 for Euler and Heun, Lu et al. 2022 for
DPM-Solver++ (its SDE in the appendix), Luo et al. 2023 for LCM. Kept: every fifth value of the last latent.
"""

import numpy as np
import torch
from common import save_json

betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
alphas = torch.cumprod(1 - betas, 0)
SIGMAS = (((1 - alphas) / alphas) ** 0.5).float()
LOGS = SIGMAS.double().log().numpy()


def at(t):
    return float(np.exp(np.interp(t, np.arange(1000), LOGS)))


def karras(n):
    low, high = (float(SIGMAS[i]) ** (1 / 7) for i in (0, -1))
    return [(high + (i / max(n - 1, 1)) * (low - high)) ** 7 for i in range(n)]


SCHEDULES = {
    "sgm-uniform": lambda n: [at(t) for t in np.linspace(999, 0, n + 1)[:-1]],
    "normal": lambda n: [at(t) for t in np.linspace(999, 0, n)],
    "simple": lambda n: [float(SIGMAS[999 - int(i * 1000 / n)]) for i in range(n)],
    "ddim-uniform": lambda n: [float(SIGMAS[t]) for t in range(1, 1000, max(1000 // n, 1))][::-1],
    "comfy-karras": karras,
    "sd-turbo": lambda n: [float(SIGMAS[999 - 100 * i]) for i in range(n)],
}


STAND_IN = {"epsilon": (0.9, 0.1), "v": (0.2, -0.5), "sample": (0.3, 0.5)}
C = np.linspace(-1, 1, 16)


def x0_of(prediction, x, sigma):
    a, b = STAND_IN[prediction]
    alpha, s = 1 / np.sqrt(1 + sigma**2), sigma / np.sqrt(1 + sigma**2)
    output = a * alpha * x + b * C
    return {"epsilon": x - sigma * output, "v": alpha * (alpha * x) - s * output, "sample": output}[prediction]


def trajectory(sampler, prediction, sigmas, timesteps):
    generator = torch.Generator().manual_seed(5)
    draw = lambda: torch.randn(16, generator=generator).double().numpy()
    full = sigmas[0] >= float(SIGMAS[-1]) * (1 - 1e-5)
    x = draw() * (np.sqrt(1 + sigmas[0] ** 2) if full else sigmas[0])
    old = None
    for i, (s, t) in enumerate(zip(sigmas, sigmas[1:])):
        x0 = x0_of(prediction, x, s)
        d = (x - x0) / s
        if sampler in ("euler", "ddim"):
            x = x + d * (t - s)
        elif sampler == "euler-ancestral":
            up = np.sqrt(t**2 * (s**2 - t**2) / s**2)
            x = x + d * (np.sqrt(t**2 - up**2) - s) + up * draw()
        elif sampler == "heun":
            there = x + d * (t - s)
            x = there if t == 0 else x + (d + (there - x0_of(prediction, there, t)) / t) / 2 * (t - s)
        elif sampler == "lcm":
            time = 10 * timesteps[i]
            # The boundary condition is on the picture as the network sees it, x / sqrt(sigma^2 + 1).
            x0 = time / np.sqrt(time**2 + 0.25) * x0 + 0.25 / (time**2 + 0.25) * x / np.sqrt(1 + s**2)
            x = x0 if t == 0 else x0 + t * draw()
        else:
            D = x0
            if old is not None and t > 0:
                h, h0 = np.log(s / t), np.log(sigmas[i - 1] / s)
                D = x0 + h / h0 / 2 * (x0 - old)
            if sampler == "dpmpp-2m":
                x = t / s * x + (1 - t / s) * D
            else:
                x = (t / s) ** 2 * x + (1 - (t / s) ** 2) * D + t * np.sqrt(1 - (t / s) ** 2) * draw()
            old = x0
    return [float(f"{value:.9g}") for value in x[::5]]


def main():
    rows, trajectories = [], []
    for name, sigmas_of in SCHEDULES.items():
        for n in (1, 2, 3, 4, 8, 20, 50):
            if name == "sd-turbo" and n > 10:
                continue
            sigmas = sigmas_of(n)
            gaps = [np.abs(LOGS - np.log(sigma)) for sigma in sigmas]
            near = [np.flatnonzero(gap < gap.min() + 1e-6).tolist() for gap in gaps]
            rows.append({"spacing": name, "steps": n, "sigmas": sigmas + [0.0], "nearest": near})
            for sampler in ("euler", "euler-ancestral", "heun", "ddim", "dpmpp-2m", "dpmpp-2m-sde", "lcm"):
                lasts = {p: trajectory(sampler, p, sigmas + [0.0], [ts[0] for ts in near]) for p in STAND_IN}
                trajectories.append({"spacing": name, "steps": n, "sampler": sampler, "last": lasts})
    save_json("comfy.json", {"sigmaMin": float(SIGMAS[0]), "sigmaMax": float(SIGMAS[-1]), "rows": rows, "trajectories": trajectories})


if __name__ == "__main__":
    main()
