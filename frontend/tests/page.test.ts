import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { shortcutFor } from "../islands/page/core/shortcuts";
import { nextChoice, parseChoice, resolveTheme } from "../islands/page/core/theme";
import { isWholePage, lifetime, parseToast } from "../islands/page/core/toast";
import { isChanged } from "../islands/page/core/unsent";
import { decimals, fill, megabytes } from "../islands/text";

describe("the theme", () => {
  it("goes round: as the system, light, dark", () => {
    expect(nextChoice("auto")).toBe("light");
    expect(nextChoice("light")).toBe("dark");
    expect(nextChoice("dark")).toBe("auto");
  });

  it("follows the system until something was chosen", () => {
    expect(resolveTheme(parseChoice(null), true)).toBe("dark");
    expect(resolveTheme(parseChoice("nonsense"), false)).toBe("light");
    expect(resolveTheme(parseChoice("light"), true)).toBe("light");
  });
});

describe("shortcuts", () => {
  const press = { key: "?", ctrlKey: false, metaKey: false, altKey: false };

  it("work only where nobody is typing and no modifier is held", () => {
    expect(shortcutFor(press, false, true)).toBe("help");
    expect(shortcutFor(press, true, true)).toBeNull();
    expect(shortcutFor({ ...press, ctrlKey: true }, false, true)).toBeNull();
  });

  it("can be turned off", () => {
    expect(shortcutFor(press, false, false)).toBeNull();
  });
});

describe("toasts", () => {
  it("read both forms of HX-Trigger", () => {
    expect(parseToast({ level: "success", text: "Saved" })).toEqual({ level: "success", text: "Saved" });
    expect(parseToast({ value: "Saved" })).toEqual({ level: "info", text: "Saved" });
    expect(parseToast({ level: "shout", text: "Saved" })?.level).toBe("info");
    expect(parseToast({ level: "danger" })).toBeNull();
    expect(parseToast(null)).toBeNull();
  });

  it("stay when they say that something failed", () => {
    expect(lifetime({ level: "danger", text: "x" })).toBeNull();
    expect(lifetime({ level: "success", text: "x" })).toBeGreaterThan(0);
  });

  it("stand in for a whole page that came where a part was expected", () => {
    expect(isWholePage("\n<!doctype html><html>")).toBe(true);
    expect(isWholePage('<div class="alert">')).toBe(false);
  });
});

describe("texts", () => {
  it("are filled by name", () => {
    expect(fill("Slice {k} of {n}", { k: 3, n: 28 })).toBe("Slice 3 of 28");
    expect(fill("{unknown}", {})).toBe("{unknown}");
  });

  it("print numbers with a true minus and never minus zero", () => {
    expect(decimals(-12.34, 1)).toBe("\u221212.3");
    expect(decimals(-0.01, 1)).toBe("0.0");
    expect(megabytes(12_345_678)).toBe("12.3");
    expect(megabytes(123_456_789)).toBe("123");
  });
});

describe("templates", () => {
  const root = `${import.meta.dirname}/../../apps`;
  const icons = new Set(readdirSync(`${import.meta.dirname}/../icons`).map((file) => file.replace(".svg", "")));
  const templates = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));

  it("name only icons that the sprite holds", () => {
    const used = templates.flatMap((file) => {
      const text = readFileSync(`${root}/${file}`, "utf8");
      return [...text.matchAll(/\{% icon "([^"]+)"|icon_name="([^"]+)"/g)].map((match) => match[1] ?? match[2]);
    });
    expect(used.length).toBeGreaterThan(20);
    expect(used.filter((name) => !icons.has(String(name)))).toEqual([]);
  });

  it("hold no inline script, style or event handler, which the content security policy would block", () => {
    const offending = templates.filter((file) => {
      const text = readFileSync(`${root}/${file}`, "utf8");
      return /<script(?![^>]*(src=|type="application\/json"))|<style|\sstyle="|\son[a-z]+="|hx-on/i.test(text);
    });
    expect(offending).toEqual([]);
  });
});

describe("unsent work", () => {
  const option = (selected: boolean, defaultSelected: boolean) => ({ selected, defaultSelected });

  it("is what was typed, ticked or chosen since the page was loaded", () => {
    expect(isChanged({ type: "text", value: "71", defaultValue: "" })).toBe(true);
    expect(isChanged({ type: "file", value: "C:\\fakepath\\mask.nii.gz", defaultValue: "" })).toBe(true);
    expect(isChanged({ type: "radio", value: "1", checked: true, defaultChecked: false })).toBe(true);
    expect(isChanged({ type: "select-one", value: "b", options: [option(false, true), option(true, false)] })).toBe(
      true,
    );
    expect(isChanged({ type: "select-one", value: "b", options: [option(false, false), option(true, false)] })).toBe(
      true,
    );
  });

  it("is not what the page came with", () => {
    expect(isChanged({ type: "text", value: "71", defaultValue: "71" })).toBe(false);
    expect(isChanged({ type: "hidden", value: "new", defaultValue: "old" })).toBe(false);
    expect(isChanged({ type: "checkbox", value: "on", checked: true, defaultChecked: true })).toBe(false);
    expect(isChanged({ type: "select-one", value: "a", options: [option(true, false), option(false, false)] })).toBe(
      false,
    );
  });
});
