/** What `weir init` writes: the smallest config worth having, with a word on each part. */
export interface Answers {
  readonly originUrl: string;
  readonly tenant: string;
  /** Undefined: there is no schema file to name. */
  readonly schema: string | undefined;
  /** `demo` has `npm start` start a demo origin. */
  readonly originId: string;
}

export function configTemplate({ originUrl, tenant, schema, originId }: Answers): string {
  const text = (value: string): string => JSON.stringify(value);
  return `// Weir's configuration. \`weir validate\` names every problem at once.
{${schema === undefined ? "" : `\n  "$schema": ${text(schema)},`}
  "version": 1,

  // Who answers. The breaker opens by itself when the origin fails; see docs/outages.md.
  "origins": {
    ${text(originId)}: {
      "url": ${text(originUrl)},
      "deadline": "3s", // the whole call, retries included
      "retry": { "attempts": 2, "budget": 0.1 }, // at most 10 % more requests
    },
  },

  // Who calls. Tried in order: an API key, else everybody is known by their address.
  "identity": [
    { "type": "apiKey", "header": "authorization", "scheme": "Bearer" },
    { "type": "anonymous", "plan": "anonymous" },
  ],

  // What they may. A token bucket refills at \`rate\` and holds at most \`burst\`; see docs/limits.md.
  "plans": {
    "anonymous": { "limits": { "requests": { "rate": "10/s", "burst": 20 } }, "priority": "low" },
    "standard": { "limits": { "requests": { "rate": "100/s", "burst": 200 } } },
  },
  "tenants": {
    ${text(tenant)}: { "plan": "standard" },
  },

  // What goes where. The first route that matches is taken.
  "routes": [
    {
      // Cached as the origin says; while it is down, the last good answer is served for an hour.
      "id": "reads",
      "match": { "methods": ["GET", "HEAD"], "path": "/*" },
      "origin": ${text(originId)},
      "cache": { "staleWhileRevalidate": "10s", "staleIfError": "1h" },
    },
    { "id": "writes", "match": { "path": "/*" }, "origin": ${text(originId)} },
  ],
}
`;
}
