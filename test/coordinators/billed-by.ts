import { runInDurableObject } from "cloudflare:test";

/** Counts the rows that the object's statements write from now on, as the platform bills them. */
export async function billedBy(stub: DurableObjectStub, work: () => Promise<unknown>): Promise<number> {
  const cursors: { readonly rowsWritten: number }[] = [];
  await runInDurableObject(stub, (_instance, state) => {
    const { sql } = state.storage;
    const exec = sql.exec.bind(sql);
    Object.defineProperty(sql, "exec", {
      configurable: true,
      value: (query: string, ...bindings: unknown[]) => {
        const cursor = exec(query, ...bindings);
        cursors.push(cursor);
        return cursor;
      },
    });
  });
  await work();
  return runInDurableObject(stub, () => cursors.reduce((rows, cursor) => rows + cursor.rowsWritten, 0));
}
