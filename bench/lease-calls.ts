/** Coordinator calls for each 1,000 requests, counted at the coordinator: four edges, one tenant at 0.8 of its limit. */
import { z } from "zod";
import { startGateway } from "../local/gateway.ts";
import { freePorts } from "../local/ports.ts";
import { loadConfig } from "../src/config/load.ts";
import { mintApiKey } from "../src/platform/api-key.ts";
import { runTraffic } from "../test/support/traffic.ts";

const EDGES = 4;
const RATE = 400;
const SECRETS = {
  WEIR_KEY_SECRET: "bench-key-secret-0123456789abcdefghij",
  WEIR_ADMIN_TOKEN: "bench-admin-token-0123456789abcdefghij",
};

const statusReply = z.object({ tenants: z.array(z.object({ leaseCalls: z.number() })) });

export interface LeaseCallFigures {
  readonly requests: number;
  readonly callsPerThousand: number;
  readonly refused: number;
}

export async function measureLeaseCalls(originUrl: string, seconds: number): Promise<LeaseCallFigures> {
  const text = JSON.stringify({
    version: 1,
    origins: { app: { url: originUrl } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: { bench: { limits: { requests: { rate: `${RATE}/s`, burst: RATE, deadline: "2s" } } } },
    tenants: { acme: { plan: "bench" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const gateway = await startGateway({
    config: loaded.config,
    port: await freePorts(EDGES),
    edges: EDGES,
    secrets: SECRETS,
  });
  try {
    const key = await mintApiKey(SECRETS.WEIR_KEY_SECRET, { tenantId: "acme", keyId: "0123456789abcdef" });
    const outcomes = await runTraffic({
      urls: gateway.urls,
      path: () => "/x",
      headers: { authorization: `Bearer ${key}` },
      ratePerSecond: 0.8 * RATE,
      durationMs: seconds * 1_000,
    });
    const calls = await leaseCalls(gateway.urls[0] ?? "");
    return {
      requests: outcomes.length,
      callsPerThousand: (1_000 * calls) / outcomes.length,
      refused: outcomes.filter(({ status }) => status !== 200).length,
    };
  } finally {
    await gateway.stop();
  }
}

async function leaseCalls(url: string): Promise<number> {
  const headers = { authorization: `Bearer ${SECRETS.WEIR_ADMIN_TOKEN}` };
  const status: unknown = await (await fetch(`${url}/_weir/api/v1/status?tenant=acme`, { headers })).json();
  const { tenants } = statusReply.parse(status);
  return tenants[0]?.leaseCalls ?? Number.NaN;
}
