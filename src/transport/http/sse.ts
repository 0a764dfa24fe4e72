// Server-Sent Events as a format of HTTP: WHATWG HTML §9.2. Each message is one event.

import { utf8 } from "../../base/bytes.ts";
import { fieldValue } from "../../codec/field-values.ts";
import { encodeComment, encodeEvent } from "../../codec/sse.ts";
import { messageToEvent } from "../../protocol/encoded-message.ts";
import type { HttpFormat } from "./format.ts";

export const EVENT_STREAM: HttpFormat = {
  kind: "sse",
  endsAfterSend: false,
  startsSilent: true,
  heartbeat: encodeComment(),
  head(message) {
    const fields = ["Content-Type", "text/event-stream"];
    for (let i = 0; i < message.fields.length; i += 2) {
      // `json()` names its own type, which is the type of the data inside the events.
      if (message.fields[i]!.toLowerCase() !== "content-type") fields.push(message.fields[i]!, message.fields[i + 1]!);
    }
    if (fieldValue(fields, "cache-control") === undefined) fields.push("Cache-Control", "no-cache");
    // nginx holds a proxied response back until its buffer is full unless told not to.
    if (fieldValue(fields, "x-accel-buffering") === undefined) fields.push("X-Accel-Buffering", "no");
    return { status: 200, fields };
  },
  messageForm: "event",
  encode: messageToEvent,
  shared: (message) => message.asEvent(),
  encodePart: (data) => encodeEvent({ data: typeof data === "string" ? data : utf8(data) }),
};
