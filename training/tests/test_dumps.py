"""The dump scripts write what docs/dumps.md says, of any sampler's loop and any picture."""

import json
import sys
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).parent.parent))
from dump_diffusers import Run, pixels  # noqa: E402
from dump_sampler import SamplerDump  # noqa: E402


def test_a_callback_of_any_sampler(tmp_path):
    noise = torch.randn((2, 4, 3, 3), generator=torch.Generator().manual_seed(7))
    dump, x, sigmas = SamplerDump(seeds=[7]), noise * 14.0, [14.0, 2.0, 0.5]
    for sigma, following in zip(sigmas, [*sigmas[1:], 0.0]):
        denoised = x / (1 + sigma)
        dump({"x": x, "sigma": torch.tensor([sigma, sigma]), "denoised": denoised, "i": 0})
        x.add_((x - denoised) / sigma * (following - sigma))  # in place, as some samplers do
    dump.save(tmp_path / "run.safetensors", x, noise=noise)
    with safe_open(tmp_path / "run.safetensors", "pt") as file:
        shapes = {name: list(file.get_tensor(name).shape) for name in file.keys()}
        assert shapes == {"latents": [4, 2, 4, 3, 3], "sigmas": [4], "denoised": [3, 2, 4, 3, 3], "noise": [2, 4, 3, 3]}
        assert torch.equal(file.get_tensor("latents")[0], noise * 14.0)
        assert json.loads(file.metadata()["fewstep"])["request"]["seed"] == ["7"]


def test_pictures_of_every_kind_are_the_same_tensor():
    picture = numpy.zeros((2, 3, 3), dtype=numpy.uint8)
    picture[0, 1] = [255, 51, 0]
    wanted = torch.zeros(1, 3, 2, 3)
    wanted[0, :, 0, 1] = torch.tensor([1.0, 0.2, 0.0])
    for images in ([Image.fromarray(picture)], numpy.float32(picture)[None] / 255, wanted):
        assert torch.allclose(pixels(images), wanted)


def test_a_block_without_a_run_says_so():
    with pytest.raises(ValueError, match="took no step inside of the block"):
        Run([1]).tensors(None, guided=False)
