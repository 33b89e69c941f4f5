// The scripts of a component are put one after another (playground/ui/components/__init__.py), so what stands at the top of
// shared.js, plot.js and the like is known in the others. The list is read from the files: a name that none declares is an error.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import js from "@eslint/js";
import globals from "globals";

const folder = join(import.meta.dirname, "../../playground/ui/components");
const declared = /^(?:const|let|class|(?:async )?function)\s+(\w+)/gm;
const shared = {};
const parts = []; // those that are put before another one, and have no export of their own
for (const file of readdirSync(folder).filter((name) => name.endsWith(".js"))) {
  const text = readFileSync(join(folder, file), "utf8");
  for (const [, name] of text.matchAll(declared)) shared[name] = "readonly";
  if (!text.includes("export default")) parts.push(`**/components/${file}`);
}

export default [
  { ignores: ["**/node_modules/**", ".venv/**", "build/**"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: { ...globals.browser, ...shared } },
    rules: {
      "no-redeclare": ["error", { builtinGlobals: false }],
      "no-unused-vars": ["error", { vars: "local" }], // what stands at the top may be used by the next script
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
    },
  },
  { files: [...parts, "**/ui/*.js"], languageOptions: { sourceType: "script" } },
  { files: ["**/*.mjs", ".ci/**"], languageOptions: { globals: globals.node } },
];
