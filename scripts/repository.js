// @ts-check
// `node scripts/repository.js ADDRESS` writes the address of the repository to package.json: `repository`, `homepage` and `bugs`.
// Without an argument it prints the address. The absolute links of the packed documents are made of it (scripts/pack.js).
import { readFileSync, writeFileSync } from "node:fs";
import { repositoryFields, repositoryOf } from "./lib/repository.js";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const [address] = process.argv.slice(2);
if (address === undefined) console.log(repositoryOf(manifest));
else writeFileSync("package.json", `${JSON.stringify({ ...manifest, ...repositoryFields(address) }, undefined, 2)}\n`);
