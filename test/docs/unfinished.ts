// Pages of docs/ that `pages.test.ts` does not hold to its rules yet. A page that is finished is deleted here.

const SETTING_UP = [
  "how-to/express",
  "how-to/fastify",
  "how-to/frameworks",
  "how-to/getting-started",
  "how-to/hono",
  "how-to/koa",
  "how-to/nestjs",
  "how-to/next",
  "how-to/testing",
  "how-to/vite",
  "explanation/back-pressure",
  "explanation/exactly-once",
  "explanation/how-a-session-resumes",
  "explanation/why-one-channel",
  "reference/channel",
  "reference/client",
  "reference/diagnostics",
  "reference/errors",
  "reference/groups",
  "reference/hosts",
  "reference/http-parsing",
  "reference/inspector",
  "reference/metrics",
  "reference/names",
  "reference/server",
  "reference/session-stores",
  "reference/session",
  "reference/testing",
  "reference/types",
];

// Features that are built with channels.
const BUILDING = [
  "how-to/channels",
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
