// The entries after an id that came from outside of the process, with a reset also where a broker cannot say that there is none.

import type { GroupStream, Replay } from "./stream/source.ts";

/** Like the stream's `replay`. An empty `since` is the beginning of the stream: a reset, unless it is known that nothing is lost. */
export function replayAfter(stream: GroupStream, since: string): Replay | Promise<Replay> {
  const first = stream.replay(since);
  // A broker does not say whether it still has the first entry of a stream.
  return since === "" && first instanceof Promise ? first.then(markReset) : first;
}

function markReset(replay: Replay): Replay {
  return { ...replay, reset: replay.reset || replay.entries.length > 0 };
}
