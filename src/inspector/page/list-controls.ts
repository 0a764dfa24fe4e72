// The controls above and below the lists.

import { byId, setText } from "./dom.ts";
import { count } from "./format.ts";

/** Pause after a key before a text counts: a list is searched once for a word, not for each of its letters. */
const TYPING_MS = 150;

/** Binds the text and the pager of a list, named after it. A new text begins with the first page. */
export function bindList(name: string, list: { text: string; page: number }, changed: () => void): void {
  bindText(`${name}-text`, (text) => {
    list.text = text;
    list.page = 0;
    changed();
  });
  bindPager(`${name}-pager`, (step) => {
    list.page = Math.max(0, list.page + step);
    changed();
    // The pager is below the list: the next page begins at its top.
    const rows = byId(`${name}-list`);
    if (rows.getBoundingClientRect().top < 0) rows.scrollIntoView();
  });
}

function bindText(id: string, set: (text: string) => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const input = byId<HTMLInputElement>(id);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => set(input.value.trim()), TYPING_MS);
  });
}

export function bindFilter(id: string, set: (value: string) => void): void {
  const select = byId<HTMLSelectElement>(id);
  select.addEventListener("change", () => set(select.value));
}

function bindPager(id: string, go: (step: 1 | -1) => void): void {
  const [back, , next] = byId(id).children;
  back!.addEventListener("click", () => go(-1));
  next!.addEventListener("click", () => go(1));
}

export function showPager(id: string, page: number, pages: number): void {
  const pager = byId(id);
  pager.hidden = pages <= 1;
  const [back, text, next] = pager.children;
  (back as HTMLButtonElement).disabled = page === 0;
  (next as HTMLButtonElement).disabled = page + 1 >= pages;
  setText(text!, `Page ${count(page + 1)} of ${count(pages)}`);
}
