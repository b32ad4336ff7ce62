// One image on the screen: a Cornerstone stack viewport, a second one laid over it for fusion, and a canvas for what
// is drawn on top. A pane is steered by one world point (its focus), a scale in mm and a window; never by slice numbers.

import { Enums, StackViewport, type Types } from "@cornerstonejs/core";
import { h } from "../dom/h";
import { engine, HOT, imageIdsOf } from "./cornerstone";
import { centre, clamp, intoSlice, sliceAt, toIndex, toWorld } from "./grid";
import { add, distance, scale, subtract, toVec3, type Vec3 } from "./vector";
import type { View } from "./view";
import type { WindowPreset } from "./windows";

export class Pane {
  readonly canvas = h("canvas", { class: "overlay", "aria-hidden": true });
  readonly root: HTMLElement;
  private readonly under = h("div", { class: "layer" });
  private readonly over = h("div", { class: "layer fused", hidden: true });
  private fused: View | null = null;
  private fuseAsked = "";
  private fusable = false;
  enabled = false;
  private turn = 0;
  private asked = ""; // the view whose stack was asked for
  private opened = ""; // the view whose stack is there: until then the viewport holds another image, or none
  private opening: Promise<void> = Promise.resolve();
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
    this.root = h("div", { class: "image", role: "img", "aria-label": label, "data-pane": id }, this.under, this.over, this.canvas);
  }

  /** Make the viewport; the element must be on the page by now. */
  enable(): void {
    this.enableLayer("under", this.under);
    this.enabled = true;
    this.under.addEventListener(Enums.Events.IMAGE_RENDERED, this.drawn);
  }

  private enableLayer(name: "under" | "over", element: HTMLDivElement): void {
    const defaultOptions = { background: [0, 0, 0] as Types.Point3 };
    engine().enableElement({ viewportId: `${this.id}-${name}`, element, type: Enums.ViewportType.STACK, defaultOptions });
  }

  disable(): void {
    engine().disableElement(`${this.id}-under`);
    if (this.fusable) engine().disableElement(`${this.id}-over`);
  }

  get viewport(): StackViewport {
    return engine().getViewport<StackViewport>(`${this.id}-under`);
  }

  private get overlaid(): StackViewport {
    return engine().getViewport<StackViewport>(`${this.id}-over`);
  }

  /** Whether the image of `view` is there: nothing may be drawn on, or measured in, the one before it. */
  get ready(): boolean {
    return this.view !== null && this.opened === this.view.id;
  }

  private async open(view: View, plane: number): Promise<void> {
    this.asked = view.id;
    this.opened = "";
    try {
      await this.viewport.setStack(imageIdsOf(view), plane);
    } catch (error) {
      if (this.asked === view.id) this.asked = ""; // it may be asked for again
      throw error;
    }
    if (this.asked === view.id) this.opened = view.id;
  }

  /** Show a view at a world point (or where the pane looked before). */
  async show(view: View, focus: Vec3 | null): Promise<void> {
    const turn = ++this.turn;
    this.view = view;
    this.focus = focus ?? centre(view.grid);
    if (this.halfHeight_mm === 0) this.halfHeight_mm = wholeHeight_mm(view);
    const plane = sliceAt(view.grid, this.focus);
    if (this.asked !== view.id) this.opening = this.open(view, plane);
    await this.opening;
    if (this.view !== view || !this.ready) return;
    this.applyWindow();
    if (turn === this.turn) await this.look(this.focus, this.focus); // else somebody has asked for another point meanwhile
  }

  /** Look at a world point: show its plane, and bring `middle` (else what was there) to the middle of the pane. */
  async look(point: Vec3, middle?: Vec3): Promise<void> {
    if (this.view === null) return;
    const turn = ++this.turn;
    const { grid } = this.view;
    const plane = sliceAt(grid, point);
    this.focus = intoSlice(grid, point, plane);
    this.plane = plane;
    this.root.dataset["plane"] = String(plane);
    this.root.dataset["focus"] = this.focus.join(",");
    await this.opening.catch(() => undefined); // before it the viewport has no plane and no camera; `show` says what failed
    if (turn !== this.turn || !this.ready) return;
    const to = middle ?? this.middle();
    if (this.viewport.getCurrentImageIdIndex() !== plane) await this.viewport.setImageIdIndex(plane);
    if (turn !== this.turn) return;
    this.aim(this.viewport, intoSlice(grid, to, plane));
    await this.drawFused();
  }

  /** The world point in the middle of the pane. */
  middle(): Vec3 {
    return this.ready ? toVec3(this.viewport.getCamera().focalPoint ?? [...this.focus]) : this.focus;
  }

  panTo(point: Vec3): void {
    if (this.view === null || !this.ready) return;
    this.aim(this.viewport, intoSlice(this.view.grid, point, this.plane));
    if (this.fused !== null) this.aim(this.overlaid, intoSlice(this.view.grid, point, this.plane));
  }

  zoomTo(halfHeight_mm: number): void {
    this.halfHeight_mm = clamp(halfHeight_mm, 8, 400);
    this.panTo(this.middle());
  }

  private aim(viewport: StackViewport, at: Vec3): void {
    const camera = viewport.getCamera();
    const [position, focal] = [camera.position, camera.focalPoint];
    if (position === undefined || focal === undefined) return;
    const moved = add(at, subtract(toVec3(position), toVec3(focal)));
    viewport.setCamera({ focalPoint: [...at], position: [...moved], parallelScale: this.halfHeight_mm });
    viewport.render();
  }

  /** The window of the next image that is shown. */
  setWindowLater(preset: WindowPreset): void {
    this.window = preset;
  }

  setWindow(preset: WindowPreset): void {
    this.window = preset;
    this.applyWindow();
    if (this.ready) this.viewport.render();
  }

  private applyWindow(): void {
    if (this.window === null || !this.ready) return;
    const { lower, upper, invert } = this.window;
    this.viewport.setProperties({ voiRange: { lower, upper }, invert });
  }

  /** Lay another image over this one; null takes it away. */
  async fuse(view: View | null, upper: number, opacity: number): Promise<void> {
    this.over.hidden = view === null;
    this.fuseAsked = view?.id ?? "";
    if (view === null || this.fused?.id !== view.id) this.fused = null;
    if (view === null) return;
    if (!this.fusable) this.enableLayer("over", this.over);
    this.fusable = true;
    if (this.fused === null) {
      this.over.style.opacity = "0"; // not the image before it
      await this.overlaid.setStack(imageIdsOf(view), this.plane);
      if (this.fuseAsked !== view.id) return;
      this.fused = view;
    }
    this.over.style.opacity = String(opacity);
    this.overlaid.setProperties({ voiRange: { lower: 0, upper }, colormap: { name: HOT } });
    await this.drawFused();
  }

  setFusedOpacity(opacity: number): void {
    this.over.style.opacity = String(opacity);
  }

  private async drawFused(): Promise<void> {
    if (this.fused === null || this.view === null || !this.ready) return;
    if (this.overlaid.getCurrentImageIdIndex() !== this.plane) await this.overlaid.setImageIdIndex(this.plane);
    this.aim(this.overlaid, intoSlice(this.view.grid, this.middle(), this.plane));
  }

  toCanvas(point: Vec3): readonly [number, number] {
    const [x, y] = this.viewport.worldToCanvas([...point]);
    return [x, y];
  }

  /** The world point under a place on the pane, in the plane that is shown. */
  toPoint(x: number, y: number): Vec3 {
    const point = toVec3(this.viewport.canvasToWorld([x, y]));
    return this.view === null ? point : intoSlice(this.view.grid, point, this.plane);
  }

  /** The world point at a (column, row) of the shown plane. */
  pointAt(a: number, b: number): Vec3 {
    return this.view === null ? this.focus : toWorld(this.view.grid, [a, b, this.plane]);
  }

  /** From (column, row) of the shown plane to the canvas: x = m0 a + m1 b + m2, y = m3 a + m4 b + m5. */
  planeToCanvas(): readonly [number, number, number, number, number, number] {
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
