/**
 * The headers of the last answer that was made of a stored response, in the runtime's own form. The next one mostly
 * differs in two of a dozen fields, and only what differs crosses into the runtime: of a record every name and value
 * would be read, copied and checked again, which costs more than all that is decided on a hit.
 */
import type { FieldRecord } from "../exchange.ts";

export class KeptHeaders {
  /** Has no body. A Response that is made like it has a copy of its headers. */
  readonly #last: Response;
  readonly #headers: Headers;
  /** What is set there, field by field, so that it is true also where the runtime refuses one. */
  readonly #set: Map<string, string>;

  constructor(fields: Readonly<FieldRecord>) {
    this.#last = new Response(null, { headers: fields });
    this.#headers = this.#last.headers;
    this.#set = new Map(Object.entries(fields));
  }

  /** A 200 with these fields and no others, whatever earlier answers had. */
  answer(body: ArrayBuffer, fields: Readonly<FieldRecord>): Response {
    const names = Object.keys(fields);
    for (const name of names) {
      const value = fields[name];
      if (value === undefined || this.#set.get(name) === value) continue;
      this.#headers.set(name, value);
      this.#set.set(name, value);
    }
    if (this.#set.size > names.length) this.#dropOthers(fields);
    return new Response(body, this.#last);
  }

  #dropOthers(fields: Readonly<FieldRecord>): void {
    for (const name of this.#set.keys()) {
      if (Object.hasOwn(fields, name)) continue;
      this.#headers.delete(name);
      this.#set.delete(name);
    }
  }
}
