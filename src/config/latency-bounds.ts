/** The histogram's bounds as durations, because an objective can only count by one of them. */
export const LATENCY_BOUNDS_TEXT = [
  "1ms",
  "2.5ms",
  "5ms",
  "10ms",
  "25ms",
  "50ms",
  "100ms",
  "250ms",
  "500ms",
  "1s",
  "2.5s",
  "5s",
  "10s",
] as const;
