// A click on "TypeScript" or "JavaScript" is a choice for all blocks of all pages. Style sheets show the language that the attribute
// `data-code` of the document names; a script in the head sets it before the page is drawn.
const KEY = "unichannel-code";
const root = () => document.documentElement;

/** Listens for clicks on the tabs, also on pages that come later. */
export function followChoice() {
  document.addEventListener("click", ({ target }) => {
    const tab = /** @type {Element} */ (target).closest?.(".code-tabs .tabs button");
    if (tab == null) return;
    const before = tab.getBoundingClientRect().top;
    root().dataset.code = /** @type {HTMLElement} */ (tab).dataset.code;
    markTabs();
    // Blocks above this one change their height: the tab stays under the pointer.
    window.scrollBy({ top: tab.getBoundingClientRect().top - before, behavior: "instant" });
    try {
      localStorage.setItem(KEY, root().dataset.code ?? "ts");
    } catch {
      // Without storage the choice is one for this page.
    }
  });
}

/** Tells those who do not see the tabs which one is chosen. */
export function markTabs() {
  for (const tab of document.querySelectorAll(".code-tabs .tabs button")) {
    tab.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (tab).dataset.code === root().dataset.code));
  }
}
