/**
 * The Fréchet distance of two sets of feature vectors, each taken for a Gaussian:
 *
 *     |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½)
 *
 * Heusel et al. 2017 (arXiv 1706.08500), equation 6; covariances are the samples' (n − 1), as in torchmetrics. In CLIP's
 * features instead of Inception's: Kynkäänniemi et al. 2022 (arXiv 2203.06026), who also show why. The distance is
 * biased upwards for few pictures (Chong and Forsyth 2019, arXiv 1911.07023): compare only sets of one size.
 *
 * The trace of the root is the sum of the singular values of C = A·Bᵀ, where A and B hold the centred features divided by
 * √(n − 1): Σ₁Σ₂ = AᵀABᵀB has the squares of these for its eigenvalues. So an eigendecomposition of C's smaller Gram
 * matrix, or of one in the features' space where that is smaller, is all that is needed, and both are symmetric.
 */

import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { formatShape, type Tensor } from "../../tensor/tensor.ts";

export interface FrechetDistance {
  readonly value: number;
  /** Standard error over the first set's pictures, by the jackknife; null for fewer than three pictures. */
  readonly error: number | null;
}

/**
 * Groups that the jackknife leaves out in turn. Each costs an eigendecomposition; with 20 of them the error itself is
 * known to about a sixth, 1/√(2·19).
 */
const GROUPS = 20;

/**
 * The distance, with its standard error by the delete-a-group jackknife (Quenouille; Efron and Stein 1981): picture i
 * belongs to group i mod 20, the second set is held fixed.
 *
 * @param a features of the pictures to judge, `[n, d]`
 * @param b of the reference, `[m, d]`
 * @throws RangeError for fewer than two pictures in either, or another number of features
 */
export function frechetDistance(a: Tensor, b: Tensor): FrechetDistance {
  const [first, second] = [matrixOf(a), matrixOf(b)];
  if (first.columns !== second.columns) {
    throw new RangeError(`Cannot compare features ${formatShape(a.shape)} with ${formatShape(b.shape)}.`);
  }
  const reference = gaussian(second);
  const value = distance(gaussian(first), reference);
  if (first.rows < 3) return { value, error: null };
  const groups = Math.min(GROUPS, first.rows);
  const values = Array.from({ length: groups }, (_, group) => {
    const kept = Array.from({ length: first.rows }, (_, row) => row).filter((row) => row % groups !== group);
    return distance(gaussian(first.subMatrixRow(kept)), reference);
  });
  const mean = values.reduce((sum, value) => sum + value, 0) / groups;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { value, error: Math.sqrt((groups - 1) / groups * squares) };
}

/** A set's mean, and its centred rows divided by √(n − 1): their Gram matrix is the covariance. */
interface Gaussian {
  readonly mean: readonly number[];
  readonly rows: Matrix;
}

function matrixOf({ data, shape: [rows, columns] }: Tensor): Matrix {
  if (rows < 2) {
    throw new RangeError(`Cannot take the Fréchet distance of ${rows} pictures: at least two were wanted.`);
  }
  return Matrix.from1DArray(rows, columns, Array.from(data));
}

function gaussian(features: Matrix): Gaussian {
  const mean = features.mean("column");
  return { mean, rows: features.clone().subRowVector(mean).div(Math.sqrt(features.rows - 1)) };
}

function distance(a: Gaussian, b: Gaussian): number {
  const means = a.mean.reduce((sum, value, index) => sum + (value - b.mean[index]) ** 2, 0);
  return means + squares(a.rows) + squares(b.rows) - 2 * traceOfRoot(a.rows, b.rows);
}

/** The trace of a Gram matrix: the sum of all squares. */
function squares(rows: Matrix): number {
  return rows.norm("frobenius") ** 2;
}

/** tr((AᵀA·BᵀB)^½) */
function traceOfRoot(a: Matrix, b: Matrix): number {
  if (a.columns <= Math.min(a.rows, b.rows)) {
    const root = symmetricRoot(a.transpose().mmul(a));
    return rootSum(root.mmul(b.transpose().mmul(b)).mmul(root));
  }
  const product = a.rows <= b.rows ? a.mmul(b.transpose()) : b.mmul(a.transpose());
  return rootSum(product.mmul(product.transpose()));
}

/** The sum of the roots of a symmetric matrix's eigenvalues; those that rounding made negative are zero. */
function rootSum(symmetric: Matrix): number {
  const { realEigenvalues } = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
  return realEigenvalues.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
}

function symmetricRoot(covariance: Matrix): Matrix {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance, { assumeSymmetric: true });
  const roots = Matrix.diag(realEigenvalues.map((value) => Math.sqrt(Math.max(0, value))));
  return eigenvectorMatrix.mmul(roots).mmul(eigenvectorMatrix.transpose());
}
