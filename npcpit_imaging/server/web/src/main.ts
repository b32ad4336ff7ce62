// Starts the page and shows the screen its address names: #/worklist, #/read/SUBJECT/TIMEPOINT, #/adjudications, #/progress, #/audit.

import "./style.css";
import { whenSignedOut, whenTokenIsOld } from "./api/client";
import type { Session } from "./api/types";
import { during } from "./dom/busy";
import { h, replace } from "./dom/h";
import type { ReadingScreen } from "./reading/screen";
import { showAdjudication, showAdjudications } from "./screens/adjudication";
import { showAudit } from "./screens/audit";
import { showProgress } from "./screens/coordinator";
import { frame, placesOf } from "./screens/frame";
import { adoptSessionOf, presentSession, showSignIn, signInAgain } from "./screens/signin";
import { showWorklist } from "./screens/worklist";

let reading: ReadingScreen | null = null;
let turn = 0;

async function show(root: HTMLElement, session: Session): Promise<void> {
  const mine = ++turn;
  reading?.close();
  reading = null;
  const [place = "", first = "", second = ""] = window.location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  if (place === "read") {
    replace(root, h("p", { class: "waiting", role: "status" }, "Opening the time point..."));
    const { openReading } = await import("./reading/screen");
    const screen = await openReading(session, first, second, () => (window.location.hash = "#/worklist"));
    if (mine !== turn) return;
    reading = screen;
    replace(root, screen.root);
    await during(screen.start());
  } else if (place === "worklist") await showWorklist(root, session);
  else if (place === "adjudications") await (first === "" ? showAdjudications(root, session) : showAdjudication(root, session, first));
  else if (place === "progress") await showProgress(root, session);
  else if (place === "audit") await showAudit(root, session);
  else if (placesOf(session)[0] !== undefined) window.location.hash = placesOf(session)[0]?.hash ?? "";
  else frame(root, session, "Signed in", h("p", {}, "This account has no page of its own; its data are behind the API (see /api/openapi.json)."));
}

function run(root: HTMLElement, session: Session): void {
  const go = (): void => {
    show(root, session).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      frame(root, session, "That did not work", h("p", { role: "alert", class: "problem" }, message), h("p", {}, h("a", { class: "button", href: "#/" }, "Back")));
    });
  };
  whenSignedOut(() => signInAgain(session));
  whenTokenIsOld(() => adoptSessionOf(session));
  window.addEventListener("hashchange", go);
  go();
}

async function start(): Promise<void> {
  const root = document.querySelector<HTMLElement>("#app");
  if (root === null) return;
  const session = await presentSession();
  if (session === null) await showSignIn(root, (found) => run(root, found));
  else run(root, session);
}

start().catch((error: unknown) => {
  document.body.textContent = error instanceof Error ? error.message : String(error);
});
