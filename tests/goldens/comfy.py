"""ComfyUI's schedules, derived here a second time from what its documentation and users say of them.

Command: python tests/goldens/comfy.py     (written: data/goldens/comfy.json)
No ComfyUI code is run or read: float64 table, then float32; log-linear interpolation between its entries; the network is
told the nearest timestep in log sigma. Where two timesteps are equally near (499.5), both count as right.
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


def main():
    rows = []
    for name, sigmas_of in SCHEDULES.items():
        for n in (1, 2, 3, 4, 8, 20, 50):
            if name == "sd-turbo" and n > 10:
                continue
            sigmas = sigmas_of(n)
            gaps = [np.abs(LOGS - np.log(sigma)) for sigma in sigmas]
            near = [np.flatnonzero(gap < gap.min() + 1e-6).tolist() for gap in gaps]
            rows.append({"spacing": name, "steps": n, "sigmas": sigmas + [0.0], "nearest": near})
    save_json("comfy.json", {"sigmaMin": float(SIGMAS[0]), "sigmaMax": float(SIGMAS[-1]), "rows": rows})


if __name__ == "__main__":
    main()
