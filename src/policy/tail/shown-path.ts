/**
 * A path as logs and those who watch may see it: 200 characters, legible, without what is known to carry secrets in
 * paths: values of matrix parameters (`;jsessionid=…`), segments that are an API key of ours or a JWT. What else an
 * application hides in a path's segments cannot be told.
 */
import { legible } from "../kernel/legible.ts";

const MAX_SHOWN = 200;
/** More is never shown, however short it becomes. */
const MAX_READ = 1_000;
const HIDDEN = "[hidden]";

export function shownPath(path: string): string {
  const shown = path.slice(0, MAX_READ).split("/").map(shownSegment).join("/");
  return legible(shown, MAX_SHOWN);
}

function shownSegment(segment: string): string {
  const [name = "", ...parameters] = segment.split(";");
  const shown = isCredential(name) ? HIDDEN : name;
  return parameters.length === 0 ? shown : `${shown};${parameters.map(shownParameter).join(";")}`;
}

/** Forms of `platform/api-key`; a JWT's header begins with `{"`, which is `eyJ` in base64. */
const isCredential = (segment: string): boolean =>
  segment.startsWith("weir_") || segment.startsWith("weir2_") || (segment.startsWith("eyJ") && segment.includes("."));

function shownParameter(parameter: string): string {
  const [name = "", ...value] = parameter.split(/=|%3D/i);
  return value.length === 0 ? name : `${name}=${HIDDEN}`;
}
