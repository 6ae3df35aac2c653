/** W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero. */
const TRACEPARENT_LENGTH = 55;

export function isTraceparent(value: string | null): boolean {
  if (value === null || value.length !== TRACEPARENT_LENGTH || !value.startsWith("00-")) return false;
  for (let index = 3; index < TRACEPARENT_LENGTH; index++) {
    const dash = index === 35 || index === 52;
    const code = value.charCodeAt(index);
    const hex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (dash ? code !== 0x2d : !hex) return false;
  }
  return !value.startsWith("0".repeat(32), 3) && !value.startsWith("0".repeat(16), 36);
}

/** Made from the request id, so a log line leads to the trace. Not sampled: that is the origin's choice. */
export function traceparentOf(traceId: string, requestId: string): string {
  return `00-${traceId}-${requestId.slice(-16)}-00`;
}
