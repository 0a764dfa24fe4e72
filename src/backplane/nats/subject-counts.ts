// The subjects that have messages in a stream, and how many.

import type { NatsLink } from "./connection.ts";

interface SubjectsAnswer {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> };
  /** Number of subjects that match, which may be more than one answer has. */
  readonly total?: number;
}

/** Resolves to the number of messages of each subject that matches `filter` and has some. */
export async function subjectCounts(
  link: NatsLink,
  stream: string,
  filter: string,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (let offset = 0; ; ) {
    const request = { subjects_filter: filter, offset };
    const { state, total = 0 } = await link.api<SubjectsAnswer>(`STREAM.INFO.${stream}`, request);
    const found = Object.entries(state.subjects ?? {});
    for (const [subject, count] of found) counts.set(subject, count);
    offset += found.length;
    if (found.length === 0 || offset >= total) return counts;
  }
}
