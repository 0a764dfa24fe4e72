// The sidebar: the pages of docs/ in the order in which they are read. A page that is not named here comes last in its section.
import { existsSync, readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../../", import.meta.url);

/** @type {Record<string, string[]>} */
const HOW_TO = {
  "Your framework": ["frameworks", "express", "fastify", "hono", "koa", "nestjs", "next", "react", "vite"],
  "Messages and groups": [
    "channels",
    "codecs",
    "groups",
    "state-and-stream",
    "requests",
    "streams",
    "one-connection-for-all-tabs",
    ...["show-progress", "show-who-is-here"],
  ],
  "Language models": ["language-models", "mcp"],
  "Who may connect": ["who-may-connect", "log-in", "cross-origin", "expiring-identities", "rates"],
  "Running it": [
    ...[
      "deploy",
      "serve-files",
      "behind-a-proxy",
      "all-cores",
      "scaling-out",
      "size-a-service",
      "stopping-and-restarting",
    ],
    ...["falling-back-and-coming-back", "observing", "inspector", "debug", "testing"],
  ],
  "Coming from": ["from-ws", "from-socket-io", "from-better-sse"],
};

const EXPLANATION = [
  "questions",
  "why-one-channel",
  "how-a-session-resumes",
  "exactly-once",
  "back-pressure",
  "architecture",
];

const REFERENCE = [
  ...["server", "channel", "groups", "session", "client", "session-stores", "hosts", "errors"],
  ...["testing", "metrics", "diagnostics", "inspector", "types", "names", "http-parsing"],
];

/**
 * The sidebars by the beginnings of paths. The generated pages and the decisions have their own: all of them on every page would make
 * each page larger than its text.
 */
export function sidebars() {
  const decisions = allOf("decisions");
  return {
    "/reference/api/": [
      { text: "Every export", items: entries() },
      { text: "Reference", link: "/reference/server" },
    ],
    "/decisions/": [
      { text: "Decisions", items: decisions },
      { text: "Architecture", link: "/project/architecture" },
    ],
    "/": sections(decisions.at(-1)?.link ?? "/"),
  };
}

/** @param {string} latestDecision */
function sections(latestDecision) {
  const howTo = new Set(pagesOf("how-to"));
  howTo.delete("getting-started");
  const groups = Object.entries(HOW_TO).map(([text, names]) => {
    const items = names.filter((name) => howTo.delete(name)).map((name) => item("how-to", name));
    return { text, collapsed: true, items };
  });
  return [
    { text: "Tutorial", items: [...allOf("tutorial"), item("how-to", "getting-started")] },
    { text: "How-to", items: [...groups, ...[...howTo].map((name) => item("how-to", name))] },
    {
      text: "Reference",
      collapsed: true,
      items: [...inOrder("reference", REFERENCE), { text: "Every export", link: "/reference/api/" }],
    },
    {
      text: "Explanation",
      collapsed: true,
      items: [
        ...inOrder("explanation", EXPLANATION),
        { text: "Architecture", link: "/project/architecture" },
        { text: "The protocol of sessions", link: "/project/protocol" },
        { text: "Security", link: "/project/security" },
        { text: "Glossary", link: "/glossary" },
      ],
    },
    {
      text: "The project",
      collapsed: true,
      items: [
        { text: "Contributing", link: "/project/contributing" },
        { text: "Changes", link: "/project/changelog" },
        { text: "Decisions", link: latestDecision },
      ],
    },
  ];
}

/** The first page of a section of docs/, if it has one. @param {string} folder @param {string} otherwise */
export function firstOf(folder, otherwise) {
  const [name] = pagesOf(folder);
  return name === undefined ? otherwise : `/${folder}/${name}`;
}

/** @param {string} folder */
function allOf(folder) {
  return pagesOf(folder).map((name) => item(folder, name));
}

/** @param {string} folder @param {string[]} first */
function inOrder(folder, first) {
  const all = pagesOf(folder);
  const rest = all.filter((name) => !first.includes(name));
  return [...first.filter((name) => all.includes(name)), ...rest].map((name) => item(folder, name));
}

/** The names of the pages of a folder of docs/. @param {string} folder */
function pagesOf(folder) {
  const at = new URL(`docs/${folder}/`, ROOT);
  if (!existsSync(at)) return [];
  const names = readdirSync(at).filter((name) => name.endsWith(".md"));
  return names.map((name) => name.replace(/\.md$/, "")).sort();
}

/** A page by its heading. @param {string} folder @param {string} name */
function item(folder, name) {
  const text = readFileSync(new URL(`docs/${folder}/${name}.md`, ROOT), "utf8");
  const heading = /^# (.+)$/m.exec(text)?.[1] ?? name;
  return { text: heading.replace(/[`*]/g, ""), link: `/${folder}/${name}` };
}

/** The entries of package.json. */
function entries() {
  const { exports } = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8"));
  return Object.keys(exports)
    .filter((entry) => !entry.endsWith(".json"))
    .map((entry) => ({ text: `unichannel${entry.slice(1)}`, link: `/reference/api/unichannel${entry.slice(1)}/` }));
}
