"""Progressive adversarial distillation: SDXL-Lightning (Lin et al. 2024, arXiv 2402.13929).

The steps are halved from stage to stage. In each the student learns to land in one step where its teacher lands in
several; when it has learned that, it becomes the next teacher:

    base with guidance, 32 steps → 8 → 4 → 2 → 1

Every stage has two phases. First the landing points are compared by mean squared error (progressive distillation,
Salimans & Ho 2022, arXiv 2202.00512, with guidance folded into the first stage). A student that is wrong on average
as little as possible is blurred where the teacher's path is uncertain. So in the second phase a discriminator that
sees real pictures replaces most of that error: it demands landing points that look real, not ones that are the mean.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from . import base, config, diffusion, distill, sampling, stages, vae
from .discriminator import Discriminator, encoder_features, heads_loss, student_loss
from .distill import Run, Source, noised
from .loop import Log, Meter, Stop, autocast
from .sampling import guided, predict
from .text import Conditioning


@dataclass(frozen=True)
class Plan:
    """One halving: `steps` of the student, each worth `substeps` of the teacher."""
    steps: int
    substeps: int
    teacher: str | None
    """The student that teaches; None is the base, with guidance."""

    @property
    def prediction(self) -> str:
        # ε at pure noise says x₀ with an error magnified σ_max = 14.6 times, so the last student says x₀ itself.
        return "sample" if self.steps == 1 else "epsilon"

    @property
    def name(self) -> str:
        return f"lightning-{self.steps}step"


PLANS = (Plan(8, 4, None), Plan(4, 2, "lightning-8step"), Plan(2, 2, "lightning-4step"), Plan(1, 2, "lightning-2step"))


def name(plan: Plan, lora: bool) -> str:
    return f"{plan.name}-lora" if lora else plan.name


@torch.no_grad()
def teacher_landing(unet: UNet2DConditionModel, xt: Tensor, index: Tensor, plan: Plan, told: Conditioning, guidance: float) -> Tensor:
    """Where `substeps` deterministic steps of the teacher lead from x_t, sample by sample."""
    times = torch.tensor([*diffusion.trailing(plan.steps * plan.substeps).tolist(), -1], device=xt.device)
    for k in range(plan.substeps):
        t, to = times[index * plan.substeps + k], times[index * plan.substeps + k + 1]
        x0 = diffusion.denoised(xt, guided(unet, xt, t, told, guidance), t)
        xt = diffusion.move(xt, x0, t, to)
    return xt


def student_landing(unet: UNet2DConditionModel, xt: Tensor, index: Tensor, plan: Plan, told: Conditioning) -> Tensor:
    times = torch.tensor([*diffusion.trailing(plan.steps).tolist(), -1], device=xt.device)
    t, to = times[index], times[index + 1]
    output = predict(unet, xt, t, told)
    return diffusion.move(xt, output if plan.prediction == "sample" else diffusion.denoised(xt, output, t), t, to)


def look_levels(to: Tensor, g: torch.Generator) -> Tensor:
    """The noise levels at which landing points are judged: the one they are at, or any above.

    Clean and nearly clean latents differ from real ones in detail, noisier ones in composition; the frozen backbone
    sees each only at its level.
    """
    return (to + 1 + (torch.rand(len(to), generator=g).to(to.device) ** 2 * (900 - to)).long().clamp_min(0)).clamp(1, 999)


def renoise(x: Tensor, at: Tensor, to: Tensor, noise: Tensor) -> Tensor:
    """Takes x from level `at` (−1 is clean) up to level `to` by adding what variance is missing."""
    table = torch.cat([torch.ones(1), diffusion.ALPHAS]).to(x.device)
    ratio = (table[to + 1] / table[at + 1])[:, None, None, None]
    return ratio.sqrt() * x + (1 - ratio).clamp_min(0).sqrt() * noise


def train(plan: Plan, device: str, lora: bool, limit: int | None = None) -> None:
    settings = config.load().lightning
    teacher = base.opened(device)
    guides = teacher.unet if plan.teacher is None or lora else distill.opened(plan.teacher, teacher.unet, device=device)
    guidance = settings.guidance if guides is teacher.unet else 0.0
    if lora:
        # A LoRA starts from the base, far from its target: it learns from the finished student's own teacher.
        guides = distill.opened(plan.teacher, teacher.unet, device=device) if plan.teacher else teacher.unet
        guidance = 0.0 if plan.teacher else settings.guidance
        student = distill.with_lora(teacher.unet, settings.rank, device)
    else:
        student = distill.copy_of(guides)
    discriminator = Discriminator(teacher.unet).to(device)
    run = Run(name(plan, lora), student, settings, extra={"discriminator": discriminator})
    source = Source(teacher, device, settings.batch)
    log, meter, stop = Log(name(plan, lora)), Meter(), Stop()
    matching = settings.steps_mse
    warm = matching + settings.steps_warm
    end = warm + settings.steps_adversarial
    if limit:
        matching, warm, end = limit, 2 * limit, 3 * limit

    for step in range(run.step, end):
        x0, told, g = source.at(step, 10 + plan.steps)
        index = torch.randint(plan.steps, (len(x0),), generator=g)
        times = torch.tensor([*diffusion.trailing(plan.steps).tolist(), -1])
        t, to = times[index].to(device), times[index + 1].to(device)
        noise, fresh = (torch.randn(x0.shape, generator=g).to(device) for _ in range(2))
        index = index.to(device)
        xt = noised(x0, noise, t)
        losses: dict[str, float] = {}
        follows = step < matching or step >= warm
        with autocast(device):
            with torch.set_grad_enabled(follows):
                landed = student_landing(student, xt, index, plan, told)
            loss = torch.zeros((), device=device)
            if follows:
                target = teacher_landing(guides, xt, index, plan, told, guidance)
                mse = (landed - target).square().mean()
                losses["mse"] = mse.item()
                loss = mse * (1.0 if step < matching else settings.mse_weight)
            if step >= matching:
                level = look_levels(to, g)
                there = torch.where((to < 0)[:, None, None, None], x0, diffusion.add_noise(x0, noise, to.clamp_min(0)))
                seen = [encoder_features(teacher.unet, renoise(x, to, level, fresh).contiguous(memory_format=torch.channels_last),
                                         level, told, 128) for x in (there, landed)]
                heads, right = heads_loss(discriminator, seen[0], seen[1], told, settings.r1)
                heads.backward()
                nn.utils.clip_grad_norm_(discriminator.parameters(), 1.0)
                run.extra_optimizers["discriminator"].step(min(1.0, (step - matching + 1) / 20))
                losses |= {"heads": heads.item(), "told_apart": right}
                if follows:
                    adversarial = student_loss(discriminator, seen[1], told)
                    losses["adversarial"] = adversarial.item()
                    loss = loss + settings.adversarial_weight * adversarial
        if follows:
            loss.backward()
            nn.utils.clip_grad_norm_([p for p in student.parameters() if p.requires_grad], 1.0)
            discriminator.zero_grad(set_to_none=True)
            phase, length = (step, matching) if step < matching else (step - warm, end - warm)
            rate = (settings.lora_factor if lora else 1.0) * (1.0 if step < matching else settings.adversarial_rate)
            run.optimizer.step(rate * min((phase + 1) / 20, 1.0, 1.5 * (length - phase) / length))
            run.average.update(student)
        meter.add(len(x0), **losses)
        if (step + 1) % settings.log_every == 0 or step + 1 in (matching, warm, end):
            log.write(step=step + 1, phase="mse" if step < matching else "warm" if step < warm else "adversarial", **meter.read())
        if (step + 1) % 200 == 0 or step + 1 in (matching, end) or stop.wanted:
            run.save(step + 1, step + 1 == end)
        if step + 1 in (matching, end):
            picture(plan, device, lora, "mse" if step + 1 == matching else "adversarial")
        if stop.wanted:
            return
    stages.finish(name(plan, lora))


def picture(plan: Plan, device: str, lora: bool, phase: str) -> None:
    """The fixed prompts: the base at many guided steps, the base at the student's steps, the student."""
    settings = config.load().lightning
    teacher = base.opened(device)
    student = distill.opened(name(plan, lora), teacher.unet, rank=settings.rank if lora else 0, device=device)
    told, noise = distill.fixed(teacher, device)
    rows = [sampling.sample(teacher.unet, told, noise, 32, settings.guidance),
            sampling.sample(teacher.unet, told, noise, plan.steps, settings.guidance),
            sampling.sample(student, told, noise, plan.steps, prediction=plan.prediction)]
    pictures = sampling.decode(vae.opened(device), torch.cat(rows))
    sampling.save_grid(pictures, len(noise), distill.pictures_path(f"{name(plan, lora)}-{phase}"))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--steps", type=int, required=True, choices=[plan.steps for plan in PLANS])
    arguments.add_argument("--lora", action="store_true")
    arguments.add_argument("--limit", type=int, help="only so many iterations a phase, to try the code")
    given = arguments.parse_args()
    train(next(plan for plan in PLANS if plan.steps == given.steps), given.device, given.lora, given.limit)
