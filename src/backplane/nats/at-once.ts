/** Requests under way at once where each of many messages needs one. */
const AT_ONCE = 64;

/** Calls `run` for each item, some at once. Resolves to the results in order. Rejects with the first error, and begins no more then. */
export async function mapAtOnce<Item, Result>(
  items: readonly Item[],
  run: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let i = 0; i < items.length; i += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map((item) => run(item)))));
  }
  return results;
}
