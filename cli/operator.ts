/** Who sits at this machine, for records only: who may do what is decided by the token. */
import { userInfo } from "node:os";

export function operator(): string {
  try {
    return userInfo().username || "admin";
  } catch {
    // No such user: a container without a name for its number.
    return "admin";
  }
}
