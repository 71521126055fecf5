import type { Ct } from "./ct";

/** What apps/annotation/canvas.py writes into the page. */
export interface CanvasData extends Omit<Ct, "hu"> {
  labels: { label: number; name: string; color: [number, number, number] }[];
  urls: { ct: string; labels: string; save?: string; suggestion?: string; second?: string };
  /** Of the outline, counted by the server; absent where nothing is drawn. */
  revision?: number;
  seriesRevision?: number;
  remarks: { slice: number; row: number; column: number; text: string }[];
  reading?: boolean;
}

/** Hounsfield units as they are sent, little endian; a RangeError where bytes are missing. */
export function readHu(bytes: ArrayBuffer, { slices, rows, columns }: Omit<Ct, "hu">): Int16Array {
  if (bytes.byteLength !== 2 * slices * rows * columns) throw new RangeError("the CT did not arrive whole");
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return new Int16Array(bytes);
  const view = new DataView(bytes);
  return Int16Array.from({ length: bytes.byteLength / 2 }, (_, i) => view.getInt16(2 * i, true));
}
