import type { Entry } from "../core/selection";

function readBatch(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

/** Browsers hand out a folder's entries in batches of about a hundred; an empty batch is the end. */
async function readAll(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const found: FileSystemEntry[] = [];
  for (let batch = await readBatch(reader); batch.length > 0; batch = await readBatch(reader)) found.push(...batch);
  return found;
}

function wrap(entry: FileSystemEntry): Entry<File> {
  return {
    isFile: entry.isFile,
    file: () => new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
    children: async () => (await readAll(entry as FileSystemDirectoryEntry)).map(wrap),
  };
}

/** What was dropped. Must be called before the drop event returns: the browser empties its list then. */
export function droppedEntries(transfer: DataTransfer): Entry<File>[] {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length > 0) return entries.map(wrap);
  // Files dragged out of another program, not out of a folder, have no entry.
  return [...transfer.files].map((file) => ({ isFile: true, file: async () => file, children: async () => [] }));
}
