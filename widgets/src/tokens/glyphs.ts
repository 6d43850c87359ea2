// A token as something to see. What a model printed may hold characters that show nothing, or that
// turn the text around them; each of those becomes a mark with its name.

import { tokens as strings } from "../strings";
import type { Kind } from "./protocol";

/** A piece of a token: its own text, or a mark in the place of what cannot be seen. */
export interface Glyph {
  text: string;
  isMark: boolean;
}

// Controls, formats (bidi among them), separators, and what is unassigned or private.
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cn}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]/u;
// These join or dress the character before them; they are shown where they have none.
const JOINERS = /\u200c|\u200d|[\ufe00-\ufe0f]/;
const BLANK = /^[\s\u00a0]*$/u;
const COMBINING = /^\p{M}/u;
const DOTTED_CIRCLE = "\u25cc";

const NAMES: Record<number, string> = {
  133: "NEL",
  160: "NBSP",
  173: "SHY",
  1564: "ALM",
  8203: "ZWSP",
  8204: "ZWNJ",
  8205: "ZWJ",
  8206: "LRM",
  8207: "RLM",
  8234: "LRE",
  8235: "RLE",
  8236: "PDF",
  8237: "LRO",
  8238: "RLO",
  8288: "WJ",
  8294: "LRI",
  8295: "RLI",
  8296: "FSI",
  8297: "PDI",
  65279: "BOM",
};

/** What is shown of a token. */
export function glyphsOf(text: string, kind: Kind): Glyph[] {
  if (kind !== "text") return [{ text, isMark: true }];
  if (text === "") return [{ text: strings.nothing, isMark: true }];
  const isBlank = BLANK.test(text);
  const glyphs: Glyph[] = [];
  let seen = false;
  for (const character of text) {
    for (const glyph of shown(character, isBlank, seen)) add(glyphs, glyph);
    if (!JOINERS.test(character)) seen = !UNSEEN.test(character) && !BLANK.test(character);
  }
  if (COMBINING.test(text) && glyphs[0] && !glyphs[0].isMark) {
    glyphs[0] = { text: DOTTED_CIRCLE + glyphs[0].text, isMark: false };
  }
  return glyphs;
}

/** Put the glyphs of a token into an element, as text alone. */
export function drawToken(element: HTMLElement, text: string, kind: Kind): void {
  const glyphs = glyphsOf(text, kind);
  const [only] = glyphs;
  if (glyphs.length === 1 && only && !only.isMark) {
    element.textContent = only.text;
    return;
  }
  element.replaceChildren(...glyphs.map((glyph) => (glyph.isMark ? mark(glyph.text) : glyph.text)));
}

/** A token in one line, as in a table or for a screen reader. */
export function inWords(text: string, kind: Kind, whole: string): string {
  if (kind === "special") return strings.special(text);
  if (kind === "bytes") return strings.bytes(text, whole);
  const spaces = /^ +$/.test(text) ? text.length : 0;
  if (spaces) return strings.spaces(spaces);
  if (text === "\n") return strings.newline;
  const line = glyphsOf(text, kind)
    .map((glyph) => (glyph.isMark ? glyph.text : glyph.text.replace(/\n/g, "")))
    .join("");
  return strings.quoted(line);
}

function mark(text: string): HTMLElement {
  const element = document.createElement("span");
  element.className = "tk-mark";
  element.textContent = text;
  return element;
}

function* shown(character: string, isBlank: boolean, afterSeen: boolean): Generator<Glyph> {
  if (character === "\n") {
    yield { text: strings.marks.newline, isMark: true };
    yield { text: "\n", isMark: false };
  } else if (character === "\t") {
    yield { text: strings.marks.tab, isMark: true };
  } else if (character === " ") {
    yield isBlank ? { text: strings.marks.space, isMark: true } : { text: " ", isMark: false };
  } else if (isUnseen(character, isBlank, afterSeen)) {
    yield { text: nameOf(character.codePointAt(0) ?? 0), isMark: true };
  } else {
    yield { text: character, isMark: false };
  }
}

function isUnseen(character: string, isBlank: boolean, afterSeen: boolean): boolean {
  if (JOINERS.test(character)) return !afterSeen;
  return UNSEEN.test(character) || (isBlank && BLANK.test(character)) || character === "\u00a0";
}

function nameOf(code: number): string {
  if (code < 0x20) return String.fromCodePoint(0x2400 + code); // Unicode's control pictures
  if (code === 0x7f) return "\u2421";
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function add(glyphs: Glyph[], glyph: Glyph): void {
  const last = glyphs.at(-1);
  if (last && !last.isMark && !glyph.isMark) last.text += glyph.text;
  else glyphs.push(glyph);
}
