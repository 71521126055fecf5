import embed, { type Result, type VisualizationSpec } from "vega-embed";
import { readJson } from "../../mount";
import { shrinkToFit } from "../core/fit";
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

async function draw(root: HTMLElement, spec: Spec): Promise<Result> {
  const theme = pageTheme();
  const { labelPng, labelSvg, labelMenu, fileName } = root.dataset;
  const fitted = shrinkToFit(recolor(structuredClone(spec), theme), root.clientWidth);
  const result = await embed(root, fitted as unknown as VisualizationSpec, {
    // Expressions are interpreted, not compiled: the content security policy forbids evaluation.
    ast: true,
    renderer: "svg",
    config: figureConfig(pageStyle(root), theme),
    // The page's stylesheet draws the menu, since the policy forbids style elements too.
    defaultStyle: false,
    forceActionsMenu: true,
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
  label(root);
  return result;
}

/** The figure's own label and the table below speak for it: a screen reader gains nothing from each mark. */
function label(root: HTMLElement): void {
  root.querySelector(".chart-wrapper")?.setAttribute("aria-hidden", "true");
  root.querySelector("summary")?.setAttribute("aria-label", root.dataset.labelMenu ?? "Save this figure");
}

/** Draw a figure from its json_script, and draw it again when the page turns dark or light. */
export function startFigure(root: HTMLElement): void {
  const spec = readJson(root.dataset.specId) as Spec;
  if (spec === null) throw new Error("A figure has no definition: data-spec-id names no json_script.");
  // The figure holds a menu, and what holds controls can't be an image.
  root.setAttribute("role", "figure");
  // vega-embed prepares a download when the mouse goes down on its link; for the keyboard, when the link is reached.
  root.addEventListener("focusin", (event) => {
    const link = (event.target as Element).closest(".vega-actions a");
    link?.dispatchEvent(new MouseEvent("mousedown"));
  });
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
  let width = root.clientWidth;
  addEventListener("resize", () => {
    if (Math.abs(root.clientWidth - width) < 24) return;
    width = root.clientWidth;
    redraw();
  });
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
