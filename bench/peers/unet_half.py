"""The weights of unet_weights.py in half floats: unet_half.py FROM TO. Makes those in FROM where they are missing."""

import os
import shutil
import subprocess
import sys

from safetensors.torch import load_file, save_file

source, target = sys.argv[1:]
name = "diffusion_pytorch_model.safetensors"
if not os.path.exists(f"{source}/{name}"):
    subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "unet_weights.py"), source], check=True)
if not os.path.exists(f"{target}/{name}"):
    os.makedirs(target, exist_ok=True)
    shutil.copy(f"{source}/config.json", f"{target}/config.json")
    save_file({key: value.half() for key, value in load_file(f"{source}/{name}").items()}, f"{target}/{name}")
