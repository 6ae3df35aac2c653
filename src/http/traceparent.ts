/**
 * W3C Trace Context: `<version>-<32 hex>-<16 hex>-<2 hex>`, ids not all zero. Weir makes no span of its own: what it is
 * sent goes on as it came, so that the caller's span is the origin's parent, and its sampled flag the origin's.
 */
const VERSION_00_LENGTH = 55;
const ZERO_TRACE = "0".repeat(32);
const ZERO_PARENT = "0".repeat(16);

/**
 * What goes on of an inbound `traceparent`; undefined: none does, and the trace begins here. Of a version to come
 * (section 3.2.4) what version 00 knows goes on as version 00.
 */
export function acceptTraceparent(value: string | null): string | undefined {
  if (value === null || value.length < VERSION_00_LENGTH) return undefined;
  for (let index = 0; index < VERSION_00_LENGTH; index++) {
    const dash = index === 2 || index === 35 || index === 52;
    const code = value.charCodeAt(index);
    const hex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (dash ? code !== 0x2d : !hex) return undefined;
  }
  if (value.startsWith(ZERO_TRACE, 3) || value.startsWith(ZERO_PARENT, 36) || value.startsWith("ff")) return undefined;
  if (value.startsWith("00")) return value.length === VERSION_00_LENGTH ? value : undefined;
  if (value.length > VERSION_00_LENGTH && value.charAt(VERSION_00_LENGTH) !== "-") return undefined;
  const sampled = Number.parseInt(value.slice(53, 55), 16) & 1;
  return `00${value.slice(2, 53)}0${sampled}`;
}

/** Made from the request id, so a log line leads to the trace. Not sampled: that is the origin's choice. */
export function traceparentOf(traceId: string, requestId: string): string {
  return `00-${traceId}-${requestId.slice(-16)}-00`;
}
