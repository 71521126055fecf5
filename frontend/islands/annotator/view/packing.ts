/** zlib as Python's zlib reads and writes it. */
export async function pack(bytes: Uint8Array): Promise<Blob> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Response(stream).blob();
}

export async function unpack(bytes: Blob): Promise<Uint8Array> {
  if (bytes.size === 0) return new Uint8Array();
  const stream = bytes.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
