/** What people look inside a step with. */

export { attention, type AttentionOptions } from "./attention_figure.ts";
export { features, type FeaturesOptions } from "./features.ts";
export { latentDifference, type LatentDifferenceOptions } from "./latent_difference.ts";
export { selfAttention, type SelfAttentionOptions } from "./self_attention.ts";
export { beside, type BesideOptions } from "./beside.ts";
export { type ChannelRow, histogram, latentStatistics, spectra } from "./latent_plots.ts";
export { profileFigure, type ProfileFigureOptions } from "./profile_figure.ts";
export { trajectory, trajectoryOf, type TrajectoryOptions, type TrajectoryPoint } from "./trajectory.ts";
export { Explorer, explorer, type ExplorerOptions, type ExplorerRun } from "./explorer.ts";
export { Slider, slider, type SliderOptions } from "./slider.ts";
export { tokenMap, type WordMapOptions } from "./attention.ts";
export { type Tree, tree, treeFigure, type TreeFigureOptions, type TreeOptions, type Variant } from "./tree.ts";
