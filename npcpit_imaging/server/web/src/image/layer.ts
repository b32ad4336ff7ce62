// One Cornerstone stack viewport, asked for planes of views. It loads one plane at a time and then what was asked for
// last: without WebGL Cornerstone never settles a load that another has overtaken, and shows a late image of the stack
// before. `shows` tells what is on the screen; after a load that failed that is nothing, whatever Cornerstone says.

import { Enums, type StackViewport, type Types } from "@cornerstonejs/core";
import { engine, imageIdsOf } from "./cornerstone";
import type { View } from "./view";

/** Say why a plane is not there: with WebGL Cornerstone keeps a failure to load to itself. */
async function missing({ view, plane }: Wanted): Promise<never> {
  await view.plane(plane);
  throw new Error(`plane ${plane + 1} of series ${view.source.uid} could not be shown`);
}

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
    this.shown = null;
    try {
      if (this.holds(next.view)) await this.viewport.setImageIdIndex(next.plane);
      else {
        this.stack = "";
        await this.viewport.setStack(imageIdsOf(next.view), next.plane);
      }
      if (this.enabled && this.viewport.getCornerstoneImage().imageId !== imageIdsOf(next.view)[next.plane]) await missing(next);
    } catch (error) {
      this.stack = ""; // Cornerstone calls the plane its own by now, though it never came
      if (this.enabled && this.wanted === next) {
        this.wanted = null; // it may be asked for again
        throw error;
      }
      return;
    }
    if (!this.enabled) return;
    this.stack = next.view.id;
    this.shown = next;
  }

  private forget(): void {
    this.wanted = null;
    this.shown = null;
    this.stack = "";
  }
}
