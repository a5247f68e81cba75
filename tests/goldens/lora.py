"""One random LoRA under every naming, and what diffusers makes of it.

Command: python tests/goldens/lora.py     (written: data/goldens/lora-*.safetensors, run-lora.safetensors; run tiny.py first)

Rank 2, alpha 4, on tiny-sdxl: attention, projections, feed-forwards, convolutions, samplers and time projections of the
U-Net, as in ByteDance's Lightning LoRAs, and attention and MLPs of both text encoders. Each file is loaded by diffusers
and must give the picture of the first.
"""

import json
import re

import torch
from common import GOLDENS, deterministic
from layouts import FILES, FOLDER, unet_name
from record import record
from runs import open_pipeline
from safetensors.torch import load_file, save_file

RANK, ALPHA, STRENGTH = 2, 4.0, 0.35
ADAPTED = re.compile(
    r"(attn[12]\.(to_q|to_k|to_v|to_out\.0)|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2|resnets\.\d\.(conv1|conv2|conv_shortcut|time_emb_proj)|samplers\.0\.conv)\.weight$"
)
TEXT = re.compile(r"(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])\.weight$")


def differences():
    """{(part, module): (down, up)} of half floats, so that every naming holds the same bits."""
    generator = torch.Generator().manual_seed(5)
    found = {}
    for part, pattern in (("unet", ADAPTED), ("text_encoder", TEXT), ("text_encoder_2", TEXT)):
        for key, weight in load_file(FOLDER / FILES[part]).items():
            if not pattern.search(key):
                continue
            out, inner = weight.shape[0], weight.shape[1:]
            down = torch.randn(RANK, *inner, generator=generator) * inner.numel() ** -0.5
            up = torch.randn(out, RANK, *(1 for _ in inner[1:]), generator=generator) * 0.3
            found[part, key.removesuffix(".weight")] = (down.half(), up.half())
    return found


def kohya(prefix, module):
    return {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}[prefix] + module.replace(".", "_")


def namings(found):
    alpha = torch.tensor(ALPHA).half()
    pairs = lambda name, down, up, values: {f"{name}.{down}.weight": values[0], f"{name}.{up}.weight": values[1]}
    files = {"kohya-diffusers": {}, "kohya-original": {}, "peft": {}, "peft-metadata": {}, "diffusers": {}}
    for (part, module), values in found.items():
        ours = kohya(part, module)
        original = kohya(part, unet_name(module + ".weight").removesuffix(".weight")) if part == "unet" else ours
        files["kohya-diffusers"] |= {**pairs(ours, "lora_down", "lora_up", values), f"{ours}.alpha": alpha}
        files["kohya-original"] |= {**pairs(original, "lora_down", "lora_up", values), f"{original}.alpha": alpha}
        # Without an alpha the scale is 1: it goes into one of the matrices, exactly, as a factor of 2.
        scaled = (values[0] * (ALPHA / RANK), values[1])
        files["peft"] |= pairs(f"{part}.{module}", "lora_A", "lora_B", scaled)
        kind = "lora" if part == "unet" else "lora_linear_layer"
        files["peft-metadata"] |= pairs(f"{part}.{module}", "lora_A", "lora_B", values)
        files["diffusers"] |= pairs(f"{part}.{module}", f"{kind}.down", f"{kind}.up", scaled)
    return files


def peft_settings(tensors):
    """What diffusers writes beside a LoRA that PEFT trained: there, alpha is no tensor."""
    settings = {}
    for part in FILES:
        modules = sorted({key.removeprefix(f"{part}.").split(".lora_")[0] for key in tensors if key.startswith(f"{part}.")})
        if part != "unet":  # by their endings: with transformers 5 the beginning text_model. is gone
            modules = sorted({".".join(module.split(".")[-2:]) for module in modules})
        if modules:
            settings |= {f"{part}.r": RANK, f"{part}.lora_alpha": ALPHA, f"{part}.target_modules": modules}
    return json.dumps(settings)


def main():
    deterministic()
    files = namings(differences())
    pictures = {}
    for name, tensors in files.items():
        path = GOLDENS / f"lora-{name}.safetensors"
        metadata = {"lora_adapter_metadata": peft_settings(tensors)} if name == "peft-metadata" else {}
        save_file({key: value.clone() for key, value in tensors.items()}, path, metadata={"format": "pt", **metadata})
        pipe = open_pipeline(FOLDER)
        pipe.load_lora_weights(GOLDENS, weight_name=path.name)
        pipe.fuse_lora(lora_scale=STRENGTH)
        golden = "run-lora.safetensors" if name == "kohya-diffusers" else None
        run = dict(prompt="neon fish, snow", seeds=[11], steps=2, guidance=4, width=64, height=64)
        if golden:
            record(golden, pipe, **run)
            pipe = open_pipeline(FOLDER)
            pipe.load_lora_weights(GOLDENS, weight_name=path.name)
            pipe.fuse_lora(lora_scale=STRENGTH)
        generator = [torch.Generator().manual_seed(11)]
        pictures[name] = pipe(["neon fish, snow"], num_inference_steps=2, guidance_scale=4, width=64, height=64, generator=generator, output_type="latent").images
        first = next(iter(pictures.values()))
        plain = open_pipeline(FOLDER)(["neon fish, snow"], num_inference_steps=2, guidance_scale=4, width=64, height=64, generator=[torch.Generator().manual_seed(11)], output_type="latent").images
        error = ((pictures[name] - first).norm() / first.norm()).item()
        print(f"{name}: {len(tensors)} tensors, {path.stat().st_size / 1e3:.0f} KB, {error:.1e} from the first, "
              f"{((first - plain).norm() / plain.norm()).item():.2f} from no LoRA")
        assert error < 1e-5


if __name__ == "__main__":
    main()
