/** Light or dark: as the system says, unless chosen here. */
import { signal } from "@preact/signals";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "weir-theme";
export const theme = signal<Theme>("system");
/** Grows when the colours in use may have changed: what is drawn, not styled, is drawn anew. */
export const themeTurn = signal(0);

export function startTheme(): void {
  setTheme(stored());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    themeTurn.value++;
  });
}

export function setTheme(chosen: Theme): void {
  theme.value = chosen;
  if (chosen === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset["theme"] = chosen;
  themeTurn.value++;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // A browser that keeps nothing: chosen for as long as the page is open.
  }
}

function stored(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.find((known) => known === kept) ?? "system";
  } catch {
    return "system";
  }
}
