import { isLitter } from "../../upload/core/selection";

// Signatures and field offsets: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory)
// and 4.3.16 (end of the central directory).
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const NEEDS_ZIP64 = 0xffffffff;
const ENCRYPTED = 0x1;
const STORED = 0;
const DEFLATED = 8;
const UTF8 = new TextDecoder();
// The server's own bound (apps/imaging/archive.py): what shrinks a hundredfold is no picture.
const MAX_EXPANSION = 100;

export type ZipCode =
  | "zip_damaged"
  | "zip64"
  | "zip_password"
  | "zip_method"
  | "zip_path"
  | "zip_expands"
  | "zip_empty"
  | "zip_nested";

/** What is wrong with a ZIP; the page holds the sentence for each code. */
export class ZipProblem extends Error {
  constructor(readonly code: ZipCode) {
    super(code);
  }
}

/** A file in a ZIP, as the ZIP's directory states it. */
export interface Member {
  name: string;
  size: number;
  packed: number;
  deflated: boolean;
  crc: number;
  /** Where its local header begins in the ZIP, its data behind it, and where the next thing does. */
  header: number;
  end: number;
}

interface Directory {
  start: number;
  shift: number;
  count: number;
  view: DataView<ArrayBuffer>;
}

/** The files in a ZIP, without what systems leave beside them. Reads the ZIP's directory alone. Raises ZipProblem. */
export async function membersOf(zip: Blob): Promise<Member[]> {
  const directory = await readDirectory(zip);
  const entries = readEntries(directory).sort((a, b) => a.header - b.header);
  const unpacked = entries.reduce((sum, entry) => sum + entry.size, 0);
  const packed = entries.reduce((sum, entry) => sum + entry.packed, 0);
  if (unpacked > 0 && unpacked >= MAX_EXPANSION * packed) throw new ZipProblem("zip_expands");
  for (const [place, entry] of entries.entries()) entry.end = entries[place + 1]?.header ?? directory.start;
  const found = entries.filter((entry) => isWanted(entry.name));
  if (found.length === 0) throw new ZipProblem("zip_empty");
  return found;
}

async function bytesOf(blob: Blob): Promise<DataView<ArrayBuffer>> {
  return new DataView(await blob.arrayBuffer());
}

async function readDirectory(zip: Blob): Promise<Directory> {
  const tailStart = Math.max(0, zip.size - END_BYTES - LONGEST_COMMENT);
  const tail = await bytesOf(zip.slice(tailStart));
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at -= 1;
  if (at < 0) throw new ZipProblem("zip_damaged");
  const count = tail.getUint16(at + 10, true);
  const size = tail.getUint32(at + 12, true);
  const stated = tail.getUint32(at + 16, true);
  if (count === 0xffff || size === NEEDS_ZIP64 || stated === NEEDS_ZIP64) throw new ZipProblem("zip64");
  // A program that stands before the ZIP (a self-extracting one) moves every offset by its length.
  const start = tailStart + at - size;
  if (start < stated) throw new ZipProblem("zip_damaged");
  return { start, shift: start - stated, count, view: await bytesOf(zip.slice(start, start + size)) };
}

function readEntries({ view, count, shift }: Directory): Member[] {
  const entries: Member[] = [];
  try {
    for (let at = 0; entries.length < count; ) {
      const [entry, next] = readEntry(view, at);
      entries.push({ ...entry, header: entry.header + shift });
      at = next;
    }
  } catch (error) {
    // DataView's word for a directory that is cut short.
    if (error instanceof RangeError) throw new ZipProblem("zip_damaged");
    throw error;
  }
  return entries;
}

function readEntry(view: DataView<ArrayBuffer>, at: number): [Member, number] {
  if (view.getUint32(at, true) !== CENTRAL) throw new ZipProblem("zip_damaged");
  const nameLength = view.getUint16(at + 28, true);
  const name = UTF8.decode(new Uint8Array(view.buffer, at + 46, nameLength)).replaceAll("\\", "/");
  const method = view.getUint16(at + 10, true);
  const entry = {
    name,
    crc: view.getUint32(at + 16, true),
    packed: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    header: view.getUint32(at + 42, true),
    deflated: method === DEFLATED,
    end: 0,
  };
  if ([entry.packed, entry.size, entry.header].includes(NEEDS_ZIP64)) throw new ZipProblem("zip64");
  if (view.getUint16(at + 8, true) & ENCRYPTED) throw new ZipProblem("zip_password");
  if (method !== STORED && method !== DEFLATED) throw new ZipProblem("zip_method");
  // Nothing is ever unpacked to a path; a ZIP that tries to climb is refused because it is no honest export.
  if (/^\/|^[^/]*:|(^|\/)\.\.(\/|$)/.test(name)) throw new ZipProblem("zip_path");
  return [entry, at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)];
}

function isWanted(path: string): boolean {
  const steps = path.split("/");
  return !path.endsWith("/") && !steps.includes("__MACOSX") && !isLitter(steps.at(-1) ?? "");
}

/** Refuse a ZIP where a picture is expected: the server would number its files, and the outcomes would be mixed up. */
export async function refuseZip(file: Blob): Promise<void> {
  const start = await bytesOf(file.slice(0, 4));
  const mark = start.byteLength === 4 ? start.getUint32(0, true) : 0;
  if (mark === LOCAL || mark === END) throw new ZipProblem("zip_nested");
}

/** Unpack one file of a ZIP; its length and checksum must be those that the ZIP states. Raises ZipProblem. */
export async function extract(zip: Blob, member: Member): Promise<Blob> {
  const header = await bytesOf(zip.slice(member.header, member.header + 30));
  if (header.byteLength < 30 || header.getUint32(0, true) !== LOCAL) throw new ZipProblem("zip_damaged");
  const start = member.header + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + member.packed > member.end) throw new ZipProblem("zip_damaged");
  const packed = zip.slice(start, start + member.packed).stream();
  const plain = member.deflated ? packed.pipeThrough(new DecompressionStream("deflate-raw")) : packed;
  try {
    return await new Response(plain.pipeThrough(checked(member))).blob();
  } catch (error) {
    // A disk that cannot be read says so by a DOMException; all else comes from what the ZIP holds.
    throw error instanceof DOMException ? error : new ZipProblem("zip_damaged");
  }
}

/** Pass bytes on, and fail as soon as they are more than stated, or at the end where they are not what was packed. */
function checked(member: Member): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let left = member.size;
  let crc = 0xffffffff;
  return new TransformStream({
    transform(chunk, controller) {
      left -= chunk.length;
      if (left < 0) throw new ZipProblem("zip_damaged");
      crc = addToCrc(crc, chunk);
      controller.enqueue(chunk);
    },
    flush() {
      if (left !== 0 || (crc ^ 0xffffffff) >>> 0 !== member.crc) throw new ZipProblem("zip_damaged");
    },
  });
}

// CRC-32 as in APPNOTE.TXT 4.4.7: the polynomial 0xEDB88320, bits reflected, one table of 256 steps.
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function addToCrc(crc: number, bytes: Uint8Array): number {
  let value = crc;
  for (const byte of bytes) value = (value >>> 8) ^ (CRC_TABLE[(value ^ byte) & 0xff] ?? 0);
  return value;
}
