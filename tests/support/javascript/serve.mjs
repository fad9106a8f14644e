// The receiver of docs/webhooks.md behind Node's own server; tells its port on the first line.
import { createServer } from "node:http";
import { Receiver } from "./receiver.mjs";

const [secret, path] = process.argv.slice(2);
const receiver = new Receiver(secret, path);

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  response.writeHead(receiver.receive(request.headers, Buffer.concat(chunks))).end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
