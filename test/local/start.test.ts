/** `npm start` as a newcomer meets it. */
import { exec } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { freePorts } from "../../local/ports.ts";
import { temporaryFolder } from "../support/gateway.ts";
import { type Running, run, startCommand } from "../support/process.ts";

const shell = promisify(exec);
const folder = temporaryFolder();
const state = join(folder.path, "state");
let running: Running | undefined;

afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.exited;
  running = undefined;
});
afterAll(() => {
  folder.remove();
});

const runtimesBelow = async (pid: number | undefined): Promise<string[]> => {
  const { stdout } = await shell("ps -A -o pid=,ppid=,comm=");
  return stdout.split("\n").filter((line) => line.includes("workerd") && line.trim().split(/\s+/)[1] === String(pid));
};

describe("npm start", () => {
  it("shows a 200, a 429 and a stale answer with the three lines it prints, keeps its secrets, and stops cleanly", async () => {
    const port = await freePorts(2);
    running = await startCommand(["--port", String(port), "--edges", "2", "--state", state]);
    const lines = running.output().split("\n");
    const commandAfter = (title: string): string => lines[lines.findIndex((line) => line.startsWith(title)) + 1] ?? "";
    const ok = await shell(commandAfter("# 200"));
    expect(ok.stdout).toMatch(/^HTTP\/1\.1 200/);
    const throttled = await shell(commandAfter("# 429"), { shell: "/bin/bash" });
    expect(throttled.stdout).toMatch(/^(200 ){10,12}(429 ){3,5}/);
    const stale = await shell(commandAfter("# stale"));
    expect(stale.stdout.toLowerCase()).toContain("weir-served: stale");

    const dashboard = / (http:\S+\/_weir\/) \(the dashboard/.exec(running.output())?.[1] ?? "";
    const page = await (await fetch(dashboard)).text();
    const script = /src="(\/_weir\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? "";
    expect((await fetch(new URL(script, dashboard))).headers.get("content-type")).toContain("javascript");

    expect(statSync(join(state, "secrets.json")).mode & 0o777).toBe(0o600);
    expect(statSync(join(state, "gateway.json")).mode & 0o777).toBe(0o600);
    const secrets = readFileSync(join(state, "secrets.json"), "utf8");
    const key = commandAfter("# 200");

    const stoppedAt = performance.now();
    running.child.kill("SIGTERM");
    expect(await running.exited).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(6_000);
    expect(existsSync(join(state, "gateway.json"))).toBe(false);
    expect(await runtimesBelow(running.child.pid)).toEqual([]);

    // The same folder again: the same secrets, and the same key still works.
    running = await startCommand(["--port", String(port), "--edges", "2", "--state", state]);
    expect(readFileSync(join(state, "secrets.json"), "utf8")).toBe(secrets);
    expect((await shell(key)).stdout).toMatch(/^HTTP\/1\.1 200/);
    running.child.kill("SIGINT");
    expect(await running.exited).toBe(0);
  });

  it("says which port is taken and what to do", async () => {
    const port = await freePorts(1);
    const server = createServer().listen(port, "127.0.0.1");
    const finished = await run("local/start.ts", ["--port", String(port), "--state", state]);
    server.close();
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain(`Port ${port} on 127.0.0.1 is already taken. Choose others with --port`);
  });

  it.each([
    [["--edges", "0"], "--edges must be 1 to 64"],
    [["--wan", "fast"], "--wan must be a duration"],
    [["--port", "99999"], "--port must be 1 to"],
    [["--nope"], "--nope"],
  ])("refuses %j as wrong usage", async (args, message) => {
    const finished = await run("local/start.ts", args);
    expect(finished.code).toBe(2);
    expect(finished.stderr).toContain(message);
    expect(finished.stderr).toContain("usage: npm start");
  });
});
