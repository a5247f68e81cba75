"""Tiny autoencoders (TAESD's layout), random and small: what diffusers' AutoencoderTiny makes of a latent and a picture.

Command: python tests/goldens/tiny_vae.py     (written: data/goldens/tiny-vae/, tiny-vae.safetensors)

`tiny-vae/` is a folder as diffusers saves it, fp16. The two files of TAESD's own repository hold the same numbers under
the names that torch gives its two nn.Sequential; they are written down here as code (layers, in order), built by torch,
and kept as a list of names: {half: [[name in the file, name in the folder], ...]} in tiny-vae.json.
"""

import shutil

import torch
from common import GOLDENS, deterministic, save_json, save_tensors
from diffusers import AutoencoderTiny
from torch import nn

CHANNELS, ENCODER, DECODER = 8, (1, 2, 1, 2), (2, 1, 2, 1)


class Clamp(nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        conv = lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.conv = nn.Sequential(conv(), nn.ReLU(), conv(), nn.ReLU(), conv())

    def forward(self, x):
        return torch.relu(self.conv(x) + x)


def encoder():
    layers = [nn.Conv2d(3, CHANNELS, 3, padding=1)]
    for level, count in enumerate(ENCODER):
        layers += [nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, stride=2, bias=False)] if level else []
        layers += [Block() for _ in range(count)]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS, 4, 3, padding=1))


def decoder():
    layers = [Clamp(), nn.Conv2d(4, CHANNELS, 3, padding=1), nn.ReLU()]
    for level, count in enumerate(DECODER):
        layers += [Block() for _ in range(count)]
        if level < len(DECODER) - 1:
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS, 3, 3, padding=1))


@torch.no_grad()
def main():
    deterministic()
    generator = torch.Generator().manual_seed(6)
    widths = (CHANNELS,) * 4
    model = AutoencoderTiny(encoder_block_out_channels=widths, decoder_block_out_channels=widths, num_encoder_blocks=ENCODER,
                            num_decoder_blocks=DECODER, scaling_factor=1.0).eval()  # fmt: skip
    for parameter in model.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
        parameter.data = (torch.randn(parameter.shape, generator=generator) * fan_in**-0.5).half().float()
    last = model.decoder.layers[-1]
    last.weight.data, last.bias.data = (last.weight * 0.15).half().float(), last.bias.data + 0.5  # most pixels within 0..1
    shutil.rmtree(GOLDENS / "tiny-vae", ignore_errors=True)
    model.half().save_pretrained(GOLDENS / "tiny-vae")
    model = AutoencoderTiny.from_pretrained(GOLDENS / "tiny-vae", torch_dtype=torch.float32)
    latent = 2 * torch.randn((2, 4, 5, 6), generator=generator)
    picture = torch.rand((2, 3, 40, 48), generator=generator)
    encoded = model.encode(picture * 2 - 1).latents
    decoded = model.decode(latent).sample
    image = (decoded / 2 + 0.5).clamp(0, 1)
    print(f"{((image == 0) | (image == 1)).float().mean():.0%} of the pixels are clamped")
    save_tensors("tiny-vae.safetensors", {"latent": latent, "image": image, "picture": picture, "encoded": encoded})

    # The original sequences take the same tensors in the same order, and must make the same of them.
    names = {}
    for half, original, ours, x, wanted in (
        ("encoder", encoder(), model.encoder.layers, picture, encoded),
        ("decoder", decoder(), model.decoder.layers, latent, decoded / 2 + 0.5),
    ):
        state = ours.state_dict()
        assert len(state) == len(original.state_dict())
        names[half] = [[name, f"{half}.layers.{key}"] for name, key in zip(original.state_dict(), state, strict=True)]
        original.load_state_dict(dict(zip(original.state_dict(), state.values(), strict=True)))
        assert torch.allclose(original(x), wanted, atol=1e-5), half
    save_json("tiny-vae.json", {"halves": names})


if __name__ == "__main__":
    main()
