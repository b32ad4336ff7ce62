// The outline of a mask in one slice: closed lines half-way between voxels that are in and voxels that are out
// (marching squares), in fractional (column, row) of the plane that is asked for.

export type Point2 = readonly [number, number];

export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly start: Point2;
  isSet(a: number, b: number): boolean; // in the box, from 0
}

// Ends of the line pieces in a cell, by its corners (1 top left, 2 top right, 4 bottom right, 8 bottom left); the mask lies to
// the right of the direction of travel. T, R, B, L are the middles of the cell's sides.
const PIECES: readonly (readonly string[])[] = [
  [], ["LT"], ["TR"], ["LR"], ["RB"], ["LT", "RB"], ["TB"], ["LB"],
  ["BL"], ["BT"], ["TR", "BL"], ["BR"], ["RL"], ["RT"], ["TL"], [],
]; // prettier-ignore

export function outlines(plane: Plane): Point2[][] {
  const next = new Map<string, Point2[]>();
  const set = (a: number, b: number): number => (a >= 0 && b >= 0 && a < plane.width && b < plane.height && plane.isSet(a, b) ? 1 : 0);
  for (let b = -1; b < plane.height; b++) {
    for (let a = -1; a < plane.width; a++) {
      const corners = set(a, b) | (set(a + 1, b) << 1) | (set(a + 1, b + 1) << 2) | (set(a, b + 1) << 3);
      for (const piece of PIECES[corners] ?? []) {
        const [from, to] = [side(piece[0], a, b), side(piece[1], a, b)];
        const key = keyOf(from);
        next.set(key, [...(next.get(key) ?? []), to]);
      }
    }
  }
  return [...closed(next)].map((line) => line.map(([a, b]) => [a + plane.start[0], b + plane.start[1]] as const));
}

function side(name: string | undefined, a: number, b: number): Point2 {
  if (name === "T") return [a + 0.5, b];
  if (name === "B") return [a + 0.5, b + 1];
  return name === "L" ? [a, b + 0.5] : [a + 1, b + 0.5];
}

const keyOf = (point: Point2): string => `${point[0]},${point[1]}`;

function* closed(next: Map<string, Point2[]>): Generator<Point2[]> {
  for (const first of next.keys()) {
    while ((next.get(first)?.length ?? 0) > 0) {
      const line: Point2[] = [];
      let key = first;
      for (let to = next.get(key)?.pop(); to !== undefined; to = next.get(key)?.pop()) {
        line.push(to);
        key = keyOf(to);
      }
      yield line;
    }
  }
}
