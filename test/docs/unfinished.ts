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

// A service in production, and coming from another library.
const OPERATING = [
  "how-to/behind-a-proxy",
  "how-to/cross-origin",
  "how-to/debug",
  "how-to/deploy",
  "how-to/expiring-identities",
  "how-to/from-better-sse",
  "how-to/from-socket-io",
  "how-to/from-ws",
  "how-to/inspector",
  "how-to/log-in",
  "how-to/observing",
  "how-to/scaling-out",
  "how-to/serve-files",
  "how-to/stopping-and-restarting",
  "how-to/who-may-connect",
  "tutorial/1-first-message",
  "tutorial/2-names-rooms-history",
  "tutorial/3-nothing-gets-lost",
  "tutorial/4-three-processes",
];

export const UNFINISHED: ReadonlySet<string> = new Set([...SETTING_UP, ...BUILDING, ...OPERATING]);
