// Reads an address as the browser will, and says what a reader should look at twice. No DOM here.

import { links as strings } from "../strings";

const SCHEMES = ["http:", "https:", "mailto:"];

/** The address, or null where it is none that may be opened. It holds visible ASCII alone. */
export function readAddress(text: string): URL | null {
  if (!URL.canParse(text)) return null; // without a base: what is relative is refused
  const address = new URL(text);
  if (!SCHEMES.includes(address.protocol)) return null;
  return /^[!-~]+$/.test(address.href) ? address : null;
}

/** An address in three parts, the middle one saying whom it leads to. */
export function partsOf(address: URL): { before: string; site: string; after: string } {
  const site = address.protocol === "mailto:" ? address.pathname : address.host;
  const login = address.username || address.password ? loginOf(address) : "";
  const start = address.protocol.length + (address.host ? "//".length : 0) + login.length;
  return {
    before: address.href.slice(0, start),
    site,
    after: address.href.slice(start + site.length),
  };
}

function loginOf(address: URL): string {
  const password = address.password ? `:${address.password}` : "";
  return `${address.username}${password}@`;
}

/** What is odd about an address, and about the label it hides behind. */
export function doubtsAbout(address: URL, label: string): string[] {
  const said = siteNamedIn(label);
  const doubts: [boolean, string][] = [
    [said !== null && !sameSite(said, address), strings.otherSite(said ?? "")],
    [/(^|\.)xn--/.test(address.hostname), strings.foreignLetters(address.hostname)],
    [address.username !== "" || address.password !== "", strings.userName],
    [/^\[|^[\d.]+$/.test(address.hostname), strings.number],
    [address.protocol === "http:", strings.unencrypted],
  ];
  return doubts.flatMap(([holds, text]) => (holds ? [text] : []));
}

// With a scheme or "www." anything is a site. Without, a label that is one dotted name is one, unless
// it is a file; and among other words, only what ends as most sites do.
const WRITTEN_OUT = /(?:https?:\/\/(?:[^\s/?#@]*@)?|\bwww\.)([^\s/?#]+)/i;
const ONE_NAME = /^((?:[\p{L}\d-]+\.)+(\p{L}{2,}))(?:[/?#:]\S*)?$/u;
const ALONE =
  /(?:^|[\s(])((?:[\p{L}\d-]+\.)+(?:com|org|net|edu|gov|info|io|dev|ai|app|co|example))\b/iu;
const FILE_TYPES = new Set(
  (
    "bat bin bmp c cc cfg cpp cs css csv db doc docx exe go gz h hpp htm html ini ipynb java jpeg " +
    "jpg js json jsonl jsx kt lock log lua md mjs parquet pdf php pkl png ppt pptx ps py pyi r rb " +
    "rs rst safetensors sh sql svg swift tar tex toml ts tsv tsx txt wav webp xls xlsx xml yaml yml"
  ).split(" "),
);

/** The site that a label seems to be the address of, or null. */
function siteNamedIn(label: string): string | null {
  const [, name, ending] = ONE_NAME.exec(label) ?? [];
  const alone = name && !FILE_TYPES.has(ending?.toLowerCase() ?? "") ? name : null;
  const found = WRITTEN_OUT.exec(label)?.[1] ?? alone ?? ALONE.exec(label)?.[1];
  return found?.toLowerCase() ?? null;
}

function sameSite(said: string, address: URL): boolean {
  const read = URL.canParse(`https://${said}`) ? new URL(`https://${said}`).host : said;
  const bare = (host: string): string => host.replace(/^www\./, "");
  const site = address.host || address.pathname.replace(/^.*@/, "");
  return bare(read) === bare(site.toLowerCase());
}
