import embed, { type Result, type VisualizationSpec } from "vega-embed";
import { expressionInterpreter } from "vega-interpreter";
import { readJson } from "../../mount";
import { figureConfig, recolor, type Theme } from "../core/theme";

type Spec = Parameters<typeof recolor>[0];

function pageTheme(): Theme {
  return document.documentElement.dataset.bsTheme === "dark" ? "dark" : "light";
}

function pageStyle(root: HTMLElement) {
  const style = getComputedStyle(root);
  const token = (name: string) => style.getPropertyValue(name).trim();
  return {
    font: style.fontFamily,
    text: style.color,
    muted: token("--ichor-muted"),
    line: token("--ichor-grid"),
    background: token("--tblr-bg-surface"),
  };
}

function draw(root: HTMLElement, spec: Spec): Promise<Result> {
  const theme = pageTheme();
  const { labelPng, labelSvg, labelMenu, fileName } = root.dataset;
  return embed(root, recolor(structuredClone(spec), theme) as unknown as VisualizationSpec, {
    // The interpreter walks expressions instead of compiling them, which the content security policy forbids.
    ast: true,
    expr: expressionInterpreter,
    renderer: "svg",
    config: figureConfig(pageStyle(root), theme),
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true, theme: "ichor" },
    actions: { export: { png: true, svg: true }, source: false, compiled: false, editor: false },
    scaleFactor: { png: 3 },
    downloadFileName: fileName ?? "figure",
    i18n: {
      PNG_ACTION: labelPng ?? "Save as PNG",
      SVG_ACTION: labelSvg ?? "Save as SVG",
      CLICK_TO_VIEW_ACTIONS: labelMenu ?? "Save this figure",
    },
  });
}

/** Draw a figure from its json_script, and draw it again when the page turns dark or light. */
export function startFigure(root: HTMLElement): void {
  const spec = readJson(root.dataset.specId) as Spec;
  if (spec === null) throw new Error("A figure has no definition: data-spec-id names no json_script.");
  let drawn: Promise<Result | null> = Promise.resolve(null);
  const redraw = () => {
    drawn = drawn
      .then((before) => before?.finalize())
      .then(() => draw(root, spec))
      .catch((error: unknown) => {
        root.textContent = root.dataset.textFailed ?? "This figure could not be drawn; its numbers are in the table.";
        console.error(error);
        return null;
      });
  };
  redraw();
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
