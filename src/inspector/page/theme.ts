// Light or dark: as the system has it, until the visitor chooses.

import { byId, setAttribute } from "./dom.ts";

const KEY = "unichannel-inspector-theme";

export function startTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = byId("theme");
  let chosen = read();
  const show = (): void => {
    const isDark = chosen === undefined ? dark.matches : chosen === "dark";
    setAttribute(document.documentElement, "data-theme", isDark ? "dark" : "light");
    setAttribute(button, "aria-label", isDark ? "Use light colors" : "Use dark colors");
  };
  dark.addEventListener("change", show);
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset["theme"] === "dark" ? "light" : "dark";
    write(chosen);
    show();
  });
  show();
}

/** A page without storage, as in a private window of some browsers, only forgets. */
function read(): string | undefined {
  try {
    return localStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(theme: string): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It is shown all the same.
  }
}
