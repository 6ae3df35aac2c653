/** Calls of the admin API, by the session's cookie. A refusal is a value; one that says the session is over ends it here. */
import { API_BASE } from "../src/admin/contract.ts";

const TIMEOUT_MS = 15_000;
/** What a gateway answers on a path it does not show to whoever asks. */
const HIDDEN = "urn:weir:problem:no-route";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

export interface Refused {
  readonly kind: "refused";
  /** 0: no answer came. */
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  /** Stable, for programs. */
  readonly type?: string;
  readonly retryAfterSeconds?: number;
}
export type Reply<Value> = { readonly kind: "ok"; readonly value: Value } | Refused;

export interface CallOptions {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** It asks who we are: that nobody is known is an answer. */
  readonly asksWho?: true;
}

/** `path`: below the API's base, its parts encoded (`pathOf`). */
export async function call<Value>(method: Method, path: string, options: CallOptions = {}): Promise<Reply<Value>> {
  let response: Response;
  try {
    response = await fetch(API_BASE + path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: { accept: "application/json", "content-type": "application/json", ...options.headers },
      signal: AbortSignal.any([
        AbortSignal.timeout(TIMEOUT_MS),
        ...(options.signal === undefined ? [] : [options.signal]),
      ]),
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    return { kind: "refused", status: 0, title: late ? "No answer within 15 s" : "The gateway cannot be reached" };
  }
  const value: unknown = await response.json().catch(() => undefined);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the contract both sides import says what it is
  if (response.ok && value !== undefined) return { kind: "ok", value: value as Value };
  const refused = refusalOf(response, value);
  const isOver = response.status === 401 || (response.status === 404 && refused.type === HIDDEN);
  if (isOver && options.asksWho !== true) whenOver();
  return refused;
}

let whenOver = (): void => undefined;

/** Told when the gateway no longer takes the session. There is one who listens. */
export function onSessionOver(listener: () => void): void {
  whenOver = listener;
}

export const pathOf = (parts: TemplateStringsArray, ...values: readonly (string | number)[]): string =>
  String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));

function refusalOf(response: Response, value: unknown): Refused {
  const said: Readonly<Record<string, unknown>> = typeof value === "object" && value !== null ? { ...value } : {};
  const text = (name: string): string | undefined => {
    const member = said[name];
    return typeof member === "string" ? member : undefined;
  };
  const [title, detail, type] = [text("title"), text("detail"), text("type")];
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  return {
    kind: "refused",
    status: response.status,
    title: title ?? `The gateway answered ${response.status}`,
    ...(detail === undefined ? {} : { detail }),
    ...(type === undefined ? {} : { type }),
    ...(Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {}),
  };
}
