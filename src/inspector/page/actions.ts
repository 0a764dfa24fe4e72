// The actions: closing a channel, publishing a message. Each is a POST of its own, which the application checks again.

import { byId, setText } from "./dom.ts";
import { state } from "./state.ts";
import type { CloseRequest, PublishRequest } from "./wire.ts";

let closing = "";

export function startActions(): void {
  const dialog = byId<HTMLDialogElement>("close-dialog");
  byId("close-cancel").addEventListener("click", () => dialog.close());
  byId("close-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = Number(byId<HTMLInputElement>("close-code").value);
    const reason = byId<HTMLInputElement>("close-reason").value;
    const request: CloseRequest = { channel: closing, code, reason };
    void send("close", request, "Closed").then((isDone) => isDone && dialog.close());
  });
  byId("publish-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId<HTMLTextAreaElement>("publish-data");
    const form = byId<HTMLSelectElement>("publish-as").value === "json" ? "json" : "text";
    if (state.group === null) return;
    const request: PublishRequest = { ...state.group, data: field.value, form };
    void send("publish", request, "Published").then((isDone) => {
      if (isDone) field.value = "";
    });
  });
}

export function allow({ canClose, canPublish }: { readonly canClose: boolean; readonly canPublish: boolean }): void {
  byId("close-channel").hidden = !canClose;
  byId("publish-form").hidden = !canPublish;
}

export function askToClose(id: string): void {
  closing = id;
  setText(byId("close-name"), id);
  byId<HTMLDialogElement>("close-dialog").showModal();
}

/** True if the server has done it. A short message says so, or why not. */
async function send(action: "close" | "publish", body: object, done: string): Promise<boolean> {
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(action, { method: "POST", headers, body: JSON.stringify(body) });
    say(answer.ok ? done : (await answer.text()).trim() || `The answer was ${answer.status}`, answer.ok);
    return answer.ok;
  } catch {
    say("The server cannot be reached", false);
    return false;
  }
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
