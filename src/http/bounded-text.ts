/** Reads `stream` as UTF-8; undefined: it has more than `mostBytes`, and was cancelled there. Rejects as the stream does. */
export async function boundedText(stream: ReadableStream<Uint8Array>, mostBytes: number): Promise<string | undefined> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > mostBytes) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
