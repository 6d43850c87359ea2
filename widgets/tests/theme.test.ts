import { beforeEach, expect, it } from "vitest";
import { isDark } from "../src/shared/theme";

let inner: HTMLElement;

beforeEach(() => {
  document.body.innerHTML = '<div id="outer"><div id="inner"></div></div>';
  document.body.style.background = "";
  inner = document.getElementById("inner") ?? document.body;
});

it("follows the nearest background that is painted", () => {
  document.body.style.backgroundColor = "rgb(255, 255, 255)";
  expect(isDark(inner)).toBe(false);
  document.getElementById("outer")?.style.setProperty("background-color", "rgb(33, 33, 33)");
  expect(isDark(inner)).toBe(true);
});

it("looks through a shadow root", () => {
  document.body.style.backgroundColor = "rgb(17, 17, 17)";
  const shadow = inner.attachShadow({ mode: "open" });
  const element = document.createElement("div");
  shadow.append(element);
  expect(isDark(element)).toBe(true);
});
