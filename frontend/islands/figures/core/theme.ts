import palette from "../../../palette.json";

export type Theme = "light" | "dark";
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

const NAMES = Object.keys(palette.light) as (keyof typeof palette.light)[];
const DARK_TWIN = new Map<string, string>(NAMES.map((name) => [palette.light[name], palette.dark[name]]));

/** Replace each series color that a definition names by its twin for dark pages; other values stay. */
export function recolor(value: Json, theme: Theme): Json {
  if (theme === "light") return value;
  if (typeof value === "string") return DARK_TWIN.get(value.toLowerCase()) ?? value;
  if (Array.isArray(value)) return value.map((item) => recolor(item, theme));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, recolor(item, theme)]));
}

export interface PageStyle {
  font: string;
  text: string;
  muted: string;
  line: string;
  background: string;
}

/** Vega-Lite's configuration from the page's own style. What the figure's definition sets itself wins over it. */
export function figureConfig(style: PageStyle, theme: Theme) {
  const colors = palette[theme];
  const series = palette.series.map((name) => colors[name as keyof typeof colors]);
  const label = { labelColor: style.muted, titleColor: style.text, labelFontSize: 12, titleFontSize: 13 };
  return {
    font: style.font,
    background: "transparent",
    view: { stroke: null },
    axis: {
      ...label,
      titleFontWeight: 600 as const,
      gridColor: style.line,
      domainColor: style.muted,
      tickColor: style.muted,
      titlePadding: 8,
    },
    axisX: { labelAngle: 0 },
    legend: { ...label, titleFontWeight: 600 as const, symbolStrokeWidth: 3 },
    header: label,
    title: {
      color: style.text,
      fontSize: 15,
      fontWeight: 600 as const,
      anchor: "start" as const,
      subtitleColor: style.muted,
    },
    range: { category: series },
    mark: { color: colors.fusion },
    text: { color: style.text },
    rule: { color: style.muted },
  };
}
