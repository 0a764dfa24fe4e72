// Pages of docs/ that `pages.test.ts` does not hold to its rules yet. A page that is finished is deleted here.

export const UNFINISHED: ReadonlySet<string> = new Set(["how-to/codecs"]);
