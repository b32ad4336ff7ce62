// The mouse (or pen) on the images: wheel scrolls both sides (Alt: this side only; Ctrl: zooms), the middle button pans,
// the right one zooms, the left one is the tool's or takes an end of a caliper.

import type { LesionEntry } from "../api/types";
import type { Pane } from "../image/pane";
import { add, subtract, type Vec3 } from "../image/vector";
import type { WindowPreset } from "../image/windows";
import type { ReadModel } from "./model";
import type { Side } from "./side";
import type { Stage } from "./stage";
import type { Handle, Meaning, Tools } from "./tools";

export interface Hand {
  readonly stage: Stage;
  readonly tools: Tools;
  readonly model: ReadModel;
  lesion(): LesionEntry | null;
  redraw(): void;
  draw(pane: Pane, points: readonly Vec3[], meaning: Meaning): void;
  dragged(pane: Pane, handle: Handle, at: Vec3): void;
  refuse(why: string): void;
}

interface Stroke {
  readonly side: Side;
  readonly pane: Pane;
  readonly kind: "pan" | "zoom" | "window" | "draw" | "handle" | "look";
  readonly x: number;
  readonly y: number;
  readonly middle: Vec3;
  readonly window: WindowPreset | null;
  readonly handle: Handle | null;
  readonly points: Vec3[];
  lastY: number;
}

export class Pointer {
  private stroke: Stroke | null = null;
  private wheel = 0;

  constructor(private readonly hand: Hand) {
    const { root } = hand.stage;
    root.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    root.addEventListener("pointerdown", (event) => this.onDown(event));
    root.addEventListener("pointermove", (event) => this.onMove(event));
    root.addEventListener("pointerup", (event) => this.onUp(event));
    root.addEventListener("pointercancel", () => this.cancel());
    root.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  private find(event: MouseEvent): { side: Side; pane: Pane; x: number; y: number } | null {
    for (const side of this.hand.stage.sides) {
      for (const pane of side.panes) {
        const box = pane.root.getBoundingClientRect();
        const [x, y] = [event.clientX - box.left, event.clientY - box.top];
        if (pane.view !== null && x >= 0 && y >= 0 && x < box.width && y < box.height) return { side, pane, x, y };
      }
    }
    return null;
  }

  private onWheel(event: WheelEvent): void {
    const found = this.find(event);
    if (found === null) return;
    event.preventDefault();
    if (this.stroke?.kind === "draw" || this.stroke?.kind === "handle") return; // a stroke stays in its slice
    this.hand.stage.active = found.side.name;
    if (event.ctrlKey) {
      this.hand.stage.zoom(event.deltaY > 0 ? 1.1 : 1 / 1.1);
      return;
    }
    this.wheel += event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 33 : event.deltaY;
    const steps = Math.abs(this.wheel) >= 100 ? Math.trunc(this.wheel / 100) : Math.sign(this.wheel) * Number(Math.abs(event.deltaY) >= 50);
    if (steps === 0) return;
    this.wheel = 0;
    void this.hand.stage.scroll(found.side.name, -steps, event.altKey, found.pane);
  }

  private onDown(event: PointerEvent): void {
    const found = this.find(event);
    if (found === null || this.stroke !== null || event.target instanceof HTMLSelectElement) return;
    const { side, pane, x, y } = found;
    const { stage, tools } = this.hand;
    stage.active = side.name;
    const handle = pane.opened ? this.handleAt(found, event) : null;
    const kind = this.kindOf(event, handle);
    if (kind === "draw" && !this.mayDraw(side)) return;
    if (!pane.opened || (!pane.ready && (kind === "draw" || kind === "handle"))) {
      this.hand.refuse(ON_ITS_WAY);
      return;
    }
    stage.root.setPointerCapture(event.pointerId);
    this.stroke = { side, pane, kind, x, y, middle: pane.middle(), window: pane.window, handle, points: [pane.toPoint(x, y)], lastY: y };
    if (kind === "look") void stage.go(side.name, pane.toPoint(x, y));
    if (kind === "draw" && tools.tool !== "segment") this.showStroke();
  }

  private handleAt(found: { side: Side; pane: Pane; x: number; y: number }, event: PointerEvent): Handle | null {
    const { tools, model } = this.hand;
    const lesion = this.hand.lesion();
    const painting = tools.tool === "brush" || tools.tool === "erase";
    if (event.button !== 0 || painting || found.side.name !== "right" || !model.open || lesion === null || lesion.status === "confirmed") return null;
    return tools.handleAt(found.pane, lesion, found.x, found.y);
  }

  private kindOf(event: PointerEvent, handle: Handle | null): Stroke["kind"] {
    const { tools } = this.hand;
    if (event.button === 1 || (event.button === 0 && tools.tool === "pan")) return "pan";
    if (event.button === 2) return "zoom";
    if (handle !== null) return "handle";
    if (tools.tool === "window") return "window";
    return tools.draws ? "draw" : "look";
  }

  private mayDraw(side: Side): boolean {
    const why = whyNot(this.hand, side);
    if (why !== "") this.hand.refuse(why);
    return why === "";
  }

  private onMove(event: PointerEvent): void {
    const { stroke, hand } = this;
    if (stroke === null) {
      this.onHover(event);
      return;
    }
    const box = stroke.pane.root.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const point = stroke.pane.toPoint(x, y);
    if (stroke.kind === "pan") {
      const shift = subtract(stroke.pane.toPoint(stroke.x, stroke.y), point);
      void hand.stage.pan(stroke.side.name, add(stroke.middle, shift));
    } else if (stroke.kind === "zoom") {
      hand.stage.zoom(1 + (y - stroke.lastY) / 200);
      stroke.lastY = y;
    } else if (stroke.kind === "window") {
      if (stroke.window !== null) hand.stage.dragWindow(stroke.window, x - stroke.x, y - stroke.y);
    } else if (stroke.kind === "handle") {
      if (stroke.handle !== null) hand.tools.showHandle(stroke.pane, stroke.handle, point);
      hand.redraw();
    } else if (stroke.kind === "draw") {
      stroke.points.push(point);
      this.showStroke();
    } else void hand.stage.go(stroke.side.name, point);
  }

  private onHover(event: PointerEvent): void {
    const found = this.find(event);
    if (found === null || !found.pane.opened || found.side.name !== "right" || !this.hand.tools.draws) return;
    this.hand.tools.hover(found.pane.toPoint(found.x, found.y));
    this.hand.redraw();
  }

  private showStroke(): void {
    const lesion = this.hand.lesion();
    if (this.stroke === null || lesion === null) return;
    this.hand.tools.show(this.stroke.pane, this.hand.model, lesion, this.stroke.points);
    this.hand.redraw();
  }

  private onUp(event: PointerEvent): void {
    const { stroke, hand } = this;
    this.stroke = null;
    if (stroke === null) return;
    if (stroke.kind === "draw") hand.draw(stroke.pane, stroke.points, { add: event.shiftKey, exclude: event.ctrlKey });
    else if (stroke.kind === "handle" && stroke.handle !== null) {
      const box = stroke.pane.root.getBoundingClientRect();
      hand.dragged(stroke.pane, stroke.handle, stroke.pane.toPoint(event.clientX - box.left, event.clientY - box.top));
    }
    hand.redraw();
  }

  private cancel(): void {
    this.stroke = null;
    this.hand.tools.clear();
    this.hand.redraw();
  }
}

/** Said when a tool is used on a slice that is not on the screen yet. */
export const ON_ITS_WAY = "This slice is still on its way.";

/** Why nothing can be drawn on a side just now; empty when it can. */
export function whyNot(hand: Pick<Hand, "model" | "lesion">, side: Side): string {
  const lesion = hand.lesion();
  if (!hand.model.open) return "This time point is signed. Unlock it with a reason to change it.";
  if (side.name === "left") return "Earlier images are only looked at. Draw on the right.";
  if (lesion === null) return "Choose a lesion first (Tab).";
  if (lesion.status === "confirmed") return `${lesion.lesion} is confirmed. Reopen it to draw again.`;
  return "";
}
