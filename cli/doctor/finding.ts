/** What one check of `weir doctor` found, and what to do about it. */
export interface Finding {
  /** What was checked. */
  readonly check: string;
  readonly result: "ok" | "warning" | "wrong" | "skipped";
  readonly found: string;
  /** "": nothing. */
  readonly todo: string;
}

export const ok = (check: string, found: string): Finding => ({ check, result: "ok", found, todo: "" });
export const wrong = (check: string, found: string, todo: string): Finding => ({ check, result: "wrong", found, todo });
export const warning = (check: string, found: string, todo: string): Finding => ({
  check,
  result: "warning",
  found,
  todo,
});
export const skipped = (check: string, found: string, todo: string): Finding => ({
  check,
  result: "skipped",
  found,
  todo,
});
