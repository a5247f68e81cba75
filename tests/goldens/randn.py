"""torch's CPU normals for many seeds and shapes, thinned out where they are long.

Command: python tests/goldens/randn.py     (written: data/goldens/randn.safetensors)
Names: `seed/count` in one call; `seed/a,b,c` several calls one after another, concatenated;
`seed/count/half` and `/bfloat16`: drawn in that type, kept as float32. The integer stream: `seed/words`, every 13th word, 27 bits.
"""

import torch
from common import save_tensors

SEEDS = [0, 1, 42, 2**31, 2**32 + 7, 55986344589, 2**63 - 1, -1, -(2**63), 2**64 - 1]
COUNTS = [1, 2, 5, 15, 16, 17, 31, 32, 33, 1000, 3 * 4 * 64 * 64, 4 * 128 * 128]
CALLS = [(5, 3, 16, 1, 2), (15, 17, 15), (16, 16), (1, 1, 1), (256, 256, 3)]


def generator(seed):
    # torch reads a negative seed as its complement to 2^64.
    return torch.Generator().manual_seed(seed if seed < 2**63 else seed - 2**64)


def thinned(values):
    """All of a short one; of a long one both ends, where the paths differ, and every 997th."""
    return values if len(values) <= 64 else torch.cat([values[:24], values[::997], values[-24:]])


def main():
    tensors = {}
    for seed in SEEDS:
        # A random integer below 2^27 is the lower bits of one word; from 2^28 on torch takes two.
        tensors[f"{seed}/words"] = torch.randint(0, 2**27, (1300,), generator=generator(seed))[::13].contiguous()
        for count in COUNTS:
            tensors[f"{seed}/{count}"] = thinned(torch.randn(count, generator=generator(seed)))
        for calls in CALLS:
            g = generator(seed)
            tensors[f"{seed}/{','.join(map(str, calls))}"] = torch.cat([torch.randn(n, generator=g) for n in calls])
    for count in (15, 16, 17, 20, 31, 64, 1000, 1024):
        for name, dtype in (("half", torch.float16), ("bfloat16", torch.bfloat16)):
            tensors[f"42/{count}/{name}"] = thinned(torch.randn(count, generator=generator(42), dtype=dtype).float())
    for name, dtype in (("half", torch.float16), ("bfloat16", torch.bfloat16)):
        g = generator(42)
        tensors[f"42/20,17,16/{name}"] = torch.cat([torch.randn(n, generator=g, dtype=dtype).float() for n in (20, 17, 16)])
    save_tensors("randn.safetensors", tensors)


if __name__ == "__main__":
    main()
