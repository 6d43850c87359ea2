import { beforeEach, describe, expect, it, vi } from "vitest";
import { doubtsAbout, partsOf, readAddress } from "../src/shared/address";
import { fromSafeHtml } from "../src/shared/dom";
import { links as strings } from "../src/strings";

function address(text: string): URL {
  const read = readAddress(text);
  if (!read) throw new Error(`${text} is no address`);
  return read;
}

describe("an address", () => {
  it.each([
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "blob:https://a.example/1",
    "//a.example",
    "/a",
    "a.example",
    "https://",
    "",
  ])("is refused: %s", (text) => {
    expect(readAddress(text)).toBeNull();
  });

  it("is read as the browser will read it", () => {
    expect(address("https://а.example/é\u202e").href).toBe(
      "https://xn--80a.example/%C3%A9%E2%80%AE",
    );
    expect(address("ht\ntps://a.example").host).toBe("a.example");
  });

  it.each([
    ["https://a.example:8080/b?c#d", "https://", "a.example:8080", "/b?c#d"],
    ["https://bank.example@evil.example/x", "https://bank.example@", "evil.example", "/x"],
    ["https://u:p@evil.example/", "https://u:p@", "evil.example", "/"],
    ["http://[::1]/a.example", "http://", "[::1]", "/a.example"],
    ["mailto:me@a.example?subject=x", "mailto:", "me@a.example", "?subject=x"],
  ])("says whom it leads to: %s", (text, before, site, after) => {
    expect(partsOf(address(text))).toEqual({ before, site, after });
  });

  it.each([
    ["https://docs.example/a", "the docs", []],
    ["https://docs.example/a", "https://www.docs.example/b", []],
    ["https://nodejs.example/", "Node.js", []],
    ["https://git.example/x/train.py", "train.py", []],
    ["mailto:me@a.example", "me at a.example", []],
    ["https://git.example/x", "src/train.py", []],
    ["https://evil.example/", "bank.example", [strings.otherSite("bank.example")]],
    ["https://evil.example/", "sparkasse.de", [strings.otherSite("sparkasse.de")]],
    ["https://evil.example/", "Bücher.de", [strings.otherSite("bücher.de")]],
    ["https://evil.example/", "bank.test/login?a=1", [strings.otherSite("bank.test")]],
    ["https://www.sparkasse.de/konto", "sparkasse.de", []],
    ["https://evil.example/", "see https://bank.test/x", [strings.otherSite("bank.test")]],
    ["https://xn--80a.example/", "a", [strings.foreignLetters("xn--80a.example")]],
    ["https://bank.example@evil.example/", "x", [strings.userName]],
    ["https://192.0.2.1/", "x", [strings.number]],
    ["https://[::1]/", "x", [strings.number]],
    ["http://a.example/", "x", [strings.unencrypted]],
  ])("to %s under the label %s raises its doubts", (text, label, doubts) => {
    expect(doubtsAbout(address(text), label)).toEqual(doubts);
  });
});

describe("a marked address in a text", () => {
  let widget: HTMLElement;
  const modal = vi.fn(function (this: HTMLDialogElement) {
    this.setAttribute("open", "");
  });

  function put(html: string): HTMLElement {
    const text = fromSafeHtml("rw-md", html);
    widget.replaceChildren(text);
    return text;
  }

  function get<E extends HTMLElement>(selector: string): E {
    const found = widget.querySelector<E>(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    return found;
  }

  beforeEach(() => {
    document.body.innerHTML = '<div id="host"><section class="rlhf-widget"></section></div>';
    widget = document.querySelector<HTMLElement>(".rlhf-widget") ?? document.body;
    modal.mockClear();
    // jsdom has no modal dialogs; browsers move the focus, trap it, and close on Escape.
    HTMLDialogElement.prototype.showModal = modal;
    HTMLDialogElement.prototype.close = function (this: HTMLDialogElement) {
      this.removeAttribute("open");
      this.dispatchEvent(new Event("close"));
    };
  });

  const DOCS =
    '<span class="rw-md-link" data-url="https://docs.example/a?b">the <em>docs</em></span>';

  it("becomes a button with the label that it had", () => {
    const text = put(`<p>See ${DOCS}.</p>`);
    const button = get<HTMLButtonElement>("button.rw-md-link");
    expect(button.type).toBe("button");
    expect(button.innerHTML).toBe("the <em>docs</em>");
    expect(button.title).toBe(strings.hint("docs.example"));
    expect(text.querySelector("a, [data-url], [href]")).toBeNull();
  });

  it.each(["javascript:alert(1)", "/a", "data:text/html,x", ""])("stays text: %s", (url) => {
    put(`<p><span class="rw-md-link" data-url="${url}">x</span></p>`);
    expect(widget.querySelector("button")).toBeNull();
  });

  it("whose label shows nothing is the address", () => {
    put('<span class="rw-md-link" data-url="https://a.example/">\u200b \u2060</span>');
    expect(get("button").textContent).toBe("https://a.example/");
  });

  it("asks before it opens, and shows the whole address with the site in bold", () => {
    put(DOCS);
    get("button.rw-md-link").click();
    expect(modal).toHaveBeenCalledOnce();
    expect(get("dialog").getAttribute("aria-label")).toBe(strings.title);
    expect(get(".rw-link-address").textContent).toBe("https://docs.example/a?b");
    expect(get(".rw-link-address strong").textContent).toBe("docs.example");
    const open = get<HTMLAnchorElement>("dialog a");
    expect(open.href).toBe("https://docs.example/a?b");
    expect(open.hasAttribute("data-inviting")).toBe(true);
    expect([open.target, open.rel]).toEqual(["_blank", "noopener noreferrer"]);
    expect(get<HTMLButtonElement>("dialog button").autofocus).toBe(true);
  });

  it("names its doubts", () => {
    put('<span class="rw-md-link" data-url="http://evil.example/">https://bank.example</span>');
    get("button.rw-md-link").click();
    const doubts = [...widget.querySelectorAll("dialog li")].map((item) => item.textContent);
    expect(doubts).toEqual([strings.otherSite("bank.example"), strings.unencrypted]);
    expect(widget.querySelector("a[data-inviting]")).toBeNull();
  });

  it("doubts a label whose site is parted by signs that nobody sees", () => {
    put(
      '<span class="rw-md-link" data-url="https://evil.example/">spar\u200bkas\u00adse.de</span>',
    );
    get("button.rw-md-link").click();
    expect(get("dialog li").textContent).toBe(strings.otherSite("sparkasse.de"));
  });

  it("gives the focus to the widget where the link is gone when its dialog closes", () => {
    widget.tabIndex = -1;
    put(DOCS);
    get("button.rw-md-link").click();
    widget.querySelector(".rw-md")?.remove();
    get("dialog button").click();
    expect(document.activeElement).toBe(widget);
  });

  it("opens a mail program in no new tab", () => {
    put('<span class="rw-md-link" data-url="mailto:me@a.example">x</span>');
    get("button.rw-md-link").click();
    const open = get<HTMLAnchorElement>("dialog a");
    expect([open.textContent, open.target]).toEqual([strings.write, ""]);
  });

  it.each(["dialog button", "dialog"])(
    "is left by a click on the %s; the focus is back",
    (what) => {
      put(DOCS);
      get("button.rw-md-link").click();
      get(what).click();
      expect(widget.querySelector("dialog")).toBeNull();
      expect(document.activeElement).toBe(get("button.rw-md-link"));
    },
  );

  it("keeps clicks and keys in its dialog from the widget around it", () => {
    const seen: string[] = [];
    for (const type of ["click", "keydown", "keyup"]) {
      widget.addEventListener(type, (event) => seen.push(event.type));
    }
    put(DOCS);
    get("button.rw-md-link").click();
    const options = { bubbles: true, cancelable: true };
    get("dialog button").dispatchEvent(new KeyboardEvent("keydown", { key: "1", ...options }));
    get("dialog p").click();
    expect(seen).toEqual([]);
    expect(widget.querySelector("dialog")).not.toBeNull();
  });

  it("asks in one dialog at a time", () => {
    put(DOCS);
    get("button.rw-md-link").click();
    get("button.rw-md-link").click();
    expect(widget.querySelectorAll("dialog")).toHaveLength(1);
  });
});
