/** What people look inside a step with. */

export { attention, type AttentionOptions } from "./attention_figure.ts";
export { features, type FeaturesOptions } from "./features.ts";
export { latentDifference, type LatentDifferenceOptions } from "./latent_difference.ts";
export { selfAttention, type SelfAttentionOptions } from "./self_attention.ts";
