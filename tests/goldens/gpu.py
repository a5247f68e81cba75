"""What torch and diffusers give on an NVIDIA GPU: normals by torch's CUDA generator, and runs that draw with it.

Command: python tests/goldens/gpu.py     (written: data/goldens/randn-cuda.safetensors, run-cuda-*.safetensors)
It wants a GPU, and stands apart from all.py for that. After new pocket weights the runs are to be made again, or removed:
the tests take those that are there. Products are in float32, not in TensorFloat-32.
Names of the normals: as randn.py's, `seed/count` and `seed/a,b,c`, with `/half` and `/bfloat16` where drawn in that type.
"""

import torch
from common import POCKET, save_tensors
from diffusers import EulerDiscreteScheduler, LCMScheduler, StableDiffusionXLPipeline
from randn import thinned
from record import record
from runs import DDPM, article
from safetensors.torch import load_file

SEEDS = [0, 42, 2**32 + 7, 55986344589, 2**63 - 1, -1]
# Less than a block of 256 threads, more than one, and more than all threads of any GPU draw at once.
COUNTS = [1, 5, 255, 257, 1000, 3 * 4 * 64 * 64, 4 * 128 * 128, 4 * 4 * 128 * 128, 16 * 4 * 128 * 128]
CALLS = [(5, 3, 16, 1, 2), (16384, 16384), (65536, 5, 65536)]
TYPES = {"": torch.float32, "/half": torch.float16, "/bfloat16": torch.bfloat16}


def generator(seed):
    return torch.Generator("cuda").manual_seed(seed)


def randn():
    properties = torch.cuda.get_device_properties(0)
    tensors = {}
    for name, dtype in TYPES.items():
        draw = lambda count, g: torch.randn(count, generator=g, device="cuda", dtype=dtype).float().cpu()
        for seed in SEEDS:
            for count in COUNTS:
                tensors[f"{seed}/{count}{name}"] = thinned(draw(count, generator(seed)))
            for calls in CALLS:
                g = generator(seed)
                tensors[f"{seed}/{','.join(map(str, calls))}{name}"] = torch.cat([thinned(draw(n, g)) for n in calls])
    threads = properties.multi_processor_count * (properties.max_threads_per_multi_processor // 256) * 256
    save_tensors("randn-cuda.safetensors", tensors, gpu=properties.name, threads=threads)


def runs():
    animal = article("animal")
    request = dict(prompt=animal["prompt"], seeds=[animal["seed"], 1], steps=4, guidance=0, width=128, height=128)
    more = dict(slim=True, device="cuda")
    for name, dtype in (("", torch.float32), ("-half", torch.float16)):
        pipe = StableDiffusionXLPipeline.from_pretrained(POCKET / "base", torch_dtype=dtype, local_files_only=True)
        pipe.set_progress_bar_config(disable=True)
        pipe.to("cuda")
        base = {key: value.clone() for key, value in pipe.unet.state_dict().items()}
        settings = pipe.scheduler.config
        pipe.unet.load_state_dict(load_file(POCKET / "lightning_4step_unet.safetensors"))
        pipe.scheduler = EulerDiscreteScheduler.from_config(settings, timestep_spacing="trailing")
        record(f"run-cuda-lightning{name}.safetensors", pipe, recipe="lightning-4step", weights="lightning_4step_unet.safetensors", **request, **more)
        # Noise at every step, too, from the same generators.
        pipe.unet.load_state_dict(base)
        pipe.scheduler = LCMScheduler.from_config({**settings, **DDPM}, timestep_spacing="trailing")
        record(f"run-cuda-lcm{name}.safetensors", pipe, recipe="lcm", **request, **more)


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    randn()
    runs()
