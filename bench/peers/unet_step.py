"""One U-Net step by diffusers, asked turn by turn: unet_step.py MODEL INPUTS THREADS, MODEL a folder, INPUTS a .safetensors.

A line on stdin names a way (eager, compile, bf16 by autocast, bf16-weights with the weights in it too), or `save PATH`
for the last output; each is answered by a line of JSON. Between lines the process waits and computes nothing. Further
arguments, by threes, are ways of OpenVINO: name (openvino:fp32, openvino:bf16), path of the ONNX graph, folder that its
weights are named from.
"""

import io
import json
import os
import sys
import time

import diffusers
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

model, inputs, threads, *graphs = sys.argv[1:]
torch.set_num_threads(int(threads))
unet = UNet2DConditionModel.from_pretrained(model).eval()
given = load_file(inputs)
conditions = {"text_embeds": given["text_embeds"], "time_ids": given["time_ids"]}
compiled = None
halved = None


def openvino_request(name, path, root):
    """Reads the graph as the kit does: from memory, standing in the folder that its weights are named from."""
    import openvino

    with open(path, "rb") as file:
        graph = io.BytesIO(file.read())
    before = os.getcwd()
    os.chdir(root)
    core = openvino.Core()
    network = core.read_model(graph)
    os.chdir(before)
    precision = {"openvino:bf16": "bf16", "openvino:fp32": "f32"}[name]
    properties = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": int(threads),
    }
    return core.compile_model(network, "CPU", properties).create_infer_request()


requests = {
    name: openvino_request(name, path, root)
    for name, path, root in zip(graphs[::3], graphs[1::3], graphs[2::3])
}


def openvino_step(way):
    feeds = {name: given[name].numpy() for name in given}
    started, used = time.perf_counter(), time.process_time()
    sample = requests[way].infer(feeds)["out_sample"]
    spent = {
        "wall": 1000 * (time.perf_counter() - started),
        "processor": 1000 * (time.process_time() - used),
    }
    return torch.from_numpy(sample.copy()), spent


def bfloat16_step():
    global halved
    if halved is None:
        halved = UNet2DConditionModel.from_pretrained(model, torch_dtype=torch.bfloat16).eval()
    half = {name: value.to(torch.bfloat16) for name, value in given.items()}
    started, used = time.perf_counter(), time.process_time()
    sample = halved(
        half["sample"],
        given["timestep"],
        encoder_hidden_states=half["encoder_hidden_states"],
        added_cond_kwargs={"text_embeds": half["text_embeds"], "time_ids": half["time_ids"]},
        return_dict=False,
    )[0]
    return sample, {
        "wall": 1000 * (time.perf_counter() - started),
        "processor": 1000 * (time.process_time() - used),
    }


@torch.inference_mode()
def step(way):
    global compiled
    run = unet
    if way == "bf16-weights":
        return bfloat16_step()
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
    sample, milliseconds = openvino_step(word) if word in requests else step(word)
    print(json.dumps(milliseconds), flush=True)
