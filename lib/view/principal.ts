/** Leading principal components of many rows of numbers (Pearson 1901; Jolliffe 2002, chapter 1). */

/** Rounds of subspace iteration: eigenvalues a tenth apart are told from each other within 1e-3. */
const ROUNDS = 40;

export interface Principal {
  /** Each row's place on each component, `[components][rows]`. */
  readonly scores: readonly Float32Array[];
  /** Share of the rows' variance that each component explains, 0..1, falling. */
  readonly explained: readonly number[];
}

/**
 * The directions in which rows differ the most, found by subspace iteration (Halko et al. 2011, arXiv 0909.4061,
 * algorithm 4.4): no matrix of all pairs of columns is made. Each component points to where its largest score is positive,
 * so that the same rows always give the same signs.
 *
 * @param data rows one after another, each of `width` numbers
 */
export function principalComponents(data: Float32Array, width: number, components: number): Principal {
  const rows = data.length / width;
  const mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) mean[i % width] += data[i] / rows;
  const centred = data.map((value, i) => value - mean[i % width]);
  const total = centred.reduce((sum, value) => sum + value * value, 0);

  const count = Math.min(components, width, rows);
  // Any start that is no component's opposite will do; cosines of unlike periods are the same on every machine.
  let basis: Float64Array[] = Array.from(
    { length: count },
    (_, k) => Float64Array.from({ length: width }, (_, i) => Math.cos((k + 1) * 0.7 * i + k)),
  );
  orthonormalise(basis);
  for (let round = 0; round < ROUNDS; round++) {
    basis = basis.map((direction) => back(centred, width, project(centred, width, direction)));
    orthonormalise(basis);
  }
  const found = basis.map((direction) => {
    const scores = project(centred, width, direction);
    return { scores, variance: scores.reduce((sum, value) => sum + value * value, 0) };
  }).sort((a, b) => b.variance - a.variance);
  return {
    scores: found.map(({ scores }) => {
      const largest = scores.reduce((most, value) => Math.abs(value) > Math.abs(most) ? value : most, 0);
      return Float32Array.from(scores, (value) => largest < 0 ? -value : value);
    }),
    explained: found.map(({ variance }) => total === 0 ? 0 : variance / total),
  };
}

function project(data: Float32Array, width: number, direction: Float64Array): Float64Array {
  const out = new Float64Array(data.length / width);
  for (let row = 0; row < out.length; row++) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += data[row * width + i] * direction[i];
    out[row] = sum;
  }
  return out;
}

function back(data: Float32Array, width: number, weights: Float64Array): Float64Array {
  const out = new Float64Array(width);
  for (let row = 0; row < weights.length; row++) {
    for (let i = 0; i < width; i++) out[i] += data[row * width + i] * weights[row];
  }
  return out;
}

/** Gram and Schmidt's, in place; what is left of a direction that the others span already becomes 0. */
function orthonormalise(basis: readonly Float64Array[]): void {
  basis.forEach((direction, k) => {
    for (const before of basis.slice(0, k)) {
      const along = direction.reduce((sum, value, i) => sum + value * before[i], 0);
      before.forEach((value, i) => direction[i] -= along * value);
    }
    const norm = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    direction.forEach((value, i) => direction[i] = norm < 1e-12 ? 0 : value / norm);
  });
}
