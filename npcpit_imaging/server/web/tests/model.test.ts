import { afterEach, describe, expect, it, vi } from "vitest";
import type { Change, Read } from "../src/api/types";
import { ReadModel } from "../src/reading/model";

const CHANGE = { kind: "state", lesion: "T01", state: "absent" } as Change;
const read = (revision: number): Read => ({ subject: "S", timepoint: "FU1", status: "draft", revision, lesions: [] }) as unknown as Read;
const json = (status: number, body: unknown): Response => new Response(JSON.stringify(body), { status });
const STALE = (): Response => json(409, { error: { code: "stale-revision", message: "changed elsewhere" } });

/** A network that answers in this order; null is a line that breaks. */
function network(...answers: readonly (Response | null)[]): string[] {
  const asked: string[] = [];
  const left = [...answers];
  vi.stubGlobal("document", { documentElement: { dataset: {} } });
  vi.stubGlobal("fetch", (path: string, { body }: { body?: string }) => {
    asked.push(`${path} ${body ?? ""}`);
    const next = left.shift() ?? null;
    return next === null ? Promise.reject(new TypeError("no network")) : Promise.resolve(next);
  });
  return asked;
}

afterEach(() => vi.unstubAllGlobals());

describe("a change on its way to the server", () => {
  it("waits while the server cannot be reached, and is saved when it is sent again", async () => {
    network(null, json(200, { read: read(2), mask: null }));
    const model = new ReadModel(read(1));
    const saved = model.change(CHANGE);
    await vi.waitFor(() => expect(model.saving).toBe("failed"));
    expect(model.unsaved).toBe(1);
    model.retry();
    expect(await saved).toBe(true);
    expect([model.unsaved, model.read.revision]).toEqual([0, 2]);
  });

  it("never stops the ones after it, even if the line breaks while another window's state is asked for", async () => {
    const asked = network(STALE(), null, STALE(), json(200, read(5)), json(200, { read: read(6), mask: null }));
    const model = new ReadModel(read(1));
    const lost = model.change(CHANGE);
    await vi.waitFor(() => expect(model.saving).toBe("failed"));
    model.retry();
    expect(await lost).toBe(false);
    expect(model.problem).toContain("changed in another window");
    expect(await model.change(CHANGE)).toBe(true);
    expect(model.read.revision).toBe(6);
    expect(asked.at(-1)).toContain('"revision":5');
  });
});
