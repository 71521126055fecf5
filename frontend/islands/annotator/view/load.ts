import type { Ct } from "../core/ct";
import { type CanvasData, readHu } from "../core/data";
import { Mask } from "../core/mask";
import { unpack } from "./packing";

async function fetched(url: string): Promise<Response> {
  const answer = await fetch(url, { headers: { Accept: "application/octet-stream, application/json" } });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer;
}

export async function loadCt(data: CanvasData): Promise<Ct> {
  const bytes = await (await fetched(data.urls.ct)).arrayBuffer();
  return { ...data, hu: readHu(bytes, data) };
}

/** The labels that the server has at an address; an empty answer is an empty mask. */
export async function loadMask(data: CanvasData, url: string): Promise<Mask> {
  const labels = await unpack(await (await fetched(url)).blob());
  const mask = new Mask(data.slices, data.rows, data.columns);
  if (labels.length === 0) return mask;
  if (labels.length !== mask.labels.length) throw new RangeError("the mask did not arrive whole");
  for (let z = 0; z < mask.slices; z++) mask.load(z, labels.subarray(z * mask.pixels, (z + 1) * mask.pixels));
  return mask;
}
