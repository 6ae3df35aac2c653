/** Tenants that a config names, or named: also those of older versions, which could be put in force again. */
import type { BackupLine, TenantList } from "../src/admin/contract.ts";
import { unpackConfig } from "../src/config/packed.ts";
import { callAdmin } from "./client.ts";

/** Hears the lines of contents as they pass, and keeps the names in them. */
export class TenantNames {
  readonly all = new Set<string>();
  #number = 0;
  #parts: Buffer[] = [];

  async hear(line: BackupLine): Promise<void> {
    if (line.kind === "config-content" && line.of === "packed") {
      this.#number = line.number;
      this.#parts.push(Buffer.from(line.bytes, "base64"));
    } else await this.#end();
  }

  async #end(): Promise<void> {
    if (this.#parts.length === 0) return;
    const packed = new Uint8Array(Buffer.concat(this.#parts));
    this.#parts = [];
    try {
      for (const { id } of (await unpackConfig(packed)).tenants) this.all.add(id);
    } catch (error) {
      console.error(`warning: config ${this.#number} cannot be read, nor can it be rolled back to: ${String(error)}`);
    }
  }
}

/** With those of the config in force, which an isolate may have from its bundle alone. */
export async function knownTenants(state: string | undefined, names: TenantNames): Promise<readonly string[]> {
  for (let cursor: string | null = ""; cursor !== null;) {
    const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/tenants?source=file&limit=1000${query}`;
    const page: TenantList = await callAdmin<TenantList>(state, { method: "GET", path, patient: true });
    for (const { tenant } of page.tenants) names.all.add(tenant);
    cursor = page.next;
  }
  return [...names.all].toSorted();
}
