/** What became of the counters, objectives, alerts: see `protocol/monitor.ts`. There is one. */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import type { MonitorProtocol } from "../../protocol/monitor.ts";

type Request<Method extends keyof MonitorProtocol> = Parameters<MonitorProtocol[Method]>[0];
type Reply<Method extends keyof MonitorProtocol> = ReturnType<MonitorProtocol[Method]>;

export class Monitor extends DurableObject<Env> implements MonitorProtocol {
  async wake(_request: Request<"wake">): Reply<"wake"> {
    return { configVersion: 0 };
  }

  async configure(_request: Request<"configure">): Promise<void> {}

  async hearBreaker(_request: Request<"hearBreaker">): Promise<void> {}

  async series(_request: Request<"series">): Reply<"series"> {
    return { points: [] };
  }

  async objectives(): Reply<"objectives"> {
    return { objectives: [], incidents: [] };
  }

  async alerts(): Reply<"alerts"> {
    return { alerts: [], silences: [], deliveries: [] };
  }

  async silence(_request: Request<"silence">): Reply<"silence"> {
    return { kind: "full" };
  }

  async endSilence(_request: Request<"endSilence">): Reply<"endSilence"> {
    return { ended: false };
  }

  async redeliver(_request: Request<"redeliver">): Reply<"redeliver"> {
    return { found: false };
  }

  async demand({ fromMs, toMs }: Request<"demand">): Reply<"demand"> {
    return { fromMs, toMs, tenants: [], origins: [] };
  }
}
