// Elements without a framework. Texts are set as text, never as markup: names of groups, paths and messages come from clients.

type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | boolean | undefined | ((event: Event) => void)>>;

/** Makes an element. Attributes that are false or undefined are left out, functions are listeners (`onclick`). */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  for (const child of children)
    if (child !== undefined) element.append(typeof child === "string" ? visible(child) : child);
  return element;
}

/** Makes an element of SVG. */
export function svg(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  for (const child of children) if (child !== undefined) element.append(child);
  return element;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
}

/** Finds an element that the page has. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element as E;
}

/** Sets a text only if it has changed: otherwise a selection in it would be lost. */
export function setText(element: Element, text: string): void {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/** Controls but for tab and line feed, and the characters that change the direction of a text (Unicode UAX #9) or have no width. */
const INVISIBLE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Shows such characters as `\u202e`: with them a name could look like another one, or turn around the text beside it. */
function visible(text: string): string {
  return text.replace(INVISIBLE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function setAttribute(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Makes the elements of a list and keeps those whose keys stay, with their focus and selection. */
export function syncList<Item, E extends HTMLElement>(
  list: HTMLElement,
  items: readonly Item[],
  how: {
    readonly keyOf: (item: Item) => string;
    readonly make: (item: Item) => E;
    readonly update: (element: E, item: Item) => void;
  },
): void {
  const known = new Map<string, E>();
  for (const element of list.children) known.set((element as HTMLElement).dataset["key"] ?? "", element as E);
  let at = list.firstElementChild;
  for (const item of items) {
    const key = how.keyOf(item);
    let element = known.get(key);
    if (element === undefined) {
      element = how.make(item);
      element.dataset["key"] = key;
    }
    known.delete(key);
    how.update(element, item);
    if (element === at) at = at.nextElementSibling;
    else list.insertBefore(element, at);
  }
  for (const element of known.values()) element.remove();
}
