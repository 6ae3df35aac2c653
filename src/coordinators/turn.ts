/**
 * The one shape of every call to a coordinator: load → decide → persist state and effects in one transaction → reply.
 * The reply leaves only when the transaction is durable (the runtime's output gate). If deciding or persisting throws,
 * `reload` puts the memory back to what is stored, so nothing undurable is ever decided upon.
 */
export interface Turn<Reply> {
  readonly reply: Reply;
  /** Writes what the decision changed; runs inside the transaction. Undefined: nothing changed. */
  readonly persist: (() => void) | undefined;
}

export function takeTurn<Reply>(storage: DurableObjectStorage, reload: () => void, decide: () => Turn<Reply>): Reply {
  try {
    const { reply, persist } = decide();
    if (persist !== undefined) storage.transactionSync(persist);
    return reply;
  } catch (error) {
    reload();
    throw error;
  }
}
