// One Cornerstone stack viewport, asked for planes of views. It loads one plane at a time and then what was asked for
// last: without WebGL Cornerstone never settles a load that another has overtaken, and shows a late image of the stack
// before; with WebGL it keeps a failed load to itself and calls the plane its own. A plane that did not come leaves no other on
// the screen. `shows` tells what is on the screen.

import { Enums, type StackViewport, type Types } from "@cornerstonejs/core";
import { engine, imageIdsOf, prepare } from "./cornerstone";
import type { View } from "./view";

interface Wanted {
  readonly view: View;
  readonly plane: number;
}

export class Layer {
  private wanted: Wanted | null = null;
  private shown: Wanted | null = null;
  private stack = ""; // the view whose stack the viewport has
  private running: Promise<void> | null = null;
  enabled = false;

  constructor(
    readonly id: string,
    readonly element: HTMLDivElement,
  ) {}

  /** Make the viewport; the element must be on the page by now. */
  enable(): void {
    const defaultOptions = { background: [0, 0, 0] as Types.Point3 };
    engine().enableElement({ viewportId: this.id, element: this.element, type: Enums.ViewportType.STACK, defaultOptions });
    this.enabled = true;
  }

  disable(): void {
    if (!this.enabled) return;
    this.enabled = false;
    this.forget();
    engine().disableElement(this.id);
  }

  get viewport(): StackViewport {
    return engine().getViewport<StackViewport>(this.id);
  }

  /** Whether the viewport has the stack of a view: its camera and its scale are this view's. */
  holds(view: View): boolean {
    return this.stack === view.id;
  }

  /** Whether this plane of this view is what is on the screen. */
  shows(view: View, plane: number): boolean {
    return this.holds(view) && this.shown?.plane === plane;
  }

  /** Show a plane; settles when it, or what was asked for after it, is there. */
  bring(view: View, plane: number): Promise<void> {
    this.wanted = { view, plane };
    this.running ??= this.run();
    return this.running;
  }

  private async run(): Promise<void> {
    try {
      await Promise.resolve(); // so that `running` is set before it is cleared
      for (let next = this.wanted; next !== null && this.enabled && !this.shows(next.view, next.plane); next = this.wanted) await this.load(next);
    } finally {
      this.running = null;
    }
  }

  private async load(next: Wanted): Promise<void> {
    const { view, plane } = next;
    this.shown = null;
    if (!this.holds(view)) this.hide(); // the picture of another series, perhaps of another visit
    try {
      const imageId = await prepare(view, plane);
      if (!this.enabled || this.wanted !== next) return;
      if (this.holds(view)) await this.viewport.setImageIdIndex(plane);
      else {
        this.stack = "";
        await this.viewport.setStack(imageIdsOf(view), plane);
      }
      if (this.isGone()) return;
      if (this.viewport.getCornerstoneImage().imageId !== imageId) throw new Error(`plane ${plane + 1} of series ${view.source.uid} cannot be shown`);
      this.stack = view.id;
      this.shown = next;
      this.element.style.visibility = "";
    } catch (error) {
      if (!this.enabled || this.wanted !== next) return;
      this.wanted = null; // it may be asked for again
      this.hide();
      throw error;
    }
  }

  /** Show nothing. */
  clear(): void {
    this.forget();
    this.hide();
  }

  private hide(): void {
    this.element.style.visibility = "hidden";
  }

  private isGone(): boolean {
    return !this.enabled;
  }

  private forget(): void {
    this.wanted = null;
    this.shown = null;
    this.stack = "";
  }
}
