/** Uniform numbers become normal ones: Box and Muller 1958, in the order in which torch pairs them. */

/**
 * Turns uniforms `[16·k]` in [0, 1) into unit normals, in place. In each block of 16 the first eight give the radius,
 * the last eight the angle. Computed in double and rounded once: torch's float32 approximations of log, sin and cos
 * differ from that in the last bit (relative L2 1.4e-7, single values up to 1.2e-6).
 */
export function boxMullerInBlocks(values: Float32Array): void {
  for (let block = 0; block < values.length; block += 16) {
    for (let j = block; j < block + 8; j++) {
      const r = Math.sqrt(-2 * Math.log(1 - values[j]));
      const theta = 2 * Math.PI * values[j + 8];
      values[j] = r * Math.cos(theta);
      values[j + 8] = r * Math.sin(theta);
    }
  }
}
