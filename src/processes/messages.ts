// The messages between the first process and a worker, over the channel that node:cluster makes: few, when a worker starts and stops.

/** A worker's function has returned, or has failed. */
export type WorkerMessage =
  | { readonly unichannel: "started" }
  | { readonly unichannel: "failed"; readonly text: string };

/** The worker is to stop. */
export interface StopMessage {
  readonly unichannel: "stop";
}

/** Returns undefined for a message of the application. */
export function toWorkerMessage(message: unknown): WorkerMessage | undefined {
  const { unichannel } = (message ?? {}) as { readonly unichannel?: unknown };
  return unichannel === "started" || unichannel === "failed" ? (message as WorkerMessage) : undefined;
}

export function isStopMessage(message: unknown): message is StopMessage {
  return ((message ?? {}) as { readonly unichannel?: unknown }).unichannel === "stop";
}
