/**
 * The classification of one origin call by what came back. A 4xx is an answer (429 too: it is throttling, never a
 * failure); 5xx is a failure, except 501 and 505, which say something about the request. What is not final is no answer
 * at all.
 */
import type { FailureKind, Verdict } from "../breaker/types.ts";

const SUCCESS: Verdict = { kind: "success" };
const STATUS_FAILURE: Verdict = { kind: "failure", failure: "status" };

export function verdictOfStatus(status: number): Verdict {
  if (status < 200) return STATUS_FAILURE;
  if (status < 500 || status === 501 || status === 505) return SUCCESS;
  return STATUS_FAILURE;
}

/** Neither an interim answer nor a number that HTTP has no meaning for: it can be passed on. Source: RFC 9110 section 15. */
export const isFinalStatus = (status: number): boolean => status >= 200 && status <= 599;

export function verdictOfFailure(failure: FailureKind): Verdict {
  return { kind: "failure", failure };
}
