/**
 * Reads a body to its end, at most `mostBytes` of it; beyond that it rejects with what `tooLarge` makes, and leaving the loop
 * destroys the body and its connection, so that an answer without end costs no memory.
 */
export async function readBytes(body: AsyncIterable<Uint8Array>, mostBytes: number, tooLarge: () => Error): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The same as text. */
export async function readText(...body: Parameters<typeof readBytes>): Promise<string> {
  return (await readBytes(...body)).toString('utf8');
}

/** The JSON value, or undefined where the text is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
