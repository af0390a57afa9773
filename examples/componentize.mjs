// SPDX-License-Identifier: Apache-2.0
// SOURCE WIT OUTPUT: the component of the world `server` that a JavaScript source becomes. Runs beside node_modules.
import { readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [source, wit, output] = process.argv.slice(2);
const { component } = await componentize(await readFile(source, "utf8"), { witPath: wit, worldName: "server" });
await writeFile(output, component);
