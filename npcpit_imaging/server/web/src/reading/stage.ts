// The two sides together: they are linked by one world point, carried from one space to the other by the server's
// registrations; zoom and window are shared. Slice numbers are never compared.

import { during } from "../dom/busy";
import { h, replace } from "../dom/h";
import type { Link, SeriesLine } from "../api/types";
import { engine } from "../image/cornerstone";
import { Links, repeats, serverMap, type Path } from "../image/links";
import { IDENTITY } from "../image/transform";
import type { Pane } from "../image/pane";
import { wholeHeight_mm } from "../image/pane";
import { distance, type Vec3 } from "../image/vector";
import { dragged, presetsOf, type WindowPreset } from "../image/windows";
import { volumeOf } from "../image/volume";
import { Side, type SideName } from "./side";

export interface Fusion {
  readonly text: string;
  readonly warning: boolean;
}

export class Stage {
  readonly left: Side;
  readonly right: Side;
  readonly root: HTMLElement;
  active: SideName = "right";
  linked = true;
  fused = false;
  opacity = 0.6;
  offset_mm: number | null = null; // how far the two sides are apart when one was moved alone
  readonly links: Links;
  private moving = false;
  private fusion = 0;
  private next: { side: SideName; point: Vec3; middle: Vec3 | undefined; alone: boolean } | null = null;

  constructor(
    readonly series: readonly SeriesLine[],
    links: readonly Link[],
    place: { readonly subject: string; readonly timepoint: string },
    private readonly drawn: (side: Side, pane: Pane) => void,
    private readonly moved: () => void,
  ) {
    this.links = new Links(series, links, serverMap(place.subject, place.timepoint));
    this.left = new Side("left", "Earlier image", (pane) => this.drawn(this.left, pane));
    this.right = new Side("right", "Current image", (pane) => this.drawn(this.right, pane));
    this.root = h("div", { class: "stage" });
    replace(this.root, this.left.root, this.right.root);
  }

  get sides(): readonly Side[] {
    return [this.left, this.right];
  }

  side(name: SideName): Side {
    return name === "left" ? this.left : this.right;
  }

  other(name: SideName): Side {
    return name === "left" ? this.right : this.left;
  }

  /** The way from one side's space to the other's; null when there is no registration. */
  path(from: SideName): Path | null {
    const [here, there] = [this.side(from).volume?.uid, this.other(from).volume?.uid];
    return here === undefined || there === undefined ? null : this.links.between(here, there);
  }

  /** Move one side to a point, and the other with it. Quick moves are gathered: the last one counts. */
  async go(side: SideName, point: Vec3, middle?: Vec3, alone = false): Promise<void> {
    this.next = { side, point, middle, alone };
    if (this.moving) return;
    this.moving = true;
    try {
      for (let move = this.take(); move !== null; move = this.take()) await during(this.move(move.side, move.point, move.middle, move.alone));
    } finally {
      this.moving = false;
    }
    this.moved();
  }

  private take(): { side: SideName; point: Vec3; middle: Vec3 | undefined; alone: boolean } | null {
    const move = this.next;
    this.next = null;
    return move;
  }

  private async move(name: SideName, point: Vec3, middle: Vec3 | undefined, alone: boolean): Promise<void> {
    const [here, there] = [this.side(name), this.other(name)];
    await here.look(point, middle);
    const path = this.path(name);
    if (path === null || there.main.view === null) {
      this.offset_mm = null;
      return;
    }
    const mapped = await path.map(here.main.focus);
    if (!this.linked || alone || mapped === null) {
      this.offset_mm = mapped === null ? null : distance(mapped, there.main.focus);
      return;
    }
    const mappedMiddle = (await path.map(here.main.middle())) ?? mapped;
    there.main.halfHeight_mm = here.main.halfHeight_mm;
    await there.look(mapped, mappedMiddle);
    this.offset_mm = 0;
  }

  /** Scroll by planes: down is towards the feet. */
  scroll(name: SideName, steps: number, alone = false, pane: Pane = this.side(name).main): Promise<void> {
    const up = (pane.view?.grid.axes[2][2] ?? 1) >= 0 ? 1 : -1;
    const across = pane === this.side(name).main ? up : 1;
    const point = pane.stepped(steps * across);
    return this.go(name, point, undefined, alone);
  }

  zoom(factor: number): void {
    const main = this.side(this.active).main;
    for (const side of this.linked ? this.sides : [this.side(this.active)]) side.main.zoomTo(main.halfHeight_mm * factor);
    this.moved();
  }

  /** All of the image, in the middle. */
  async whole(): Promise<void> {
    for (const side of this.sides) {
      const { view } = side.main;
      if (view === null) continue;
      side.main.halfHeight_mm = wholeHeight_mm(view);
      const [a, b] = [(view.grid.size[0] - 1) / 2, (view.grid.size[1] - 1) / 2];
      side.main.panTo(side.main.pointAt(a, b));
    }
    await this.go(this.active, this.side(this.active).main.focus);
  }

  async pan(name: SideName, middle: Vec3): Promise<void> {
    this.side(name).main.panTo(middle);
    const path = this.linked ? this.path(name) : null;
    const mapped = path === null ? null : await path.map(middle);
    if (mapped !== null) this.other(name).main.panTo(mapped);
  }

  /** A preset by its digit, on both sides (each by its own modality). */
  preset(n: number): void {
    for (const side of this.sides) {
      const preset = side.volume === null ? undefined : presetsOf(side.volume.geometry)[n];
      if (preset !== undefined) side.setWindow(preset);
    }
    this.moved();
  }

  dragWindow(from: WindowPreset, right_px: number, down_px: number): void {
    const window = dragged(from, right_px, down_px);
    const unit = this.side(this.active).volume?.geometry.modality;
    for (const side of this.sides) if (side.volume?.geometry.modality === unit) side.setWindow(window);
    this.moved();
  }

  async setMpr(on: boolean): Promise<void> {
    for (const side of this.sides) if (side.volume !== null) await side.setMpr(on);
    this.resize();
    await this.go(this.active, this.side(this.active).main.focus, this.side(this.active).main.focus);
  }

  /** Lay each visit's PET over its image, through a shared frame of reference or a registration; say how; null when overtaken. */
  async setFusion(on: boolean, upper: number): Promise<Fusion | null> {
    const turn = ++this.fusion;
    this.fused = on;
    const said: string[] = [];
    let warning = false;
    for (const side of this.sides) {
      if (side.timepoint === "") continue;
      const found = on ? await this.fuseOrSay(side, upper, turn) : await side.fuse(null, IDENTITY, upper, 0).then(() => null);
      if (turn !== this.fusion) return null;
      if (found === null) continue;
      said.push(`${side.timepoint}: ${found.text}`);
      warning ||= found.warning;
    }
    return { text: [...new Set(said)].join("; "), warning };
  }

  /** One side's failure takes its PET away, and nothing of the other side. */
  private async fuseOrSay(side: Side, upper: number, turn: number): Promise<Fusion | null> {
    try {
      return await this.fuseSide(side, upper, turn);
    } catch (error) {
      if (turn === this.fusion) await side.fuse(null, IDENTITY, upper, 0);
      return { text: `PET not laid on: ${error instanceof Error ? error.message : String(error)}`, warning: true };
    }
  }

  private async fuseSide(side: Side, upper: number, turn: number): Promise<Fusion | null> {
    const pet = this.series.find((each) => each.timepoint === side.timepoint && each.role === "pet");
    const base = side.volume;
    const none = async (text: string): Promise<Fusion> => {
      await side.fuse(null, IDENTITY, upper, 0);
      return { text, warning: true };
    };
    if (base === null || pet === undefined) return none("no PET of this visit");
    if (base.uid === pet.uid) return none("this is the PET itself");
    const path = this.links.between(base.uid, pet.uid);
    if (path === null || path.rigid === null) return none(path === null ? "PET has another frame of reference and no registration: not fused; choose the CT of the PET" : "PET is registered by a deformable transform: not fused; choose the CT of the PET");
    const volume = await volumeOf(pet.uid);
    if (turn !== this.fusion || side.volume !== base) return null; // the path was another image's
    await side.fuse(volume, path.rigid, upper, this.opacity);
    if (path.sameFrame) return { text: "same frame of reference", warning: false };
    const doubt = path.uncertainty_mm === null ? "" : ` (${repeats(path.uncertainty_mm)})`;
    return { text: `PET has another frame of reference; laid on by registration${doubt}: compare the anatomy`, warning: true };
  }

  /** The panes have another size. */
  resize(): void {
    for (const side of this.sides) side.resize();
    engine().resize(true, true);
  }

  disable(): void {
    for (const side of this.sides) side.disable();
  }
}
