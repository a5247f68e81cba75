"""Runs a diffusers pipeline and keeps all that it did, in the layout of the kit's records."""

import functools

import torch
from common import save_tensors


def record(name, pipe, *, prompt, seeds, steps, guidance, width, height, negative=None, recipe="base", slim=False, original=None, mask=None, weights=None, keep=None, device="cpu", **more):
    """
    Tensors: noise [B,4,h,w] before scaling, prompt_embeds, pooled_prompt_embeds (and negative_…), timesteps [n],
    sigmas [n+1] where the scheduler has them, latents [n+1,B,4,h,w], denoised and prediction [n,B,4,h,w], image.
    One generator per picture, as diffusers draws batches of seeds. `slim` leaves out embeddings and image.
    `original`: the clean latent that an image-to-image pipeline starts from, `mask` [1,1,h,w] what an inpainting one
    draws anew; both kept under those names. `weights`: which file of the pocket family stands in the base's U-Net. `keep`: the steps of a long run whose
    tensors are kept, with the latent before and after each; the request says which. Latents are what the next step sees: after inpainting's own mixing.
    `device`: whose generators draw the noise, in the pipeline's type; what is kept is float32 in any case.
    """
    rows = {"latents": [], "denoised": [], "prediction": [], "timesteps": []}
    embeds = {}
    scheduler, encode = pipe.scheduler, pipe.encode_prompt
    step = scheduler.step

    @functools.wraps(step)  # the pipeline asks the signature whether to pass eta and generators
    def recording_step(output, timestep, sample, *args, **kwargs):
        rows["latents"][-1:] = [sample.clone()]
        result = step(output, timestep, sample, *args, **{**kwargs, "return_dict": True})
        x0 = next((result[key] for key in ("denoised", "pred_original_sample") if result.get(key) is not None), None)
        rows["prediction"].append(output.clone())
        if x0 is not None:  # DPM-Solver and TCD tell none
            rows["denoised"].append(x0.clone())
        rows["timesteps"].append(float(timestep))
        rows["latents"].append(result.prev_sample.clone())
        return (result.prev_sample,)

    def recording_encode(*args, **kwargs):
        result = encode(*args, **kwargs)
        names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
        embeds.update({key: value for key, value in zip(names, result) if value is not None and (guidance > 1 or not key.startswith("neg"))})
        return result

    scheduler.step, pipe.encode_prompt = recording_step, recording_encode
    generators = [torch.Generator(device).manual_seed(seed % 2**64) for seed in seeds]
    image = pipe(
        [prompt] * len(seeds),
        negative_prompt=None if negative is None else [negative] * len(seeds),
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=generators,
        output_type="pt" if mask is None else "latent",
        **({} if original is None else dict(image=original)),
        **({} if mask is None else dict(mask_image=mask.repeat_interleave(8, 2).repeat_interleave(8, 3))),
        **(dict(width=width, height=height) if original is None or mask is not None else {}),
        **more,
    ).images
    if mask is not None:
        rows["latents"][-1] = image
    del scheduler.step, pipe.encode_prompt

    shape = (1, *rows["latents"][0].shape[1:])
    drawn = dict(device=device, dtype=pipe.unet.dtype)
    noise = torch.cat([torch.randn(shape, generator=torch.Generator(device).manual_seed(seed % 2**64), **drawn) for seed in seeds])
    if original is None:
        assert torch.equal(rows["latents"][0], noise * scheduler.init_noise_sigma)
    tensors = {"noise": noise, **embeds, "image": image.float(), "timesteps": torch.tensor(rows.pop("timesteps"))}
    tensors |= {key: torch.stack(value) for key, value in rows.items() if value}
    if slim:
        tensors = {key: value for key, value in tensors.items() if key in ("noise", "timesteps", *rows)}
    kept = None
    if keep is not None:
        kept = {"steps": keep, "latents": sorted({*keep, *(step + 1 for step in keep)})}
        for key in ("prediction", "denoised", "latents"):
            if key in tensors:
                tensors[key] = tensors[key][kept["latents" if key == "latents" else "steps"]]
    if original is not None:
        tensors["original"] = original
    if mask is not None:
        tensors["mask"] = mask
    if hasattr(scheduler, "sigmas"):
        tensors["sigmas"] = scheduler.sigmas.float()
    tensors = {key: tensor.float().cpu() for key, tensor in tensors.items()}
    request = dict(prompt=prompt, seed=seeds, steps=steps, guidance=guidance, size=dict(width=width, height=height), recipe=recipe)
    if "strength" in more:
        request["strength"] = more["strength"]
    if weights is not None:
        request["weights"] = weights
    if kept is not None:
        request["kept"] = kept
    if negative is not None:
        request["negative"] = negative
    save_tensors(name, tensors, request=request, scheduler=type(scheduler).__name__)
    print(f"{name}: latents {list(tensors['latents'].shape)}, |x| {tensors['latents'][-1].norm():.3f}")
