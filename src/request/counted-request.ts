// The Fetch Request of a request with a body. A body that it collects whole is in memory until its end has arrived, and
// counts in `maxTotalReceivedBytes` until then, as with `ChannelRequest.bytes`. A body that is read as a stream does not.

import { ChannelError } from "../base/errors.ts";
import { Pieces } from "../base/pieces.ts";

/** Counts bytes of memory that are held for a request. Returns false if there is no room for them. */
export type HoldMemory = (bytes: number) => boolean;

/** The memory hook of each counted request and of its clones. */
const HOLD = new WeakMap<Request, HoldMemory>();

/** The types of Request declare its methods as properties, which a class may not override by methods. */
interface Methods {
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  text(): Promise<string>;
  json(): Promise<unknown>;
  blob(): Promise<Blob>;
  formData(): Promise<FormData>;
  clone(): Request;
}

type FetchRequest = Methods & Omit<Request, keyof Methods>;
type FetchRequestClass = new (url: string, init: RequestInit) => FetchRequest;

/**
 * Made by the first request that needs it: to touch the global `Request` loads Node's Fetch, which took 100 of the 430 million
 * instructions of loading this library. A class of its own, so that no request pays for methods of its own.
 */
let countedRequestClass: FetchRequestClass | undefined;

function defineCountedRequest(): FetchRequestClass {
  const Base = Request as unknown as FetchRequestClass;
  class CountedRequest extends Base {
    override async arrayBuffer(): Promise<ArrayBuffer> {
      if (!isWhole(this)) return super.arrayBuffer();
      const bytes = await collect(this);
      const { buffer } = bytes;
      // The bytes may be a view of a longer buffer. `slice` of a Buffer copies nothing.
      return (bytes.length === buffer.byteLength ? buffer : new Uint8Array(bytes).buffer) as ArrayBuffer;
    }

    override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
      return new Uint8Array(await this.arrayBuffer());
    }

    override async text(): Promise<string> {
      if (!isWhole(this)) return super.text();
      return new TextDecoder().decode(await collect(this));
    }

    override async json(): Promise<unknown> {
      return JSON.parse(await this.text());
    }

    override async blob(): Promise<Blob> {
      return isWhole(this) ? (await collected(this)).blob() : super.blob();
    }

    override async formData(): Promise<FormData> {
      return isWhole(this) ? (await collected(this)).formData() : super.formData();
    }

    /** The original and the clone each count the bytes that they collect. */
    override clone(): Request {
      const copy = super.clone();
      HOLD.set(copy, HOLD.get(this as Request)!);
      return Object.setPrototypeOf(copy, CountedRequest.prototype) as Request;
    }
  }
  return CountedRequest;
}

export function countedRequest(url: string, init: RequestInit, hold: HoldMemory): Request {
  countedRequestClass ??= defineCountedRequest();
  const request = new countedRequestClass(url, init) as Request;
  HOLD.set(request, hold);
  return request;
}

/** Returns true if the body is unread. If it is not, Fetch's own method throws the right error. */
function isWhole(request: FetchRequest): boolean {
  return !request.bodyUsed && request.body !== null && !request.body.locked;
}

async function collected(request: FetchRequest): Promise<Response> {
  const type = request.headers.get("content-type");
  return new Response((await collect(request)) as Uint8Array<ArrayBuffer>, {
    headers: type === null ? {} : { "content-type": type },
  });
}

async function collect(request: FetchRequest): Promise<Uint8Array> {
  const hold = HOLD.get(request as Request)!;
  const reader = request.body!.getReader();
  const parts = new Pieces();
  let held = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.add(part.value);
      const more = parts.memory - held;
      held = parts.memory;
      if (!hold(more)) throw new ChannelError("RECEIVE_OVERFLOW");
    }
    return parts.join();
  } finally {
    hold(-held);
  }
}
