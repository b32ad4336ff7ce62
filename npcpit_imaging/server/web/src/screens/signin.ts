// Signing in: on a page of its own, and over the page when a session has ended, so that nothing on it is lost.

import { ApiError, get, post, setCsrf } from "../api/client";
import type { Session } from "../api/types";
import { field, openDialog, text } from "../dom/dialog";
import { h, replace } from "../dom/h";

interface Ways {
  readonly password: boolean;
  readonly oidc: { readonly name: string; readonly url: string } | null;
}

/** The present session, or null when nobody is signed in. */
export async function presentSession(): Promise<Session | null> {
  try {
    return adopt(await get<Session>("session"));
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/** Take up the session that the browser has now, made in another tab; nobody else's ever goes on in an open page. */
export async function adoptSessionOf(who: Session): Promise<void> {
  const found = await get<Session>("session");
  if (found.username !== who.username) throw new Error(`This page is ${who.username}'s, and ${found.username} is signed in now. Sign in as ${who.username} to go on, or reload the page.`);
  adopt(found);
}

function adopt(session: Session): Session {
  setCsrf(session.csrf);
  return session;
}

async function signIn(form: FormData): Promise<Session> {
  const password = form.get("password");
  return adopt(await post<Session>("session", { username: text(form, "username"), password: typeof password === "string" ? password : "" }));
}

export async function showSignIn(root: HTMLElement, done: (session: Session) => void): Promise<void> {
  const ways = await get<Ways>("sign-in");
  const problem = h("p", { class: "problem", role: "alert" });
  const username = h("input", { name: "username", required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const password = h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" });
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h("form", {}, field("User name", username), field("Password", password), problem, h("div", { class: "actions" }, submit));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.textContent = "";
    signIn(new FormData(form)).then(done, (error: unknown) => {
      submit.disabled = false;
      problem.textContent = error instanceof Error ? error.message : String(error);
      password.value = "";
      password.focus();
    });
  });
  const oidc = ways.oidc === null ? null : h("p", {}, h("a", { class: "button", href: ways.oidc.url }, `Sign in with ${ways.oidc.name}`));
  replace(root, h("main", { class: "sign-in" }, h("h1", {}, "Reading"), ways.password ? form : null, oidc, h("p", { class: "hint" }, "Research software, not a medical device. Every change is recorded.")));
  username.focus();
}

/** A way to the provider that leaves this page, and what is not saved on it, as it is. */
export const providerLink = (url: string, label: string): HTMLElement => h("p", {}, h("a", { class: "button", href: url, target: "_blank", rel: "noopener" }, label), " (opens in a tab of its own)");

async function signInAgainElsewhere(who: Session): Promise<void> {
  const { oidc } = await get<Ways>("sign-in");
  await openDialog({
    title: "The session has ended",
    body: [h("p", {}, "Sign in again to go on; what is on the page stays."), providerLink(oidc?.url ?? "api/oidc/start", `Sign in with ${oidc?.name ?? "your provider"}`)],
    submit: "Go on",
    cancel: null,
    act: async () => {
      try {
        await adoptSessionOf(who);
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) throw new Error("Not signed in yet: sign in in the other tab first.");
        throw error;
      }
    },
  });
}

/** Ask for the password again over the page. */
export async function signInAgain(who: Session): Promise<void> {
  if (who.method !== "password") return signInAgainElsewhere(who);
  await openDialog({
    title: "The session has ended",
    body: [
      h("p", {}, "Sign in again to go on; what is on the page stays."),
      h("input", { type: "hidden", name: "username", value: who.username }),
      field(`Password of ${who.username}`, h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" })),
    ],
    submit: "Sign in",
    cancel: null,
    act: async (form) => {
      await signIn(form);
    },
  });
}
