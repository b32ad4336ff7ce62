// What the page does when a session has ended under several requests.

import { afterEach, expect, test, vi } from "vitest";

import { get, whenSignedOut } from "../src/api/client";

const answer = (status: number, body: unknown): Response => new Response(JSON.stringify(body), { status });
const IDLE = { error: { code: "idle", message: "The session has ended." } };

afterEach(() => vi.unstubAllGlobals());

test("requests that fail together, and one that fails late, ask for one sign-in", async () => {
  let signedIn = false;
  let asked = 0;
  const late: (() => void)[] = [];
  vi.stubGlobal("fetch", (url: string) => {
    if (signedIn) return Promise.resolve(answer(200, url));
    if (url !== "api/late") return Promise.resolve(answer(401, IDLE));
    return new Promise<Response>((resolve) => late.push(() => resolve(answer(401, IDLE))));
  });
  whenSignedOut(async () => {
    asked++;
    await new Promise((done) => setTimeout(done, 20));
    signedIn = true;
  });
  const slow = get("late");
  expect(await Promise.all([get("one"), get("two")])).toEqual(["api/one", "api/two"]);
  late.forEach((arrive) => arrive());
  expect(await slow).toBe("api/late");
  expect(asked).toBe(1);
});

test("a session that ends again is asked for again", async () => {
  let signedIn = false;
  let asked = 0;
  vi.stubGlobal("fetch", (url: string) => Promise.resolve(signedIn ? answer(200, url) : answer(401, IDLE)));
  whenSignedOut(() => {
    asked++;
    signedIn = true;
    return Promise.resolve();
  });
  await get("one");
  signedIn = false;
  await get("two");
  expect(asked).toBe(2);
});
