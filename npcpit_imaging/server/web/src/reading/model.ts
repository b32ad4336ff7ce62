// The read as the server holds it, and the queue of changes on their way there. The server is the record: a change is
// shown when it is saved. What could not be saved stays in the queue, is shown as not saved, and is sent again.

import { ApiError, get, post } from "../api/client";
import type { Change, Changed, LesionEntry, Mask, Read } from "../api/types";
import { during } from "../dom/busy";
import { EMPTY, unpack, type BoxMask } from "../mask/bits";

export type Saving = "saved" | "saving" | "failed";

type Step = { readonly route: "changes"; readonly change: Change } | { readonly route: "undo" | "redo" };

export class ReadModel {
  saving: Saving = "saved";
  savedAt = Date.now();
  problem = "";
  private readonly queue: { step: Step; done: (well: boolean) => void }[] = [];
  private running = false;
  private readonly masks = new Map<string, BoxMask>();
  private readonly asked = new Set<string>();
  private readonly listeners = new Set<() => void>();

  constructor(public read: Read) {}

  get path(): string {
    return `reads/${encodeURIComponent(this.read.subject)}/${encodeURIComponent(this.read.timepoint)}`;
  }

  get open(): boolean {
    return this.read.status === "draft";
  }

  lesion(name: string | null): LesionEntry | null {
    return this.read.lesions.find((each) => each.lesion === name) ?? null;
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  change(change: Change): Promise<boolean> {
    return this.send({ route: "changes", change });
  }

  undo(): Promise<boolean> {
    return this.send({ route: "undo" });
  }

  redo(): Promise<boolean> {
    return this.send({ route: "redo" });
  }

  /** Send what could not be saved again. */
  retry(): void {
    void during(this.drain());
  }

  get unsaved(): number {
    return this.queue.length;
  }

  private send(step: Step): Promise<boolean> {
    return new Promise((done) => {
      this.queue.push({ step, done });
      void during(this.drain());
    });
  }

  private async drain(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.saving = "saving";
    this.tell();
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      try {
        this.take(await this.post(next.step));
        this.problem = "";
      } catch (error) {
        if (!(await this.failed(error))) break;
        next.done(false);
        this.queue.shift();
        continue;
      }
      this.queue.shift();
      next.done(true);
    }
    this.running = false;
    this.saving = this.queue.length > 0 ? "failed" : "saved";
    this.tell();
  }

  private post(step: Step): Promise<Changed> {
    const { revision } = this.read;
    return post<Changed>(`${this.path}/${step.route}`, step.route === "changes" ? { revision, change: step.change } : { revision });
  }

  /** True when the change is to be given up (the server said no), false when it is to be sent again. */
  private async failed(error: unknown): Promise<boolean> {
    this.problem = error instanceof Error ? error.message : String(error);
    if (!(error instanceof ApiError) || error.status === 0 || error.status >= 500 || error.status === 401 || error.tokenIsOld) return false;
    if (error.code !== "stale-revision") return true;
    try {
      this.read = await get<Read>(this.path);
    } catch (unread) {
      this.problem = unread instanceof Error ? unread.message : String(unread);
      return false; // told the same when it is sent again
    }
    this.problem = "This time point was changed in another window. It is shown as it is now; your last change was not saved.";
    return true;
  }

  private take(changed: Changed): void {
    this.read = changed.read;
    this.savedAt = Date.now();
    if (changed.mask !== null) this.keep(changed.mask);
    this.tell();
  }

  adopt(read: Read): void {
    this.read = read;
    this.tell();
  }

  keep(mask: Mask): void {
    this.masks.set(mask.digest, mask.bits === "" ? EMPTY : unpack(mask));
  }

  /** A mask by its digest; null until it has arrived. */
  mask(digest: string | null | undefined): BoxMask | null {
    if (digest === null || digest === undefined) return null;
    const known = this.masks.get(digest);
    if (known !== undefined) return known;
    if (!this.asked.has(digest)) {
      this.asked.add(digest);
      during(get<Mask>(`masks/${digest}`)).then(
        (mask) => {
          this.keep(mask);
          this.tell();
        },
        () => this.asked.delete(digest),
      );
    }
    return null;
  }
}
