"""One U-Net step by diffusers, asked turn by turn: unet_step.py MODEL INPUTS THREADS, MODEL a folder, INPUTS a .safetensors.

A line on stdin names a way (eager, compile, bf16), or `save PATH` for the last output; each is answered by a line of
JSON. Between lines the process waits and computes nothing.
"""

import json
import sys
import time

import diffusers
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

model, inputs, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
unet = UNet2DConditionModel.from_pretrained(model).eval()
given = load_file(inputs)
conditions = {"text_embeds": given["text_embeds"], "time_ids": given["time_ids"]}
compiled = None


@torch.inference_mode()
def step(way):
    global compiled
    run = unet
    if way == "compile":
        if compiled is None:
            compiled = torch.compile(unet)
        run = compiled
    with torch.autocast("cpu", torch.bfloat16, enabled=way == "bf16"):
        started, used = time.perf_counter(), time.process_time()
        sample = run(
            given["sample"],
            given["timestep"],
            encoder_hidden_states=given["encoder_hidden_states"],
            added_cond_kwargs=conditions,
            return_dict=False,
        )[0]
        return sample, {
            "wall": 1000 * (time.perf_counter() - started),
            "processor": 1000 * (time.process_time() - used),
        }


versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "threads": torch.get_num_threads()}
print(json.dumps(versions), flush=True)
sample = None
for line in sys.stdin:
    word, *rest = line.split()
    if word == "save":
        save_file({"out_sample": sample.float().contiguous()}, rest[0])
        print("{}", flush=True)
        continue
    sample, milliseconds = step(word)
    print(json.dumps(milliseconds), flush=True)
