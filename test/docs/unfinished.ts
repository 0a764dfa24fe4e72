// Pages of docs/ that `pages.test.ts` does not hold to its rules yet. A page that is finished is deleted here.

const SETTING_UP: readonly string[] = [];

// Things to build with channels.
const BUILDING = [
  "how-to/channels",
  "how-to/codecs",
  "how-to/falling-back-and-coming-back",
  "how-to/groups",
  "how-to/language-models",
  "how-to/mcp",
  "how-to/one-connection-for-all-tabs",
  "how-to/rates",
  "how-to/requests",
  "how-to/show-progress",
  "how-to/show-who-is-here",
  "how-to/size-a-service",
  "how-to/state-and-stream",
  "how-to/streams",
];

export const UNFINISHED: ReadonlySet<string> = new Set([...SETTING_UP, ...BUILDING]);
