/**
 * The only place that knows how the runtime words an origin's failure. Refused, reset and garbage cannot be told apart
 * there ("Network connection lost."); DNS and TLS read "internal error". `retryable` flags are ignored: they say nothing
 * about what the origin has already done.
 */
import type { FailureKind } from "../policy/breaker/types.ts";

export function failureKindOf(error: unknown): FailureKind {
  if (!(error instanceof Error)) return "internal";
  if (error.name === "TimeoutError" || error.name === "AbortError") return "timeout";
  if (error.message.includes("Network connection lost")) return "network";
  if (error.message.includes("internal error")) return "network";
  return error instanceof TypeError ? "internal" : "network";
}
