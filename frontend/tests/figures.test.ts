import { describe, expect, it } from "vitest";
import { shrinkToFit } from "../islands/figures/core/fit";
import { figureConfig, recolor } from "../islands/figures/core/theme";
import palette from "../palette.json";

/** Relative luminance and contrast ratio as WCAG 2.2 defines them. */
function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

describe("the palette", () => {
  it("measures contrast as the standard does", () => {
    expect(contrast("#ffffff", "#000000")).toBeCloseTo(21, 6);
    expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
  });

  it.each(Object.entries(palette.light))("%s is legible as a graphic on light pages", (_name, color) => {
    expect(contrast(color, "#ffffff")).toBeGreaterThanOrEqual(3);
  });

  it.each(Object.entries(palette.dark))("%s is legible as a graphic on dark pages", (_name, color) => {
    expect(contrast(color, "#16202a")).toBeGreaterThanOrEqual(3);
  });

  it("names the same series in both themes and in the order of use", () => {
    expect(Object.keys(palette.dark)).toEqual(Object.keys(palette.light));
    expect([...palette.series].sort()).toEqual(Object.keys(palette.light).sort());
  });
});

describe("figures on dark pages", () => {
  const spec = {
    encoding: { color: { scale: { range: [palette.light.fusion.toUpperCase(), "#123456"] } } },
    width: 360,
  };

  it("swap the series colors and nothing else", () => {
    expect(recolor(spec, "dark")).toEqual({
      encoding: { color: { scale: { range: [palette.dark.fusion, "#123456"] } } },
      width: 360,
    });
  });

  it("leave a light page's definition as it is", () => {
    expect(recolor(spec, "light")).toBe(spec);
  });

  it("take their series colors from the theme", () => {
    const style = { font: "x", text: "#000", muted: "#000", line: "#000", background: "#fff" };
    expect(figureConfig(style, "dark").range.category[0]).toBe(palette.dark.fusion);
  });
});

describe("figures in a narrow window", () => {
  const square = { width: 360, height: 360, mark: "line" };

  it("keep their shape and move the legend below", () => {
    const shrunk = shrinkToFit(square, 330) as typeof square & { config: { legend: { orient: string } } };
    expect(shrunk.width).toBeLessThan(330);
    expect(shrunk.width).toBeGreaterThan(200);
    expect(shrunk.height).toBe(shrunk.width);
    expect(shrunk.config.legend.orient).toBe("bottom");
  });

  it("are never made larger, and are untouched in a wide one", () => {
    expect(shrinkToFit({ width: 100 }, 500).width).toBe(100);
    expect(shrinkToFit(square, 800)).toBe(square);
  });

  it("that follow the width of their container need no help", () => {
    const spec = { width: "container" };
    expect(shrinkToFit(spec, 300)).toBe(spec);
  });
});
