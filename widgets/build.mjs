// Bundles the front end into the Python package, one module and one style sheet for each folder
// of src/ that has an index.ts. Run by `npm run build` and by hatch_build.py.
import { existsSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const widgets = readdirSync("src").filter((name) => existsSync(`src/${name}/index.ts`));

await build({
  entryPoints: widgets.flatMap((name) =>
    ["ts", "css"].map((kind) => ({ in: `src/${name}/index.${kind}`, out: name })),
  ),
  outdir: "../rlhf_lab/widgets/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
