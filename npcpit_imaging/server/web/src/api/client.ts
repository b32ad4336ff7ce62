// Talks to the server: JSON both ways, the anti-forgery token on every change, and errors whose message a person can read.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly detail?: unknown,
  ) {
    super(message);
  }

  /** The anti-forgery token is of a session that another tab has replaced. */
  get tokenIsOld(): boolean {
    return this.status === 403 && this.code === "csrf";
  }

  get signedOut(): boolean {
    return this.status === 401 && (this.code === "idle" || this.code === "signed-out");
  }
}

let csrf = "";
let onSignedOut: () => Promise<void> = () => Promise.reject(new Error("signed out"));

export const setCsrf = (token: string): void => void (csrf = token);

let renewals = 0; // how often the session was renewed: a request that began before the last one is only asked again

/** Whoever asks while another is being answered gets that answer: one dialog, however many requests failed. */
function oneAtATime(renew: () => Promise<void>): () => Promise<void> {
  let underWay: Promise<void> | null = null;
  return () =>
    (underWay ??= renew()
      .then(() => {
        renewals++;
      })
      .finally(() => (underWay = null)));
}

/** What to do when the session has ended: ask for the password over the page, so that nothing on it is lost. */
export const whenSignedOut = (ask: () => Promise<void>): void => void (onSignedOut = oneAtATime(ask));

let onOldToken: () => Promise<void> = () => Promise.reject(new Error("signed in elsewhere"));

/** What to do when another tab has begun a new session: take up its token, if it is the same person's. */
export const whenTokenIsOld = (renew: () => Promise<void>): void => void (onOldToken = oneAtATime(renew));

export async function ask<T>(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const response = await send(method, path, body);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export const get = <T>(path: string): Promise<T> => ask<T>("GET", path);
export const post = <T>(path: string, body?: unknown): Promise<T> => ask<T>("POST", path, body);

export async function bytes(path: string): Promise<ArrayBuffer> {
  return (await send("GET", path)).arrayBuffer();
}

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const begun = renewals;
    try {
      return await once(method, path, body);
    } catch (error) {
      if (!(error instanceof ApiError) || attempt > 0 || path === "session") throw error;
      if (!error.tokenIsOld && !error.signedOut) throw error;
      if (begun === renewals) await (error.tokenIsOld ? onOldToken() : onSignedOut());
    }
  }
}

async function once(method: string, path: string, body: unknown): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`api/${path}`, { method, headers, credentials: "same-origin", ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  } catch {
    throw new ApiError(0, "unreachable", "The server cannot be reached. What was saved before is safe; try again.");
  }
  if (response.ok) return response;
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<ApiError> {
  const found: unknown = await response.json().catch(() => null);
  const error = (found as { error?: { code?: string; message?: string; detail?: unknown } } | null)?.error;
  const message = error?.message ?? `The server answered ${String(response.status)} without saying why.`;
  return new ApiError(response.status, error?.code ?? "unknown", message, error?.detail);
}
