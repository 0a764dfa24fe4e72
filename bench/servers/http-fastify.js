// The HTTP work on Fastify.
import fastify from "fastify";
import { ready } from "../lib/ready.js";

const app = fastify();
app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
const hello = (_request, reply) => reply.header("Content-Type", "text/plain").send("hello world");
app.get("/", hello);
app.post("/", hello);
await app.listen({ port: 0, host: "127.0.0.1" });
ready(app.server.address().port);
