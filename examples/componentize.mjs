// SPDX-License-Identifier: Apache-2.0
// SOURCE WIT OUTPUT [RESOLVE-FROM]: the component of the world `server` that a JavaScript source becomes.
import { createRequire } from "node:module";
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [source, wit, output, packages] = process.argv.slice(2);
const found = createRequire(`${packages}/`).resolve("@bytecodealliance/componentize-js");
const { componentize } = await import(pathToFileURL(found));
const { component } = await componentize(await readFile(source, "utf8"), { witPath: wit, worldName: "server" });
await writeFile(output, component);
