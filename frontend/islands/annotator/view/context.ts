/**
 * The context of a canvas that the processor draws. Each stroke writes pixels anew; to hand them to the graphics unit and
 * scale them there takes half as long again where a program stands in for one, and gains nothing where there is one.
 */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  return canvas.getContext("2d", { willReadFrequently: true });
}
