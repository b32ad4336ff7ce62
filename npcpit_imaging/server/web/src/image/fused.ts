// Another image laid over a pane: its values in the planes of the pane's view, coloured by heat. It has the base's own
// grid, so it is drawn by the transform that places the base's columns and rows on the screen, and by nothing else.

import { h } from "../dom/h";
import type { View } from "./view";
import type { Voxels } from "./volume";

/** From (column, row) of a plane to the screen: x = m0 a + m1 b + m2, y = m3 a + m4 b + m5. */
export type Placing = readonly [number, number, number, number, number, number];

const STOPS = [[0, 0, 0, 0], [0.35, 217, 26, 0], [0.7, 255, 191, 13], [1, 255, 255, 217]] as const;

/** Black, red, yellow, white in 256 steps, three bytes each: black adds nothing where it is laid over a CT. */
export const HEAT = heat();

function heat(): Uint8Array {
  const table = new Uint8Array(3 * 256);
  for (let n = 0; n < 256; n++) {
    const at = n / 255;
    const next = Math.max(1, STOPS.findIndex(([stop]) => at <= stop));
    const [low, high] = [STOPS[next - 1] ?? STOPS[0], STOPS[next] ?? STOPS[3]];
    const part = (at - low[0]) / (high[0] - low[0]);
    for (const c of [1, 2, 3] as const) table[3 * n + c - 1] = Math.round(low[c] + part * (high[c] - low[c]));
  }
  return table;
}

/** A plane's values as opaque colours: 0 and less is black, `upper` and more the hottest. */
export function coloured(voxels: Voxels, upper: number, into: Uint8ClampedArray): void {
  for (let v = 0, at = 0; v < voxels.length; v++, at += 4) {
    const value = voxels[v] ?? 0;
    const step = value > 0 ? 3 * Math.min(255, Math.round((255 * value) / upper)) : 0; // NaN is black
    into[at] = HEAT[step] ?? 0;
    into[at + 1] = HEAT[step + 1] ?? 0;
    into[at + 2] = HEAT[step + 2] ?? 0;
    into[at + 3] = 255;
  }
}

export class FusedLayer {
  readonly canvas = h("canvas", { class: "layer fused", "aria-hidden": true, hidden: true });
  private readonly plane = document.createElement("canvas");
  private wanted: object | null = null;
  private shown: { readonly view: View; readonly plane: number } | null = null;

  /** Whether this plane of this view is what `place` draws. */
  shows(view: View, plane: number): boolean {
    return this.shown?.view === view && this.shown.plane === plane;
  }

  /** Fetch and colour a plane, unless another is asked for meanwhile, or none. Nothing shows until `place`. */
  async bring(view: View, plane: number, upper: number): Promise<void> {
    const mine = {};
    this.wanted = mine;
    this.hide();
    const voxels = await view.plane(plane);
    if (this.wanted !== mine) return;
    [this.plane.width, this.plane.height] = view.grid.size;
    const image = new ImageData(this.plane.width, this.plane.height);
    coloured(voxels, upper, image.data);
    this.plane.getContext("2d")?.putImageData(image, 0, 0);
    this.shown = { view, plane };
  }

  /** Draw what was brought where the base lies. */
  place([xa, xb, x0, ya, yb, y0]: Placing, width: number, height: number): void {
    const context = this.canvas.getContext("2d");
    if (this.shown === null || context === null) return;
    const ratio = window.devicePixelRatio;
    [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    context.setTransform(ratio * xa, ratio * ya, ratio * xb, ratio * yb, ratio * x0, ratio * y0);
    context.drawImage(this.plane, -0.5, -0.5); // a voxel's place is its centre
    this.canvas.hidden = false;
  }

  hide(): void {
    this.canvas.hidden = true;
    this.shown = null;
  }

  clear(): void {
    this.wanted = null;
    this.hide();
  }
}
