/** Quality: how well a picture fits its prompt, how far it is from a reference, how much seeds differ. */

export { cosine, diversity, perceptualDistance, promptScore, retrieves } from "./cosine.ts";
export { psnr, relativeL2, ssim } from "./difference.ts";
export { type FrechetDistance, frechetDistance } from "./frechet.ts";
