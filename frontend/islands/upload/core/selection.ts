export interface NamedFile {
  name: string;
  size: number;
}

/** Files that systems leave beside the real ones: ".DS_Store", "._x", "Thumbs.db". */
export function isLitter(name: string): boolean {
  return name.startsWith(".") || name.toLowerCase() === "thumbs.db" || name.toLowerCase() === "desktop.ini";
}

export function usable<T extends NamedFile>(files: Iterable<T>): T[] {
  return [...files].filter((file) => !isLitter(file.name));
}

export function totalBytes(files: readonly NamedFile[]): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

/**
 * The name a file travels under. File names from a hospital may hold a patient's name, and the server reads content,
 * not names: only the ending that tells a ZIP from other files is kept.
 */
export function neutralName(name: string, position: number): string {
  const ending = /\.nii\.gz$|\.(zip|dcm|nii|nrrd)$/i.exec(name)?.[0].toLowerCase() ?? "";
  return `file-${String(position + 1).padStart(5, "0")}${ending}`;
}

/** What walking a dropped folder needs of the browser's FileSystemEntry. */
export interface Entry<T> {
  isFile: boolean;
  file(): Promise<T>;
  children(): Promise<Entry<T>[]>;
}

/** Every file below the dropped entries, folders inside folders included. */
export async function collect<T>(entries: readonly Entry<T>[]): Promise<T[]> {
  const found: T[] = [];
  const waiting = [...entries];
  for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
    if (entry.isFile) found.push(await entry.file());
    else waiting.push(...(await entry.children()));
  }
  return found;
}
