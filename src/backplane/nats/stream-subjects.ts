// The subjects that have a message in a stream.

import type { NatsLink } from "./connection.ts";

interface SubjectsAnswer {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> };
  /** Number of subjects that match, which may be more than one answer has. */
  readonly total?: number;
}

/** Resolves to the subjects that match `filter` and have a message. */
export async function subjectsOf(link: NatsLink, stream: string, filter: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (;;) {
    const request = { subjects_filter: filter, offset: names.length };
    const { state, total = 0 } = await link.api<SubjectsAnswer>(`STREAM.INFO.${stream}`, request);
    const found = Object.keys(state.subjects ?? {});
    for (const name of found) names.push(name);
    if (found.length === 0 || names.length >= total) return names;
  }
}
