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
  // Events are for now: whoever waits for the end of them waits for ever.
  if (isEventStream(response.headers.get("content-type"))) return { body: response.body, complete: false };
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

const EVENT_STREAM = "text/event-stream";
const isEventStream = (type: string | null): boolean =>
  type !== null && type.slice(0, EVENT_STREAM.length).toLowerCase() === EVENT_STREAM;

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

/** A larger request body is refused: what Cloudflare lets through on its smaller plans. */
export const MAX_REQUEST_BYTES = 104_857_600;

/** A body that is sent on as it comes. What waits for its client says nothing against the origin. */
export interface Upload {
  readonly stream: ReadableStream;
  /** Nothing is there to be sent: the client has not sent it yet. */
  waitsForClient(): boolean;
  /** It was broken off for its size. */
  isTooLarge(): boolean;
}

export type RequestBody =
  | { readonly kind: "whole"; readonly body: ArrayBuffer | null }
  | { readonly kind: "upload"; readonly upload: Upload }
  /** The client broke off. */
  | { readonly kind: "broken" }
  | { readonly kind: "refused"; readonly refusal: "body-too-large" | "body-late" };

const NO_BODY: RequestBody = { kind: "whole", body: null };

/** A small body whole, so that it can be sent again; a larger one, or one of unknown size, as it comes. */
export async function readRequestBody(request: Request, deadlineMs: number): Promise<RequestBody> {
  if (request.body === null || request.method === "GET" || request.method === "HEAD") return NO_BODY;
  const declared = request.headers.get("content-length");
  const length = declared === null ? undefined : Number(declared);
  if ((length ?? 0) > MAX_REQUEST_BYTES) return { kind: "refused", refusal: "body-too-large" };
  if (length === undefined || length > BUFFERED_REQUEST_BYTES) {
    return { kind: "upload", upload: uploadOf(request.body, length) };
  }
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<RequestBody>((resolve) => {
    timer = setTimeout(() => {
      resolve({ kind: "refused", refusal: "body-late" });
    }, deadlineMs);
  });
  const whole = request.arrayBuffer().then(
    (body): RequestBody => ({ kind: "whole", body }),
    (): RequestBody => ({ kind: "broken" }),
  );
  const outcome = await Promise.race([whole, late]);
  clearTimeout(timer);
  return outcome;
}

function uploadOf(body: ReadableStream<Uint8Array>, length: number | undefined): Upload {
  const source = body.getReader();
  let bytes = 0;
  let waits = false;
  const counted = new ReadableStream<Uint8Array>({
    async pull(controller) {
      waits = true;
      const { done, value } = await source.read();
      waits = false;
      if (done) {
        controller.close();
        return;
      }
      bytes += value.byteLength;
      if (bytes <= MAX_REQUEST_BYTES) controller.enqueue(value);
      else throw new RangeError("the request's body is too large");
    },
    async cancel(reason) {
      await source.cancel(reason);
    },
  });
  return {
    stream: length === undefined ? counted : counted.pipeThrough(new FixedLengthStream(length)),
    waitsForClient: () => waits,
    isTooLarge: () => bytes > MAX_REQUEST_BYTES,
  };
}
