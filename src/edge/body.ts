/**
 * Reading bodies under a bound. What is read whole can still be degraded, retried or stored when it breaks off; what is
 * larger is streamed, and then a break reaches the client.
 */

/** Response bodies up to this size are read before the answer begins. */
export const BUFFERED_RESPONSE_BYTES = 262_144;
/** Request bodies up to this size are kept for a retry. */
export const BUFFERED_REQUEST_BYTES = 65_536;

export interface ReadBody {
  readonly body: ArrayBuffer | ReadableStream | null;
  /** All of it is in memory. */
  readonly complete: boolean;
}

/** Rejects when the body breaks off before its bound. */
export async function readResponseBody(response: Response): Promise<ReadBody> {
  if (response.body === null) return { body: null, complete: true };
  const length = response.headers.get("content-length");
  if (length !== null && !response.headers.has("content-encoding")) {
    const declared = Number(length);
    if (declared > BUFFERED_RESPONSE_BYTES) return { body: response.body, complete: false };
    const body = await response.arrayBuffer();
    if (body.byteLength !== declared) throw new BodyIncomplete();
    return { body, complete: true };
  }
  return readUpTo(response.body, BUFFERED_RESPONSE_BYTES);
}

export class BodyIncomplete extends Error {
  override readonly name = "BodyIncomplete";
}

/** The whole body, or what was read of it followed by the rest. */
async function readUpTo(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<ReadBody> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= maxBytes) {
    const { done, value } = await reader.read();
    if (done) return { body: joined(chunks, bytes), complete: true };
    chunks.push(value);
    bytes += value.byteLength;
  }
  reader.releaseLock();
  return { body: followedBy(chunks, stream), complete: false };
}

function joined(chunks: readonly Uint8Array[], bytes: number): ArrayBuffer {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole.buffer;
}

function followedBy(chunks: readonly Uint8Array[], rest: ReadableStream<Uint8Array>): ReadableStream {
  const reader = rest.getReader();
  const left = [...chunks];
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = left.shift();
      if (chunk !== undefined) {
        controller.enqueue(chunk);
        return;
      }
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel(reason) {
      await reader.cancel(reason);
    },
  });
}

/** A small request body whole, so that it can be sent again; a larger one, or one of unknown size, as it comes. */
export async function readRequestBody(request: Request): Promise<ArrayBuffer | ReadableStream | null> {
  if (request.body === null || request.method === "GET" || request.method === "HEAD") return null;
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  return length <= BUFFERED_REQUEST_BYTES ? request.arrayBuffer() : request.body;
}
