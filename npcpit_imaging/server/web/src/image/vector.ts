// Points and vectors in patient space: LPS millimetres, x to Left, y to Posterior, z to Superior.

export type Vec3 = readonly [number, number, number];

export const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const subtract = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const scale = (a: Vec3, by: number): Vec3 => [a[0] * by, a[1] * by, a[2] * by];
export const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const length = (a: Vec3): number => Math.hypot(a[0], a[1], a[2]);
export const distance = (a: Vec3, b: Vec3): number => length(subtract(a, b));
export const middle = (a: Vec3, b: Vec3): Vec3 => scale(add(a, b), 0.5);

export function toVec3(values: ArrayLike<number>): Vec3 {
  const [x, y, z] = [values[0], values[1], values[2]];
  if (x === undefined || y === undefined || z === undefined) throw new RangeError(`expected three numbers, found ${String(values.length)}`);
  return [x, y, z];
}
