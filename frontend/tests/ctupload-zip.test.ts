import { strToU8, Zip, ZipDeflate, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { extract, membersOf, refuseZip } from "../islands/ctupload/core/zip";

// fflate writes the ZIPs, so that what we read is another program's idea of the format.
const slice = Uint8Array.from({ length: 70_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 9) & 0x3f);
const whole = (options = {}) =>
  zipSync(
    { "CD/DICOM/SER1/IM1": slice, "CD/DICOM/SER2/IM1": [strToU8("stored"), { level: 0 }], DICOMDIR: strToU8("index") },
    options,
  );

const blob = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]);

/** Where a signature stands for the nth time. */
function find(bytes: Uint8Array, signature: number, nth = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let seen = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 1) {
    if (view.getUint32(at, true) === signature && seen++ === nth) return at;
  }
  throw new Error("no such signature");
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;

function changed(at: (bytes: Uint8Array) => number, value: number, size: 1 | 2 | 4 = 1): Blob {
  const bytes = whole();
  const view = new DataView(bytes.buffer);
  const place = at(bytes);
  if (size === 1) view.setUint8(place, value);
  else if (size === 2) view.setUint16(place, value, true);
  else view.setUint32(place, value, true);
  return blob(bytes);
}

describe("a ZIP", () => {
  it("gives the files of its folders, deflated or stored", async () => {
    const zip = blob(whole());
    const members = await membersOf(zip);
    expect(members.map(({ name, size }) => [name, size])).toEqual([
      ["CD/DICOM/SER1/IM1", 70_000],
      ["CD/DICOM/SER2/IM1", 6],
      ["DICOMDIR", 5],
    ]);
    const [first, second] = await Promise.all(members.map((member) => extract(zip, member)));
    expect(new Uint8Array((await first?.arrayBuffer()) ?? [])).toEqual(slice);
    expect(await second?.text()).toBe("stored");
  });

  it("that was written as a stream, its sizes behind the data, is read too", async () => {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const stream = new Zip((error, chunk) => {
      if (error) throw error;
      chunks.push(new Uint8Array(chunk));
    });
    const file = new ZipDeflate("IM1");
    stream.add(file);
    file.push(slice, true);
    stream.end();
    const zip = new Blob(chunks);
    const [member] = await membersOf(zip);
    expect(member && new Uint8Array(await (await extract(zip, member)).arrayBuffer())).toEqual(slice);
  });

  it("may stand behind a program and before a comment", async () => {
    const zip = new Blob(["MZ unpacker", whole({ comment: "burned by CD writer" })]);
    const members = await membersOf(zip);
    expect(members).toHaveLength(3);
    expect(await (members[1] && (await extract(zip, members[1])).text())).toBe("stored");
  });

  it("is not read whole: only its directory is, until a file is unpacked", async () => {
    let bytesRead = 0;
    class Counted extends Blob {
      override slice(start?: number, end?: number): Blob {
        return new Counted([super.slice(start, end)]);
      }
      override arrayBuffer(): Promise<ArrayBuffer> {
        bytesRead += this.size;
        return super.arrayBuffer();
      }
    }
    const noise = crypto.getRandomValues(new Uint8Array(65_536));
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`IM${i}`, noise]));
    const zip = zipSync(files, { level: 0 });
    expect(await membersOf(new Counted([zip]))).toHaveLength(40);
    // The last 64 KiB may be a comment and must be looked through; the directory has 51 bytes a file.
    expect(bytesRead).toBeGreaterThan(65_000);
    expect(bytesRead).toBeLessThan(70_000);
    expect(zip.length).toBeGreaterThan(2_600_000);
  });

  it("is rid of what systems leave beside the files", async () => {
    const names = ["__MACOSX/CD/._IM1", "CD/.DS_Store", "CD/Thumbs.db", "CD/", "CD/IM1"];
    const zip = zipSync(Object.fromEntries(names.map((name) => [name, new Uint8Array(name.endsWith("/") ? 0 : 3)])));
    expect((await membersOf(blob(zip))).map(({ name }) => name)).toEqual(["CD/IM1"]);
  });

  it.each([
    ["zip64", "65,535 files", changed((bytes) => find(bytes, END) + 10, 0xffff, 2)],
    ["zip64", "a directory behind 4 GB", changed((bytes) => find(bytes, END) + 16, 0xffffffff, 4)],
    ["zip64", "a file of 4 GB", changed((bytes) => find(bytes, CENTRAL) + 24, 0xffffffff, 4)],
    ["zip_password", "a password", changed((bytes) => find(bytes, CENTRAL) + 8, 1)],
    ["zip_method", "LZMA", changed((bytes) => find(bytes, CENTRAL) + 10, 14, 2)],
    ["zip_damaged", "a directory cut short", changed((bytes) => find(bytes, END) + 10, 4, 2)],
    ["zip_damaged", "no end", blob(whole().slice(0, 500))],
    ["zip_damaged", "other content", new Blob(["no ZIP at all"])],
    ["zip_damaged", "no content", new Blob([])],
    ["zip_path", "a climbing path", blob(zipSync({ "CD/../../IM1": slice }))],
    ["zip_path", "an absolute path", blob(zipSync({ "/etc/IM1": slice }))],
    ["zip_path", "a drive", blob(zipSync({ "C:\\IM1": slice }))],
    ["zip_expands", "ten million zeros", blob(zipSync({ IM1: new Uint8Array(10_000_000) }, { level: 9 }))],
    ["zip_empty", "litter alone", blob(zipSync({ ".DS_Store": slice }))],
  ])("is refused as %s for %s", async (code, _what, zip) => {
    await expect(membersOf(zip)).rejects.toMatchObject({ code });
  });
});

describe("a file in a ZIP", () => {
  const firstByte = (nth: number) => (bytes: Uint8Array) => {
    const at = find(bytes, LOCAL, nth);
    const view = new DataView(bytes.buffer);
    return at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  };

  it.each([
    ["a changed byte in what is stored", 1, changed(firstByte(1), 0x00)],
    ["a changed byte in what is deflated", 0, changed((bytes) => firstByte(0)(bytes) + 40, 0xa5)],
    ["a shorter length than it unpacks to", 0, changed((bytes) => find(bytes, CENTRAL) + 24, 69_999, 4)],
    ["a longer length than it unpacks to", 0, changed((bytes) => find(bytes, CENTRAL) + 24, 70_001, 4)],
    ["data that would reach into the next file", 1, changed((bytes) => find(bytes, CENTRAL, 1) + 20, 900, 4)],
    ["no header of its own", 1, changed((bytes) => find(bytes, LOCAL, 1), 0x00)],
  ])("with %s is named damaged, and no other is", async (_what, place, zip) => {
    const members = await membersOf(zip);
    const results = await Promise.allSettled(members.map((member) => extract(zip, member)));
    expect(results.map(({ status }) => status)).toEqual(
      members.map((_, i) => (i === place ? "rejected" : "fulfilled")),
    );
    expect(results[place]).toMatchObject({ reason: { code: "zip_damaged" } });
  });

  it("that is a ZIP itself is refused, a picture is not", async () => {
    await expect(refuseZip(blob(whole()))).rejects.toMatchObject({ code: "zip_nested" });
    await expect(refuseZip(new Blob(["PK"]))).resolves.toBeUndefined();
    await expect(refuseZip(blob(slice))).resolves.toBeUndefined();
  });
});
