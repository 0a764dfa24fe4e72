// The actions: closing a channel, publishing a message. The server answers each with its number.

import { byId, setText } from "./dom.ts";
import { state } from "./state.ts";
import type { ActionRequest, Done } from "./wire.ts";

let closing = "";
let lastNumber = 0;
/** The functions that wait for the answers to actions. */
const waiting = new Map<number, (error: string | null) => void>();

/** `ask` sends an action to the server. */
export function startActions(ask: (action: ActionRequest) => boolean): void {
  const dialog = byId<HTMLDialogElement>("close-dialog");
  byId("close-cancel").addEventListener("click", () => dialog.close());
  byId("close-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = Number(byId<HTMLInputElement>("close-code").value);
    const reason = byId<HTMLInputElement>("close-reason").value;
    const request: ActionRequest = { type: "close", n: ++lastNumber, channel: closing, code, reason };
    const done = (): string => {
      dialog.close();
      return "Closed";
    };
    // The short message is behind the dialog.
    act(ask, request, { done, failed: (error) => setText(byId("close-error"), error) });
  });
  byId("publish-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId<HTMLTextAreaElement>("publish-data");
    const form = byId<HTMLSelectElement>("publish-as").value === "json" ? "json" : "text";
    if (state.group === null) return;
    const done = (): string => {
      field.value = "";
      return "Published";
    };
    const failed = (error: string): void => say(error, false);
    act(ask, { type: "publish", n: ++lastNumber, ...state.group, data: field.value, form }, { done, failed });
  });
}

export function allow({ canClose, canPublish }: { readonly canClose: boolean; readonly canPublish: boolean }): void {
  byId("close-channel").hidden = !canClose;
  byId("publish-form").hidden = !canPublish;
}

export function askToClose(id: string): void {
  closing = id;
  setText(byId("close-name"), id);
  setText(byId("close-error"), "");
  byId<HTMLDialogElement>("close-dialog").showModal();
}

export function answered({ n, error }: Done): void {
  waiting.get(n)?.(error);
  waiting.delete(n);
}

interface Outcome {
  /** Called when the server has done it. Returns the text that says so. */
  done(): string;
  /** Called with the mistake. */
  failed(error: string): void;
}

function act(ask: (action: ActionRequest) => boolean, request: ActionRequest, { done, failed }: Outcome): void {
  waiting.set(request.n, (error) => (error === null ? say(done(), true) : failed(error)));
  if (!ask(request)) failed("The server cannot be reached");
}

let timer: ReturnType<typeof setTimeout> | undefined;
const SHOWN_MS = 4000;

function say(text: string, isGood: boolean): void {
  const toast = byId("toast");
  clearTimeout(timer);
  toast.className = isGood ? "is-shown" : "is-shown is-bad";
  setText(toast, text);
  timer = setTimeout(() => toast.classList.remove("is-shown"), SHOWN_MS);
}
