/** The beta distribution's quantiles, for the schedule that is named after it. */

/**
 * x with I_x(a, b) = `probability`, by bisection: 60 halvings leave nothing that a double could tell apart.
 * @param probability 0 … 1
 */
export function inverseBeta(probability: number, a: number, b: number): number {
  if (probability <= 0 || probability >= 1) return Math.min(Math.max(probability, 0), 1);
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (cumulativeBeta(middle, a, b) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The regularised incomplete beta function I_x(a, b): DLMF 8.17.22, a continued fraction.
 * @param x 0 … 1
 */
export function cumulativeBeta(x: number, a: number, b: number): number {
  if (x > (a + 1) / (a + b + 2)) return 1 - cumulativeBeta(1 - x, b, a); // where the fraction converges fast
  const front = x ** a * (1 - x) ** b / (a * Math.exp(logGamma(a) + logGamma(b) - logGamma(a + b)));
  let fraction = 1;
  for (let m = 60; m > 0; m--) { // from the inside out; 60 terms are past a double's end for these shapes
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1));
    fraction = 1 + odd / (1 + even / fraction);
  }
  return front / fraction;
}

/** ln Γ(z) for z > 0: Stirling's series, DLMF 5.11.1, after shifting z up to where five terms are exact in double. */
function logGamma(z: number): number {
  let shift = 0;
  for (; z < 12; z++) shift -= Math.log(z);
  const w = 1 / (z * z);
  const series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z;
  return shift + (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series;
}
