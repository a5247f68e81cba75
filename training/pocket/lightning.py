"""Progressive adversarial distillation: SDXL-Lightning (Lin et al. 2024, arXiv 2402.13929).

The steps are halved from stage to stage. In each the student learns to land in one step where its teacher lands in
several; when it has learned that, it becomes the next teacher:

    base with guidance, 16 steps → 8 → 4 → 2 → 1

Every stage has two phases. First the landing points are compared by mean squared error (progressive distillation,
Salimans & Ho 2022, arXiv 2202.00512, with guidance folded into the first stage). A student that is wrong on average
as little as possible is blurred where the teacher's path is uncertain. So in the second phase a discriminator replaces
most of that error: it demands landing points that look real, not ones that are the mean.

The paper's real samples are the teacher's landing points. Here they are the data at the landing point's noise level: a
teacher of four million parameters is soft itself, and its student lands so near to it (a squared error of 0.005) that no
discriminator told the two apart.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from types import SimpleNamespace

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


PLANS = (Plan(8, 2, None), Plan(4, 2, "lightning-8step"), Plan(2, 2, "lightning-4step"), Plan(1, 2, "lightning-2step"))


def name(plan: Plan, lora: bool) -> str:
    return f"{plan.name}-lora" if lora else plan.name


def before(student: str) -> str:
    """The student as it was when the adversarial phase began."""
    return f"{student}-mse"


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
    sees each only at its level. Most are judged near where they land, since noise hides blur first.
    """
    return (to + 1 + (torch.rand(len(to), generator=g).to(to.device) ** 4 * (900 - to)).long().clamp_min(0)).clamp(1, 999)


def renoise(x: Tensor, at: Tensor, to: Tensor, noise: Tensor) -> Tensor:
    """Takes x from level `at` (−1 is clean) up to level `to` by adding what variance is missing."""
    table = torch.cat([torch.ones(1), diffusion.ALPHAS]).to(x.device)
    ratio = (table[to + 1] / table[at + 1])[:, None, None, None]
    return ratio.sqrt() * x + (1 - ratio).clamp_min(0).sqrt() * noise


@dataclass
class Batch:
    """Where the student starts, at `t`, and where it should land, at `to` (−1: clean)."""
    x0: Tensor
    noise: Tensor
    told: Conditioning
    index: Tensor
    t: Tensor
    to: Tensor
    fresh: Tensor
    """Noise for the discriminator's level."""
    level: Tensor

    @property
    def xt(self) -> Tensor:
        return noised(self.x0, self.noise, self.t)


def batch_at(step: int, source: Source, plan: Plan, device: str) -> Batch:
    x0, told, g = source.at(step, 10 + plan.steps)
    index = torch.randint(plan.steps, (len(x0),), generator=g)
    times = torch.tensor([*diffusion.trailing(plan.steps).tolist(), -1])
    noise, fresh = (torch.randn(x0.shape, generator=g).to(device) for _ in range(2))
    to = times[index + 1].to(device)
    return Batch(x0, noise, told, index.to(device), times[index].to(device), to, fresh, look_levels(to, g))


def phase_of(step: int, ends: tuple[int, int, int]) -> str:
    return "mse" if step < ends[0] else "warm" if step < ends[1] else "adversarial"


def settings_of(plan: Plan) -> SimpleNamespace:
    found = config.load().lightning
    return SimpleNamespace(**{**vars(found), **vars(found.sample)}) if plan.prediction == "sample" else found


def train(plan: Plan, device: str, lora: bool, limit: int | None = None) -> None:
    settings = settings_of(plan)
    base_model = base.opened(device)
    teacher = distill.opened(plan.teacher, base_model.unet, device=device) if plan.teacher else base_model.unet
    guidance = 0.0 if plan.teacher else settings.guidance
    # A full student goes on from its teacher; a LoRA must fit the base, so it starts there.
    student = distill.with_lora(base_model.unet, settings.rank, device) if lora else distill.copy_of(teacher)
    discriminator = Discriminator(base_model.unet).to(device)
    run = Run(name(plan, lora), student, settings, extra={"discriminator": discriminator})
    source = Source(base_model, device, settings.batch)
    log, meter, stop = Log(name(plan, lora)), Meter(), Stop()
    lengths = (limit,) * 3 if limit else (settings.steps_mse, settings.steps_warm, settings.steps_adversarial)
    ends = lengths[0], lengths[0] + lengths[1], sum(lengths)

    def judge(batch: Batch, landed: Tensor, losses: dict[str, float]) -> list[Tensor]:
        """One step of the heads on data and the student's landing points; returns the features of the latter."""
        shown = diffusion.add_noise(batch.x0, batch.fresh, batch.level), renoise(landed, batch.to, batch.level, batch.fresh)
        real, fake = (encoder_features(base_model.unet, x.contiguous(memory_format=torch.channels_last), batch.level, batch.told, 128)
                      for x in shown)
        loss, losses["told_apart"] = heads_loss(discriminator, real, fake, batch.told, settings.r1)
        losses["heads"] = loss.item()
        loss.backward()
        nn.utils.clip_grad_norm_(discriminator.parameters(), 1.0)
        run.extra_optimizers["discriminator"].step()
        return fake

    for step in range(run.step, ends[2]):
        phase, losses = phase_of(step, ends), {}
        batch = batch_at(step, source, plan, device)
        xt = batch.xt
        with autocast(device):
            with torch.set_grad_enabled(phase != "warm"):
                landed = student_landing(student, xt, batch.index, plan, batch.told)
            if phase != "mse":
                fake = judge(batch, landed, losses)
            if phase != "warm":
                taught = teacher_landing(teacher, xt, batch.index, plan, batch.told, guidance)
                mse = (landed - taught).square().mean()
                losses["mse"] = mse.item()
                loss = mse * (1.0 if phase == "mse" else settings.mse_weight)
            if phase == "adversarial":
                adversarial = student_loss(discriminator, fake, batch.told)
                losses["adversarial"] = adversarial.item()
                loss = loss + settings.adversarial_weight * adversarial
        if phase != "warm":
            loss.backward()
            discriminator.zero_grad(set_to_none=True)
            nn.utils.clip_grad_norm_([p for p in student.parameters() if p.requires_grad], 1.0)
            begun, length = (step, lengths[0]) if phase == "mse" else (step - ends[1], lengths[2])
            rate = 1.0 if phase == "mse" else settings.adversarial_rate
            run.optimizer.step(rate * min((begun + 1) / 20, 1.0, 1.5 * (length - begun) / length))
            run.average.update(student)
        meter.add(len(xt), **losses)
        if (step + 1) % settings.log_every == 0 or step + 1 in ends:
            log.write(step=step + 1, phase=phase, **meter.read())
        if (step + 1) % 200 == 0 or step + 1 in ends or stop.wanted:
            run.save(step + 1, step + 1 == ends[2])
        if step + 1 == ends[0]:
            # Kept, so that what the adversarial phase adds can be measured.
            shutil.copy(run.path, distill.checkpoint(before(name(plan, lora))))
        if step + 1 in (ends[0], ends[2]):
            picture(plan, device, lora, phase)
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
