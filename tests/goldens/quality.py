"""Quality metrics of small random data, by the libraries that papers use.

Command: python tests/goldens/quality.py     (written: data/goldens/quality.{json,safetensors}; run clip.py first)

Made with scikit-image 0.26.0, scipy 1.17.1 and torchmetrics 1.9.0 beside the libraries that common.py names:
PSNR and SSIM by scikit-image, the Fréchet distance by scipy's matrix square root and by torchmetrics, the prompt score
by torchmetrics' CLIPScore on tiny-clip, cosine distances by scipy.
"""

from importlib.metadata import version

import clip
import numpy as np
import torch
from common import deterministic, save_json, save_tensors
from scipy import linalg
from scipy.spatial.distance import pdist
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.multimodal import clip_score
from torchmetrics.image.fid import FrechetInceptionDistance
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

WIDTH = 12


def frechet(a, b):
    """Heusel et al. 2017, equation 6."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(first @ second)
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second - 2 * np.real(root)))


def jackknife(a, b, groups):
    """Standard error of the distance when picture i of `a` belongs to group i mod groups, each left out once."""
    group = np.arange(len(a)) % groups
    values = np.array([frechet(a[group != g], b) for g in range(groups)])
    return float(np.sqrt((groups - 1) / groups * np.square(values - values.mean()).sum()))


class AsTheyAre(torch.nn.Module):
    """Features that stand in place of a picture's."""

    num_features = WIDTH

    def forward(self, x):
        return x[:, 0, 0]


def by_torchmetrics(a, b):
    metric = FrechetInceptionDistance(feature=AsTheyAre(), input_img_size=(1, 1, WIDTH), normalize=True)
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(a)[:, None, None], real=False)
    metric.update(torch.from_numpy(b)[:, None, None], real=True)
    return float(metric.compute())


def features(rng, count, shift, scale):
    mixing = rng.normal(size=(WIDTH, WIDTH)) * scale
    return (rng.normal(size=(count, WIDTH)) @ mixing + shift).astype(np.float32).astype(np.float64)


class Processor:
    """Pictures as CLIPImageProcessor makes them, texts as the kit pads them."""

    def __init__(self):
        self.images, self.tokenizer = CLIPImageProcessorPil.from_pretrained(clip.FOLDER), CLIPTokenizer.from_pretrained(clip.TOKENIZER)

    def __call__(self, text=None, images=None, **_):
        found = {}
        if images is not None:
            found |= self.images([image.permute(1, 2, 0).numpy() for image in images], return_tensors="pt")
        if text is not None:
            found |= self.tokenizer(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
        return found


class Unpooled:
    """transformers 5 returns an output object where torchmetrics 1.9 wants the tensor."""

    def __init__(self):
        self.model = CLIPModel.from_pretrained(clip.FOLDER, dtype=torch.float32, attn_implementation="eager").eval()
        self.config = self.model.config

    def to(self, _):
        return self

    def get_image_features(self, pixel_values):
        return self.model.get_image_features(pixel_values=pixel_values).pooler_output

    def get_text_features(self, input_ids, attention_mask=None):
        return self.model.get_text_features(input_ids=input_ids).pooler_output


def main():
    deterministic()
    rng = np.random.default_rng(11)
    many, other = features(rng, 60, 0.3, 1), features(rng, 45, -0.2, 0.7)
    few = features(rng, 7, 0.1, 0.8)  # fewer pictures than features: covariances without full rank
    pairs = {"many": (many, other), "few": (few, other), "both few": (few, other[:6])}
    pictures, scores = {}, {}
    for index, (height, width) in enumerate([(29, 37), (64, 48)]):
        a = clip.picture(index, height, width).astype(np.float32) / 255
        b = np.clip(a + rng.normal(size=a.shape) * 0.08, 0, 1).astype(np.float32)
        b = np.float32(np.round(b * 255) / 255)
        pictures |= {f"a{index}": a, f"b{index}": b}
        scores[f"{index}"] = {
            "psnr": peak_signal_noise_ratio(a.astype(np.float64), b.astype(np.float64), data_range=1),
            "ssim": structural_similarity(a.astype(np.float64), b.astype(np.float64), channel_axis=-1, gaussian_weights=True,
                                          sigma=1.5, use_sample_covariance=False, data_range=1),
        }
    text = "gold fish"
    shown = torch.from_numpy(clip.picture(0, 45, 70)).permute(2, 0, 1)
    save_json("quality.json", {
        "libraries": {name: version(name) for name in ("scipy", "scikit-image", "torchmetrics")},
        "frechet": {name: {"scipy": frechet(a, b), "torchmetrics": by_torchmetrics(a, b), "error": jackknife(a, b, min(len(a), 20))}
                    for name, (a, b) in pairs.items()},
        "pictures": scores,
        "clip_score": {"text": text, "score": clip_score([shown], [text], model_name_or_path=lambda: (Unpooled(), Processor())).item()},
        "diversity": float(pdist(few, "cosine").mean()),
    })
    save_tensors("quality.safetensors", {
        **{name: torch.from_numpy(value).permute(2, 0, 1) for name, value in pictures.items()},
        "many": torch.from_numpy(many).float(), "other": torch.from_numpy(other).float(), "few": torch.from_numpy(few).float(),
    }, request={})


if __name__ == "__main__":
    main()
