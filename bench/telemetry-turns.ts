/** What the Worker that counts by turns and who measures it agree on. */

/** A flush comes a second behind its request: in a turn of the same kind. What else the machine does lasts longer. */
export const TURN_MS = 100;
export const TURNS_PATH = "/turns-of-telemetry";
