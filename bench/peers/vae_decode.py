"""SDXL's VAE decoder by diffusers in float32, asked turn by turn: vae_decode.py FOLDER THREADS.

Makes the VAE with random weights in FOLDER where it is not there. A line `SIDE` decodes latents of SIDE × SIDE, made
from a seed; the answer is a line of JSON. `save PATH` keeps the last latent and sample.
"""

import json
import os
import sys
import time

import diffusers
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.manual_seed(0)
if not os.path.exists(f"{folder}/config.json"):
    AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=2,
        scaling_factor=0.13025,
    ).save_pretrained(folder)
vae = AutoencoderKL.from_pretrained(folder).eval()
versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "threads": torch.get_num_threads()}
print(json.dumps(versions), flush=True)
latent = sample = None
for line in sys.stdin:
    word, *rest = line.split()
    if word == "save":
        save_file({"latent": latent, "sample": sample.contiguous()}, rest[0])
        print("{}", flush=True)
        continue
    latent = torch.randn(1, 4, int(word), int(word), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        started, used = time.perf_counter(), time.process_time()
        sample = vae.decode(latent / vae.config.scaling_factor).sample
        cost = {"wall": time.perf_counter() - started, "processor": time.process_time() - used}
    print(json.dumps({name: 1000 * seconds for name, seconds in cost.items()}), flush=True)
