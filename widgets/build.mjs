// Bundles the front end into the Python package. Run by `npm run build` and by hatch_build.py.
import { build } from "esbuild";

await build({
  entryPoints: ["src/ranker.ts", "src/ranker.css"],
  outdir: "../rlhf_lab/widgets/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
