type Spec = { [key: string]: unknown };

/** Room that axis labels, titles and the menu take beside the plot itself. */
const ROOM_BESIDE = 104;
/** Below this width a legend beside the plot would leave too little of it. */
const NARROW = 560;

/**
 * Make a single or layered figure of fixed width fit a narrow window: the plot shrinks in both directions, so that a
 * square ROC plot stays square, and the legend moves below. Figures of several plots are left as they are and scroll.
 */
export function shrinkToFit<T>(spec: T, available: number): T {
  const { width, height } = spec as Spec;
  if (typeof width !== "number" || available >= NARROW) return spec;
  const room = Math.max(available - ROOM_BESIDE, 160);
  const scale = Math.min(room / width, 1);
  const shrunk: Spec = { ...(spec as Spec), width: Math.round(width * scale) };
  if (typeof height === "number") shrunk.height = Math.round(height * scale);
  const config = ((spec as Spec).config ?? {}) as Spec;
  const legend = { ...((config.legend ?? {}) as Spec), orient: "bottom", columns: 2 };
  return { ...shrunk, config: { ...config, legend } } as T;
}
