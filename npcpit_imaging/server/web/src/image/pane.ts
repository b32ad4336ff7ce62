// One image on the screen: a Cornerstone stack viewport, another image laid over it for fusion, and a canvas for what
// is drawn on top. A pane is steered by one world point (its focus), a scale in mm and a window; never by slice numbers.

import { Enums, type StackViewport } from "@cornerstonejs/core";
import { h } from "../dom/h";
import { drawnOffset } from "./cornerstone";
import { FusedLayer, type Placing } from "./fused";
import { centre, clamp, intoSlice, sliceAt, toIndex, toWorld } from "./grid";
import { Layer } from "./layer";
import { add, distance, scale, subtract, toVec3, type Vec3 } from "./vector";
import type { View } from "./view";
import type { WindowPreset } from "./windows";

export class Pane {
  readonly canvas = h("canvas", { class: "overlay", "aria-hidden": true });
  readonly root: HTMLElement;
  private readonly under: Layer;
  private readonly over = new FusedLayer();
  private fused: View | null = null;
  private fusedUpper = 0;
  private turn = 0;
  view: View | null = null;
  focus: Vec3 = [0, 0, 0];
  plane = 0;
  halfHeight_mm = 0;
  window: WindowPreset | null = null;

  constructor(
    readonly id: string,
    label: string,
    private readonly drawn: () => void,
  ) {
    this.under = new Layer(`${id}-under`, h("div", { class: "layer" }));
    this.root = h("div", { class: "image", role: "img", "aria-label": label, "data-pane": id }, this.under.element, this.over.canvas, this.canvas);
  }

  /** Make the viewport; the element must be on the page by now. */
  enable(): void {
    this.under.enable();
    this.under.element.addEventListener(Enums.Events.IMAGE_RENDERED, () => {
      this.placeFused();
      this.drawn();
    });
  }

  get enabled(): boolean {
    return this.under.enabled;
  }

  disable(): void {
    this.under.disable();
    this.over.clear();
  }

  private get viewport(): StackViewport {
    return this.under.viewport;
  }

  /** Whether the stack of `view` is there, so that places on the screen mean its places; the plane may be on its way. */
  get opened(): boolean {
    return this.view !== null && this.under.holds(this.view);
  }

  /** Whether the plane that is meant is on the screen: nothing may be drawn on, or measured in, another one. */
  get ready(): boolean {
    return this.view !== null && this.under.shows(this.view, this.plane);
  }

  /** Show nothing. */
  clear(): void {
    this.turn++;
    this.view = null;
    this.fused = null;
    this.over.clear();
    this.under.clear();
  }

  /** Show a view at a world point (or where the pane looked before). */
  async show(view: View, focus: Vec3 | null): Promise<void> {
    const turn = ++this.turn;
    if (this.view?.id !== view.id) void this.fuse(null, 0, 0); // it lay over the image before
    this.view = view;
    this.focus = focus ?? centre(view.grid);
    this.plane = sliceAt(view.grid, this.focus);
    if (this.halfHeight_mm === 0) this.halfHeight_mm = wholeHeight_mm(view);
    await this.under.bring(view, this.plane);
    if (this.view !== view || !this.opened) return;
    this.applyWindow();
    if (turn === this.turn) await this.look(this.focus, this.focus); // else somebody has asked for another point meanwhile
  }

  /** Look at a world point: show its plane, and bring `middle` (else what was there) to the middle of the pane. */
  async look(point: Vec3, middle?: Vec3): Promise<void> {
    if (this.view === null) return;
    const turn = ++this.turn;
    const { view } = this;
    const plane = sliceAt(view.grid, point);
    this.focus = intoSlice(view.grid, point, plane);
    this.plane = plane;
    this.root.dataset["plane"] = String(plane);
    this.root.dataset["focus"] = this.focus.join(",");
    const to = middle ?? this.middle();
    const anew = !this.opened;
    await this.under.bring(view, plane);
    if (turn !== this.turn || !this.ready) return;
    if (anew) this.applyWindow(); // a stack comes with a window of its own
    this.aim(intoSlice(view.grid, to, plane));
    await this.drawFused();
  }

  /** The world point in the middle of the pane. */
  middle(): Vec3 {
    const theirs = this.opened ? this.viewport.getCamera().focalPoint : undefined;
    return theirs === undefined ? this.focus : subtract(toVec3(theirs), this.offset);
  }

  panTo(point: Vec3): void {
    if (this.view === null || !this.opened) return;
    this.aim(intoSlice(this.view.grid, point, this.plane));
  }

  zoomTo(halfHeight_mm: number): void {
    this.halfHeight_mm = clamp(halfHeight_mm, 8, 400);
    this.panTo(this.middle());
  }

  private aim(at: Vec3): void {
    const { viewport } = this;
    const camera = viewport.getCamera();
    const [position, focal] = [camera.position, camera.focalPoint];
    if (position === undefined || focal === undefined) return;
    const theirs = add(at, this.offset);
    const moved = add(theirs, subtract(toVec3(position), toVec3(focal)));
    viewport.setCamera({ focalPoint: [...theirs], position: [...moved], parallelScale: this.halfHeight_mm });
    viewport.render();
  }

  /** The window of the next image that is shown. */
  setWindowLater(preset: WindowPreset): void {
    this.window = preset;
  }

  setWindow(preset: WindowPreset): void {
    this.window = preset;
    this.applyWindow();
    if (this.opened) this.viewport.render();
  }

  private applyWindow(): void {
    if (this.window === null || !this.opened) return;
    const { lower, upper, invert } = this.window;
    this.viewport.setProperties({ voiRange: { lower, upper }, invert });
  }

  /** Lay another image over this one; null takes it away. */
  async fuse(view: View | null, upper: number, opacity: number): Promise<void> {
    this.fused = view;
    this.fusedUpper = upper;
    this.over.clear();
    this.setFusedOpacity(opacity);
    await this.drawFused();
  }

  setFusedOpacity(opacity: number): void {
    this.over.canvas.style.opacity = String(opacity);
  }

  private async drawFused(): Promise<void> {
    const { fused, plane } = this;
    if (fused === null || !this.ready || this.over.shows(fused, plane)) return;
    await this.over.bring(fused, plane, this.fusedUpper);
    this.placeFused();
  }

  /** Draw the other image where this one lies; not over a plane that is not its own. */
  private placeFused(): void {
    if (this.fused === null || !this.ready || !this.over.shows(this.fused, this.plane)) this.over.hide();
    else this.over.place(this.planeToCanvas(), this.root.clientWidth, this.root.clientHeight);
  }

  private get offset(): Vec3 {
    return this.view === null ? [0, 0, 0] : drawnOffset(this.view);
  }

  toCanvas(point: Vec3): readonly [number, number] {
    const [x, y] = this.viewport.worldToCanvas([...add(point, this.offset)]);
    return [x, y];
  }

  /** The world point under a place on the pane, in the plane that is shown. */
  toPoint(x: number, y: number): Vec3 {
    const point = subtract(toVec3(this.viewport.canvasToWorld([x, y])), this.offset);
    return this.view === null ? point : intoSlice(this.view.grid, point, this.plane);
  }

  /** The world point at a (column, row) of the shown plane. */
  pointAt(a: number, b: number): Vec3 {
    return this.view === null ? this.focus : toWorld(this.view.grid, [a, b, this.plane]);
  }

  /** Where columns and rows of the shown plane lie on the canvas. */
  planeToCanvas(): Placing {
    if (this.view === null) return [1, 0, 0, 0, 1, 0];
    const { grid } = this.view;
    const at = (a: number, b: number) => this.toCanvas(toWorld(grid, [a, b, this.plane]));
    const [o, a, b] = [at(0, 0), at(100, 0), at(0, 100)];
    return [(a[0] - o[0]) / 100, (b[0] - o[0]) / 100, o[0], (a[1] - o[1]) / 100, (b[1] - o[1]) / 100, o[1]];
  }

  /** Whether a point lies in the plane that is shown. */
  shows(point: Vec3): boolean {
    return this.view !== null && Math.round(toIndex(this.view.grid, point)[2]) === this.plane;
  }

  /** Length of one screen pixel in mm. */
  get pixel_mm(): number {
    return distance(this.toPoint(0, 0), this.toPoint(100, 0)) / 100;
  }

  /** The point n planes further along the view's normal. */
  stepped(n: number): Vec3 {
    if (this.view === null) return this.focus;
    const { grid } = this.view;
    const plane = clamp(this.plane + n, 0, grid.size[2] - 1);
    return add(this.focus, scale(grid.axes[2], (plane - this.plane) * grid.spacing_mm[2]));
  }

  resize(): void {
    const { clientWidth, clientHeight } = this.root;
    const ratio = window.devicePixelRatio;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
  }
}

/** Half the height of a view's planes, in mm: what shows all of it. */
export const wholeHeight_mm = (view: View): number => (view.grid.size[1] * view.grid.spacing_mm[1]) / 2;
