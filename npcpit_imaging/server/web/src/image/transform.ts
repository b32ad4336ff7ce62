// A rigid transform between two patient spaces, as the server gives it: 4x4, row by row, from one space to the other.

import type { Vec3 } from "./vector";

export interface Rigid {
  readonly matrix: readonly number[]; // 16, row-major
}

const ORTHONORMAL_TOLERANCE = 1e-3;

export function rigid(matrix: readonly number[]): Rigid {
  if (matrix.length !== 16 || !matrix.every(Number.isFinite)) throw new RangeError("transform: expected 16 finite numbers");
  for (let a = 0; a < 3; a++) {
    for (let b = a; b < 3; b++) {
      const product = [0, 1, 2].reduce((sum, row) => sum + at(matrix, row, a) * at(matrix, row, b), 0);
      const expected = a === b ? 1 : 0;
      if (Math.abs(product - expected) > ORTHONORMAL_TOLERANCE) throw new RangeError("transform: expected a rotation, found a scale or shear");
    }
  }
  return { matrix };
}

export const IDENTITY: Rigid = { matrix: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] };

const at = (matrix: readonly number[], row: number, column: number): number => matrix[4 * row + column] ?? NaN;

export function mapPoint(transform: Rigid, point: Vec3): Vec3 {
  const turned = mapVector(transform, point);
  const m = transform.matrix;
  return [turned[0] + at(m, 0, 3), turned[1] + at(m, 1, 3), turned[2] + at(m, 2, 3)];
}

/** Turn a direction; directions are not moved. */
export function mapVector(transform: Rigid, vector: Vec3): Vec3 {
  const row = (r: number): number =>
    at(transform.matrix, r, 0) * vector[0] + at(transform.matrix, r, 1) * vector[1] + at(transform.matrix, r, 2) * vector[2];
  return [row(0), row(1), row(2)];
}

export function inverse(transform: Rigid): Rigid {
  const m = transform.matrix;
  const back = (r: number): number => -(at(m, 0, r) * at(m, 0, 3) + at(m, 1, r) * at(m, 1, 3) + at(m, 2, r) * at(m, 2, 3));
  const row = (r: number): number[] => [at(m, 0, r), at(m, 1, r), at(m, 2, r), back(r)];
  return { matrix: [...row(0), ...row(1), ...row(2), 0, 0, 0, 1] };
}
