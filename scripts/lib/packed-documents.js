// @ts-check
// Links of the documents in the tarball. On npmjs.com the README stands alone, so all of its links are absolute. A document that
// is read in node_modules keeps its links to files of the tarball; what is in the repository only gets an absolute link.
import { posix } from "node:path";

/** Inline links and pictures, HTML attributes, and reference definitions. Group 2 is the target. */
const LINKS = /(\]\(\s*<?|(?:href|src|srcset)="|^\[[^\]]+\]:\s*)([^)\s>"]+)/gm;
const PICTURE = /\.(?:svg|png|jpe?g|gif|webp)$/i;

/** Whether a link leads to another server, or stays in its document. @param {string} link */
export function isAbsolute(link) {
  return /^[a-z][a-z+.-]*:|^\/\//i.test(link);
}

/** The targets of all links in a document, without those in its code. @param {string} markdown */
export function linksOf(markdown) {
  return outsideCode(markdown).flatMap(({ text, isCode }) =>
    isCode ? [] : [...text.matchAll(LINKS)].map(([, , target = ""]) => target),
  );
}

/**
 * The document as it is packed.
 * @param {string} path the document, from the root of the repository
 * @param {string} markdown
 * @param {{ address: string, tag: string, isPacked: (path: string) => boolean, isFolder: (path: string) => boolean }} context
 *   `isPacked` says whether a file or folder is in the tarball
 */
export function packedDocument(path, markdown, { address, tag, isPacked, isFolder }) {
  /** @param {string} link */
  const packedLink = (link) => {
    if (isAbsolute(link) || link.startsWith("#")) return link;
    const [, file = "", rest = ""] = /^([^#?]*)(.*)$/.exec(link) ?? [];
    const target = posix.join(posix.dirname(path), file).replace(/\/$/, "");
    if (path !== "README.md" && isPacked(target)) return link;
    const view = PICTURE.test(target) ? "raw" : isFolder(target) ? "tree" : "blob";
    return `${address}/${view}/${tag}/${target}${rest}`;
  };
  return outsideCode(markdown)
    .map(({ text, isCode }) =>
      isCode ? text : text.replace(LINKS, (_, before, link) => `${before}${packedLink(link)}`),
    )
    .join("");
}

/** The document in parts: blocks of code, and the text between them. @param {string} markdown */
function outsideCode(markdown) {
  return markdown.split(/(^ *```[\s\S]*?^ *```.*$)/m).map((text, index) => ({ text, isCode: index % 2 === 1 }));
}
