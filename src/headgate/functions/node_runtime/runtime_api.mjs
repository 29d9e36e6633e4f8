// The client of the Runtime API: HTTP/1.1 over one connection, as far as Headgate's own server speaks it.

import { connect } from "node:net";

const PREFIX = "/2018-06-01/runtime/";
const HEAD_END = Buffer.from("\r\n\r\n");

export function connectRuntimeApi(address) {
  const colon = address.lastIndexOf(":");
  const socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon));
  socket.setNoDelay(true);
  // What waits for the answer to each request that was sent, in order.
  const waiting = [];
  let kept = [];
  let keptBytes = 0;
  let wantedBytes = 0; // an answer of so many bytes is on its way; 0 while its head is not there

  socket.on("data", (piece) => {
    kept.push(piece);
    keptBytes += piece.length;
    while (keptBytes > 0 && keptBytes >= wantedBytes) {
      const received = kept.length === 1 ? kept[0] : Buffer.concat(kept, keptBytes);
      kept = [received];
      const headEnd = received.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const { status, headers } = parseHead(received.latin1Slice(0, headEnd));
      const bodyAt = headEnd + 4;
      wantedBytes = bodyAt + Number(headers["content-length"]);
      if (keptBytes < wantedBytes) return;
      const body = received.utf8Slice(bodyAt, wantedBytes);
      const rest = received.subarray(wantedBytes);
      kept = rest.length > 0 ? [rest] : [];
      keptBytes = rest.length;
      wantedBytes = 0;
      waiting.shift()(status, headers, body);
    }
  });
  // The server has let go of this environment, which it then ends too.
  const gone = () => process.exit(1);
  socket.on("error", gone);
  socket.on("close", gone);

  const post = (path, headers, json, then = ignore) => {
    waiting.push(then);
    socket.write(
      `POST ${PREFIX}${path} HTTP/1.1\r\nHost: ${address}\r\nContent-Type: application/json\r\n${headers}` +
        `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
    );
  };
  const errorType = (type) => `Lambda-Runtime-Function-Error-Type: ${inHeader(type)}\r\n`;

  return {
    // Calls back with the headers and the body of the next call. While none is there the connection keeps Node alive,
    // and while one runs it does not: so an empty event loop can be told.
    next(run) {
      waiting.push((status, headers, body) => {
        socket.unref();
        if (status !== 200) {
          process.stderr.write(`The Runtime API answered ${status} to next: ${body}\n`);
          process.exit(1);
        }
        run(headers, body);
      });
      socket.ref();
      socket.write(`GET ${PREFIX}invocation/next HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
      socket.uncork();
    },

    // The answer goes out with the next question, in one write.
    respond(requestId, json) {
      socket.cork();
      post(`invocation/${requestId}/response`, "", json);
    },

    fail(requestId, type, json) {
      socket.cork();
      post(`invocation/${requestId}/error`, errorType(type), json);
    },

    failAndWait(requestId, type, json) {
      socket.ref();
      return new Promise((then) => post(`invocation/${requestId}/error`, errorType(type), json, then));
    },

    initError(type, json) {
      socket.ref();
      return new Promise((then) => post("init/error", errorType(type), json, then));
    },

    // A response in pieces: `write` returns whether more may be written at once.
    stream(requestId, contentType) {
      waiting.push(ignore);
      socket.write(
        `POST ${PREFIX}invocation/${requestId}/response HTTP/1.1\r\nHost: ${address}\r\n` +
          `Content-Type: ${inHeader(contentType)}\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n` +
          "Transfer-Encoding: chunked\r\n" +
          "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n",
      );
      return {
        write(piece, then) {
          if (piece.length === 0) return void then();
          socket.cork();
          socket.write(`${piece.length.toString(16)}\r\n`);
          socket.write(piece);
          socket.write("\r\n", then);
          socket.uncork();
        },
        end() {
          socket.write("0\r\n\r\n");
        },
        fail(type, json) {
          const body = Buffer.from(json).toString("base64");
          socket.write(`0\r\n${errorType(type)}Lambda-Runtime-Function-Error-Body: ${body}\r\n\r\n`);
        },
      };
    },
  };
}

function ignore() {}

function inHeader(text) {
  return String(text).replace(/[^\x20-\x7e]/g, "?");
}

function parseHead(head) {
  const [first, ...lines] = head.split("\r\n");
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(first.split(" ", 2)[1]), headers };
}
