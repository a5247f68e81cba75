"""Makes every golden anew, in order.

Command: python tests/goldens/all.py      (some minutes on two cores; after new pocket weights: runs.py pocket)
"""

import subprocess
import sys

for script in ("tokenizer", "tokens", "tokenizer_files", "randn", "schedules", "samplers", "guidance", "comfy", "tiny", "layouts", "tiny_vae", "runs", "dtypes", "published", "lora", "micro_conditioning", "image_start", "inpaint", "one_generator", "clip", "quality", "attention"):
    print(f"{script}.py", flush=True)
    subprocess.run([sys.executable, f"tests/goldens/{script}.py"], check=True)
