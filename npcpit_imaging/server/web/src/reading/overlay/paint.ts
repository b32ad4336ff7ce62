// Draws over an image. Only what lies in the plane that is shown is drawn; nothing is projected from other planes, but a
// caliper carried over from an earlier visit (a ghost): it may lie askew, and is shown in the plane of its middle.

import type { Pane } from "../../image/pane";
import { toIndex, toWorld } from "../../image/grid";
import { middle, type Vec3 } from "../../image/vector";
import type { View } from "../../image/view";
import { isSet, type BoxMask } from "../../mask/bits";
import { outlines, type Point2 } from "../../mask/contour";
import { INK, type Drawing, type Ink } from "./drawing";

const LABEL = "600 12.5px system-ui, sans-serif";

export function paint(pane: Pane, drawings: readonly Drawing[]): void {
  const context = pane.canvas.getContext("2d");
  if (context === null) return;
  const ratio = window.devicePixelRatio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, pane.canvas.width, pane.canvas.height);
  if (pane.view === null || !pane.ready) return;
  context.font = LABEL;
  for (const each of drawings) draw(context, pane, pane.view, each);
}

function draw(context: CanvasRenderingContext2D, pane: Pane, view: View, each: Drawing): void {
  if (each.kind === "mask") {
    if (each.series_uid === view.source.uid) drawMask(context, pane, view, each);
  } else if (each.kind === "caliper") {
    const here = each.series_uid === null || each.series_uid === view.source.uid;
    const shown = each.look === "ghost" ? [middle(...each.line)] : each.line;
    if (here && shown.every((point) => pane.shows(point))) drawCaliper(context, pane, each);
  } else if (each.kind === "cross") {
    drawCross(context, pane, each.point, each.strong);
  } else if (each.kind === "disc") {
    drawDisc(context, pane, each.point, each.radius_mm, each.erase);
  } else {
    drawGesture(context, pane, each);
  }
}

function stroke(context: CanvasRenderingContext2D, ink: Ink): void {
  context.setLineDash([]);
  context.lineWidth = ink.width + 2;
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.stroke();
  context.setLineDash([...ink.dash]);
  context.lineWidth = ink.width;
  context.strokeStyle = ink.line;
  context.stroke();
  context.setLineDash([]);
}

/** A label with a dark edge, so that it can be read on bone and on air. */
function write(context: CanvasRenderingContext2D, text: string, x: number, y: number, colour: string): void {
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = "rgba(0, 0, 0, 0.85)";
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

function drawMask(context: CanvasRenderingContext2D, pane: Pane, view: View, each: Extract<Drawing, { kind: "mask" }>): void {
  const lines = maskOutlines(view, pane.plane, each.mask);
  if (lines.length === 0) return;
  const [xa, xb, x0, ya, yb, y0] = pane.planeToCanvas();
  const place = ([a, b]: Point2): readonly [number, number] => [xa * a + xb * b + x0, ya * a + yb * b + y0];
  context.beginPath();
  let right: readonly [number, number] = [-Infinity, 0];
  let low = -Infinity;
  let left = Infinity;
  for (const line of lines) {
    line.forEach((point, n) => {
      const [x, y] = place(point);
      if (n === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
      if (x > right[0]) right = [x, y];
      low = Math.max(low, y);
      left = Math.min(left, x);
    });
    context.closePath();
  }
  context.fillStyle = INK[each.look].fill;
  context.fill("evenodd");
  stroke(context, INK[each.look]);
  // The field is named below it, so that it never covers what is measured.
  const below = { field: 16, margin: 30 }[each.look as string];
  if (each.label !== "") write(context, each.label, below === undefined ? right[0] + 8 : left, low + (below ?? 4), INK[each.look].line);
}

const kept = new WeakMap<BoxMask, Map<string, Point2[][]>>();

function maskOutlines(view: View, plane: number, mask: BoxMask): Point2[][] {
  const known = kept.get(mask) ?? new Map<string, Point2[][]>();
  kept.set(mask, known);
  const name = `${view.id}#${plane}`;
  const found = known.get(name) ?? traced(view, plane, mask);
  known.set(name, found);
  return found;
}

/** The outline of a mask in a plane of a view, whichever way the view cuts the volume. */
export function traced(view: View, plane: number, mask: BoxMask): Point2[][] {
  const { voxel, grid, source } = view;
  if (voxel === null || mask.voxels.length === 0) return [];
  const last: Vec3 = [mask.start[0] + mask.size[0] - 1, mask.start[1] + mask.size[1] - 1, mask.start[2] + mask.size[2] - 1];
  const ends = [mask.start, last].map((corner) => toIndex(grid, toWorld(source.grid, corner)).map(Math.round));
  const low = [0, 1, 2].map((axis) => Math.min(...ends.map((end) => end[axis] ?? 0)));
  const high = [0, 1, 2].map((axis) => Math.max(...ends.map((end) => end[axis] ?? 0)));
  const [a = 0, b = 0, c = 0] = low;
  if (plane < c || plane > (high[2] ?? c)) return [];
  const inside = (u: number, v: number): boolean => isSet(mask, ...voxel(u + a, v + b, plane));
  return outlines({ width: (high[0] ?? a) - a + 1, height: (high[1] ?? b) - b + 1, start: [a, b], isSet: inside });
}

function drawCaliper(context: CanvasRenderingContext2D, pane: Pane, each: Extract<Drawing, { kind: "caliper" }>): void {
  const ink = INK[each.look];
  const [start, end] = [pane.toCanvas(each.line[0]), pane.toCanvas(each.line[1])];
  context.beginPath();
  context.moveTo(...start);
  context.lineTo(...end);
  stroke(context, ink);
  if (each.handles) {
    for (const [x, y] of [start, end]) {
      context.beginPath();
      context.arc(x, y, 4.5, 0, 2 * Math.PI);
      context.fillStyle = "rgba(0, 0, 0, 0.6)";
      context.fill();
      stroke(context, { ...ink, dash: [] });
    }
  }
  if (each.label === "") return;
  const [left, right] = start[0] > end[0] ? [end, start] : [start, end];
  // What was there before is named on the left, so that it never covers what is measured now.
  if (each.look === "ghost") write(context, each.label, left[0] - 10 - context.measureText(each.label).width, left[1] + 4, ink.line);
  else write(context, each.label, right[0] + 12, right[1] + (each.axis === "long" ? 4 : 16), ink.line);
}

/** A cross with a gap, so that what it points at can be seen. */
function drawCross(context: CanvasRenderingContext2D, pane: Pane, point: Vec3, strong: boolean): void {
  const [x, y] = pane.toCanvas(point);
  const reach = strong ? 14 : 2000;
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
    context.moveTo(x + dx * (strong ? 4 : 26), y + dy * (strong ? 4 : 26));
    context.lineTo(x + dx * reach, y + dy * reach);
  }
  if (strong) {
    stroke(context, { line: "#e6edf3", fill: "", dash: [], width: 1.5 });
    return;
  }
  context.setLineDash([2, 7]);
  context.lineWidth = 1;
  context.strokeStyle = "rgba(150, 180, 210, 0.35)";
  context.stroke();
  context.setLineDash([]);
}

function drawDisc(context: CanvasRenderingContext2D, pane: Pane, point: Vec3, radius_mm: number, erase: boolean): void {
  const [x, y] = pane.toCanvas(point);
  context.beginPath();
  context.arc(x, y, radius_mm / pane.pixel_mm, 0, 2 * Math.PI);
  stroke(context, { line: erase ? "#ff9d9d" : "#e6edf3", fill: "", dash: [3, 3], width: 1.5 });
}

function drawGesture(context: CanvasRenderingContext2D, pane: Pane, each: Extract<Drawing, { kind: "gesture" }>): void {
  const points = each.points.map((point) => pane.toCanvas(point));
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return;
  context.beginPath();
  if (each.shape === "point") context.arc(first[0], first[1], 4, 0, 2 * Math.PI);
  else if (each.shape === "box") context.rect(first[0], first[1], last[0] - first[0], last[1] - first[1]);
  else points.forEach(([x, y], n) => (n === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  stroke(context, { line: "#ffffff", fill: "", dash: [], width: 1.5 });
  if (each.label !== "") write(context, each.label, last[0] + 10, last[1] - 6, "#ffffff");
}
