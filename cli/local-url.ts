/** Whether a url is of this machine: a deployed Worker cannot reach it, and a check of it leaves no machine. */
const LOCAL_HOSTS: readonly string[] = ["127.0.0.1", "localhost", "[::1]"];

export function isLocalUrl(url: string): boolean {
  return LOCAL_HOSTS.includes(new URL(url).hostname);
}
