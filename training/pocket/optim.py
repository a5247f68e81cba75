"""Muon for matrices, AdamW for the rest, and an exponential moving average.

Muon: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/. The momentum of each weight matrix is
replaced by its nearest semi-orthogonal matrix, found by a Newton-Schulz iteration.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

from .fast import multiplies_bfloat16


def orthogonalise(stack: Tensor, iterations: int = 5) -> Tensor:
    """Newton-Schulz towards U·Vᵀ for a stack of matrices `[n, rows, columns]` (the quintic of Muon)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = stack.bfloat16() if multiplies_bfloat16(stack.device) else stack.float()
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / (x.flatten(1).float().norm(dim=1).to(x.dtype)[:, None, None] + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).float()


class Muon(torch.optim.Optimizer):
    """Muon on parameters of two or more dimensions; matrices of one shape are orthogonalised together."""

    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                buffer = state.setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                shapes[update.shape].append((p, update))
            for (rows, columns), entries in shapes.items():
                # 0.2·√max(rows, columns) gives an update the root mean square that Adam's has (Liu et al. 2025).
                scale = 0.2 * max(rows, columns) ** 0.5
                for (p, _), update in zip(entries, orthogonalise(torch.stack([u for _, u in entries]))):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update.view(p.shape).contiguous(), alpha=-group["lr"] * scale)


class Optimizer:
    """Muon and AdamW behind one face. Embeddings and everything below two dimensions go to AdamW."""

    def __init__(self, *models: nn.Module, lr: float, lr_adam: float):
        embeddings = {p for model in models for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
        trained = [p for model in models for p in model.parameters() if p.requires_grad]
        matrices = [p for p in trained if p.dim() >= 2 and p not in embeddings and min(p.flatten(1).shape) > 8]
        chosen = set(matrices)
        others = [p for p in trained if p not in chosen]
        self.parts: list[torch.optim.Optimizer] = []
        self.base: list[float] = []
        if matrices:
            self.parts.append(Muon(matrices, lr=lr))
            self.base.append(lr)
        if others:
            self.parts.append(torch.optim.AdamW(others, lr=lr_adam, betas=(0.9, 0.98), weight_decay=0.0))
            self.base.append(lr_adam)

    def step(self, factor: float = 1.0) -> None:
        """One step at `factor` times the configured learning rates."""
        for part, lr in zip(self.parts, self.base):
            for group in part.param_groups:
                group["lr"] = lr * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for part, state in zip(self.parts, states):
            part.load_state_dict(state)


class Average:
    """Exponential moving average of weights; early on it follows faster, so that it forgets the start."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.count = decay, 0
        self.shadow = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value, 1 - decay)

    def state_dict(self) -> dict:
        return {"count": self.count, "shadow": self.shadow}

    def load_state_dict(self, state: dict) -> None:
        self.count, self.shadow = state["count"], state["shadow"]
