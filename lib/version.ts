/** The kit's version: what records and exported figures say made them. */
export const VERSION = "0.1.0";

/** Of the kit's numbers: raised whenever the same request on the same device gives other bits than before. */
export const NUMERICS = 1;
