// The site: the Markdown of docs/ and the documents of the root, with the generated reference. One source: whatever a page needs reads
// well as plain Markdown, too.
import { readFileSync } from "node:fs";
import { defineConfig } from "vitepress";
import { repositoryOf } from "../../scripts/lib/repository.js";
import { CHOICE_SCRIPT, codeBlocks } from "./blocks.js";
import { links } from "./links.js";
import { firstOf, sidebars } from "./sidebar.js";

const ROOT = new URL("../../", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8"));

/** Documents of the root that are pages of the site. */
export const DOCUMENTS = ["ARCHITECTURE", "PROTOCOL", "SECURITY", "CONTRIBUTING", "CHANGELOG"];

export default defineConfig({
  title: "unichannel",
  description: manifest.description,
  lang: "en",
  cleanUrls: true,
  srcDir: "..",
  // All other Markdown of the repository belongs to its folder, not to a reader of the site.
  srcExclude: [
    "{README,LICENSE}.md",
    "{bench,conformance,demo,dist,examples,fuzz,scripts,siege,soak,src,test,tmp}/**",
    "site/!(index).md",
  ],
  rewrites: {
    "site/index.md": "index.md",
    "docs/:path*": ":path*",
    "site/api/:path*": "reference/api/:path*",
    ...Object.fromEntries(DOCUMENTS.map((name) => [`${name}.md`, `project/${name.toLowerCase()}.md`])),
  },
  head: [
    ["link", { rel: "icon", href: "/icon.svg", type: "image/svg+xml" }],
    ["script", {}, CHOICE_SCRIPT],
  ],
  vite: {
    publicDir: new URL("../public", import.meta.url).pathname,
    server: { host: "127.0.0.1" },
    // Pages of the inspector, the demo and the examples are in the same folder, and no part of the site.
    optimizeDeps: { entries: [] },
    build: { chunkSizeWarningLimit: 2000 },
  },
  markdown: {
    config(md) {
      links(md);
      codeBlocks(md);
    },
    languageAlias: { caddyfile: "nginx", haproxy: "nginx" },
    anchor: { slugify },
  },
  themeConfig: {
    logo: "/icon.svg",
    nav: [
      { text: "Tutorial", link: firstOf("tutorial", "/how-to/getting-started"), activeMatch: "^/tutorial/" },
      { text: "How-to", link: "/how-to/channels", activeMatch: "^/how-to/" },
      { text: "Reference", link: "/reference/server", activeMatch: "^/reference/" },
      {
        text: "Explanation",
        link: firstOf("explanation", "/project/architecture"),
        activeMatch: "^/(explanation|project|decisions)/",
      },
    ],
    sidebar: sidebars(),
    socialLinks: [{ icon: "github", link: repositoryOf(manifest), ariaLabel: "Source on GitHub" }],
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        // Guides before generated pages, which name every word more often; "a" and "the" find nothing. The functions run in the page.
        miniSearch: {
          searchOptions: {
            boostDocument: (path) => (String(path).includes("/reference/api/") ? 0.3 : 1),
            processTerm: (term) => (/^(?:an?|the|of|to|and|is|it|in|does)$/i.test(term) ? null : term.toLowerCase()),
          },
        },
        // Records of decisions are for those who change the library: they would hide the answers of the other pages.
        _render(source, env, md) {
          // The path is that of the file, before `rewrites`.
          if (env.relativePath.startsWith("docs/decisions/")) return "";
          // Colours of code do not matter to a search, and cost half of the time that the site takes to build.
          md.options.highlight = null;
          return md.render(source, { ...env, isForSearch: true });
        },
      },
    },
    footer: { message: "MIT License" },
  },
});

/** The anchor of a heading, as GitHub makes it: links to it work in both places. @param {string} heading */
function slugify(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/&(?:lt|gt|amp);/g, "")
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}
