/** Bodies in parts, and in two directions. */

/** Bytes `from` up to, not including, `until`. */
export function bodyPart(
  body: ArrayBuffer | ReadableStream,
  from: number,
  until: number,
): ArrayBuffer | ReadableStream {
  if (body instanceof ArrayBuffer) return body.slice(from, until);
  const source: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  let at = 0;
  const part = new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const { done, value } = await source.read();
        if (done) {
          controller.close();
          return;
        }
        const chunk = value.subarray(Math.max(0, from - at), Math.max(0, until - at));
        at += value.byteLength;
        if (chunk.byteLength > 0) controller.enqueue(chunk);
        if (at >= until) {
          controller.close();
          await source.cancel();
          return;
        }
        if (chunk.byteLength > 0) return;
      }
    },
    async cancel(reason) {
      await source.cancel(reason);
    },
  });
  return part.pipeThrough(new FixedLengthStream(until - from));
}

/** What the copy may be behind the client; a store that is slower gets nothing. */
const MOST_BEHIND_BYTES = 1_048_576;

export interface Copied {
  readonly client: ReadableStream;
  /** Breaks off, and then must not be kept, where the source or the client does, or where the body is too large. */
  readonly copy: ReadableStream;
  /** Of the whole body, once all of it has been sent; undefined: it broke off. */
  readonly bytes: Promise<number | undefined>;
}

/** Sends a body on while it is copied. The client's pace is the pace; nothing is held but what the copy is behind. */
export function copyWhileSending(body: ReadableStream<Uint8Array>, length: number | undefined, most: number): Copied {
  const source = body.getReader();
  const copying = length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
  const writer = copying.writable.getWriter();
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  let bytes = 0;
  let behind = 0;
  let given = false;
  const giveUp = (why: unknown): void => {
    if (given) return;
    given = true;
    resolve(undefined);
    writer.abort(why).catch(() => undefined);
  };
  const copyChunk = (chunk: Uint8Array): void => {
    if (given) return;
    bytes += chunk.byteLength;
    behind += chunk.byteLength;
    if (bytes > most || behind > MOST_BEHIND_BYTES) {
      giveUp(new RangeError("too large, or too slow, to be kept"));
      return;
    }
    writer.write(chunk).then(() => {
      behind -= chunk.byteLength;
    }, giveUp);
  };
  const client = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await source.read();
        if (!done) {
          // Its own bytes: what is enqueued may be taken away.
          copyChunk(value.slice());
          controller.enqueue(value);
          return;
        }
        controller.close();
        if (given) return;
        given = true;
        writer.close().then(
          () => {
            resolve(bytes);
          },
          () => {
            resolve(undefined);
          },
        );
      } catch (error) {
        giveUp(error);
        throw error;
      }
    },
    async cancel(reason) {
      giveUp(reason);
      await source.cancel(reason);
    },
  });
  return { client, copy: copying.readable, bytes: promise };
}
