// A mask as the network carries it: a bounding box of the image's grid and one bit a voxel, packed little end first,
// voxels in the order k, j, i (i fastest). In the page it is one byte a voxel in the same box.

import type { Vec3 } from "../image/vector";

export interface PackedMask {
  readonly start_kji: Vec3;
  readonly size_kji: Vec3;
  readonly bits: string; // base64
}

export interface BoxMask {
  readonly start: Vec3; // i, j, k of the box's first voxel
  readonly size: Vec3; // i, j, k
  readonly voxels: Uint8Array; // 0 or 1, i fastest
}

export const EMPTY: BoxMask = { start: [0, 0, 0], size: [0, 0, 0], voxels: new Uint8Array() };

const turned = (kji: Vec3): Vec3 => [kji[2], kji[1], kji[0]];

export function unpack(packed: PackedMask): BoxMask {
  const size = turned(packed.size_kji);
  const count = size[0] * size[1] * size[2];
  const bytes = Uint8Array.from(atob(packed.bits), (letter) => letter.charCodeAt(0));
  if (bytes.length !== Math.ceil(count / 8)) {
    throw new RangeError(`mask: expected ${Math.ceil(count / 8)} bytes for ${count} voxels, found ${bytes.length}`);
  }
  const voxels = new Uint8Array(count);
  for (let n = 0; n < count; n++) voxels[n] = ((bytes[n >> 3] ?? 0) >> (n & 7)) & 1;
  return { start: turned(packed.start_kji), size, voxels };
}

export function isSet(mask: BoxMask, i: number, j: number, k: number): boolean {
  const [a, b, c] = [i - mask.start[0], j - mask.start[1], k - mask.start[2]];
  if (a < 0 || b < 0 || c < 0 || a >= mask.size[0] || b >= mask.size[1] || c >= mask.size[2]) return false;
  return mask.voxels[(c * mask.size[1] + b) * mask.size[0] + a] === 1;
}

/** The same mask in a box that also holds these corners (inclusive). */
export function grown(mask: BoxMask, low: Vec3, high: Vec3): BoxMask {
  const empty = mask.voxels.length === 0;
  const first = (axis: 0 | 1 | 2): number => (empty ? low[axis] : Math.min(low[axis], mask.start[axis]));
  const last = (axis: 0 | 1 | 2): number => (empty ? high[axis] : Math.max(high[axis], mask.start[axis] + mask.size[axis] - 1));
  const start: Vec3 = [first(0), first(1), first(2)];
  const size: Vec3 = [last(0) - start[0] + 1, last(1) - start[1] + 1, last(2) - start[2] + 1];
  const voxels = new Uint8Array(size[0] * size[1] * size[2]);
  for (let k = 0; k < mask.size[2]; k++) {
    for (let j = 0; j < mask.size[1]; j++) {
      const from = (k * mask.size[1] + j) * mask.size[0];
      const row = (k + mask.start[2] - start[2]) * size[1] + (j + mask.start[1] - start[1]);
      voxels.set(mask.voxels.subarray(from, from + mask.size[0]), row * size[0] + mask.start[0] - start[0]);
    }
  }
  return { start, size, voxels };
}
