/** What a request costs in calls and rows, each figure with the command that measures it. None is a wish. */
export const MEASURED = {
  cpu: { ms: 0.4, by: "npm run bench, CPU ms per request of the gateway, HTTP and objects with it" },
  /** By demand of one tenant, in requests per second. */
  leaseCalls: [
    { tenantRps: 10, callsPerRequest: 0.894, by: "npm run sim -- limits --scenario rate-10" },
    { tenantRps: 800, callsPerRequest: 0.082, by: "npm run sim -- limits --scenario steady" },
    { tenantRps: 18_000, callsPerRequest: 0.014, by: "npm run sim -- limits --scenario rate-20000" },
  ],
  /** One lease call writes a row for each limit in it, and one for the lessee. */
  rowsPerLeaseCall: { beside: 1, perLimit: 1, by: "test/coordinators/billed-rows.test.ts" },
  /** A Metrics object stores all it has counted as one row (two where it knows thousands of isolates), and sets an alarm. */
  rowsPerStore: {
    chunks: 1,
    alarm: 1,
    everySeconds: 5,
    shards: 4,
    by: "test/coordinators/billed-rows.test.ts",
  },
  /** A report of a healthy origin writes nothing. */
  rowsPerReport: { beside: 0, by: "test/coordinators/billed-rows.test.ts" },
  /**
   * The Monitor object reads each Metrics object, and sets its alarm; when a minute ends it stores the minute, its hour,
   * the hour's demand, when that was, and what each Metrics object had counted. It rests after three quiet minutes.
   */
  monitor: {
    everySeconds: 5,
    watchedEverySeconds: 0.7,
    restsAfterSeconds: 180,
    wokenEverySeconds: 30,
    rowsPerReading: 1,
    rowsPerMinute: 4,
    by: "test/coordinators/monitor-recording.test.ts",
  },
  /** What an isolate writes at most (src/edge/analytics.ts). */
  analytics: { most: 25, everySeconds: 10 },
  cleanup: { rowsPerAlarm: 1, everySeconds: 60, by: "test/coordinators/billed-rows.test.ts" },
} as const;
