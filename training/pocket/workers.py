"""Data parallelism on one CPU: several processes of one thread each, gradients averaged after every backward pass.

The operations of a small model are too short to share among threads. Two processes of one thread outrun one process of
two threads by a third, and by more where other programs use the machine, since they meet once a step and not once an
operation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import nn

from . import config

RANK = "FEWSTEP_RANK"


class Workers:
    """The processes of one training; with a count of 1 there is only this one, and nothing happens."""

    def __init__(self, count: int):
        self.count, self.rank = count, int(os.environ.get(RANK, "0"))
        if count == 1:
            return
        meeting = config.WORK / "rendezvous"
        if self.rank == 0:
            meeting.unlink(missing_ok=True)
            for rank in range(1, count):
                subprocess.Popen([sys.executable, "-m", sys.modules["__main__"].__spec__.name, *sys.argv[1:]],
                                 env={**os.environ, RANK: str(rank)})
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=self.rank, world_size=count)

    @property
    def first(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.rank == 0

    def meet(self) -> None:
        """Waits until all have come here, for instance before they read what the first has written."""
        if self.count > 1:
            dist.barrier()

    def share(self, parameters: Iterable[nn.Parameter], stop: bool) -> bool:
        """Averages the gradients; returns whether any worker was told to stop."""
        if self.count == 1:
            return stop
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients] + [torch.tensor([float(stop)])])
        dist.all_reduce(flat)
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at:at + gradient.numel()].view_as(gradient) / self.count)
            at += gradient.numel()
        return bool(flat[-1] > 0)

    def close(self) -> None:
        if self.count > 1:
            dist.destroy_process_group()


def workers_for(device: str, count: int | None = None) -> Workers:
    """A process for each core of a CPU, one on a GPU, or as many as are asked for."""
    return Workers(count or (os.cpu_count() or 1 if device == "cpu" else 1))
