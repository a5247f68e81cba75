/** The kit's version: what records and exported figures say made them. */
export const VERSION = "0.1.0";
