"""SDXL's U-Net by diffusers on an NVIDIA GPU, asked turn by turn: unet_gpu.py MODEL INPUTS WAYS.

MODEL is a folder; without the U-Net's file in it, one with random weights in half floats is made there. INPUTS is a
.safetensors, looked for at the first step. WAYS is a list with commas: fp16 and fp32 are eager, compile is fp16 through
torch.compile; fp32 multiplies in float32, not in TensorFloat-32. A line on stdin names a way or is `save PATH`, for the
last output; each is answered by a line of JSON. A step's inputs and output lie in the processor's memory, as the kit's.
"""

import json
import sys
import time
from pathlib import Path

import diffusers
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

model, inputs, ways = sys.argv[1:]
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
if not (Path(model) / "diffusion_pytorch_model.safetensors").exists():
    torch.manual_seed(0)
    with torch.device("cuda"):
        made = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(model))
    made.half().save_pretrained(model)
    del made
    torch.cuda.empty_cache()

networks = {}
for way in filter(None, ways.split(",")):
    dtype = torch.float32 if way == "fp32" else torch.float16
    network = UNet2DConditionModel.from_pretrained(model, torch_dtype=dtype).to("cuda").eval()
    networks[way] = torch.compile(network) if way == "compile" else network, dtype


@torch.inference_mode()
def step(way):
    network, dtype = networks[way]
    given = load_file(inputs)
    torch.cuda.synchronize()
    started, used = time.perf_counter(), time.process_time()
    on = {name: value.to("cuda", torch.float32 if name in ("timestep", "time_ids") else dtype) for name, value in given.items()}
    sample = network(
        on["sample"],
        on["timestep"],
        encoder_hidden_states=on["encoder_hidden_states"],
        added_cond_kwargs={"text_embeds": on["text_embeds"], "time_ids": on["time_ids"]},
        return_dict=False,
    )[0].float().cpu()
    return sample, {"wall": 1000 * (time.perf_counter() - started), "processor": 1000 * (time.process_time() - used)}


versions = {
    "torch": torch.__version__,
    "diffusers": diffusers.__version__,
    "gpu": torch.cuda.get_device_name(),
    "cudnn": torch.backends.cudnn.version(),
}
print(json.dumps(versions), flush=True)
sample = None
for line in sys.stdin:
    word, *rest = line.split()
    if word == "save":
        save_file({"out_sample": sample.contiguous()}, rest[0])
        print("{}", flush=True)
        continue
    sample, milliseconds = step(word)
    print(json.dumps(milliseconds), flush=True)
