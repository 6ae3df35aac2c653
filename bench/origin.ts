/** A fast HTTP origin in a process of its own; prints its port. */
import { createServer } from "node:http";

const body = JSON.stringify({
  hello: "from the origin",
  items: Array.from({ length: 8 }, (_, index) => ({ id: index })),
});
const headers = {
  "content-type": "application/json",
  "content-length": String(Buffer.byteLength(body)),
  "cache-control": "max-age=3600",
  etag: '"bench"',
};
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, headers);
  response.end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) console.log(address.port);
});
process.on("disconnect", () => process.exit(0));
