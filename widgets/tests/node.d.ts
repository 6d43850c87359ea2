// All that tests use of Node; its own types would be one more package.
declare module "node:fs" {
  export function readFileSync(path: string, encoding: "utf-8"): string;
}
