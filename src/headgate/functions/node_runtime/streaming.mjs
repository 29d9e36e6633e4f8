// Responses in pieces: `awslambda.streamifyResponse` and `awslambda.HttpResponseStream`.

import { Writable } from "node:stream";
import { errorDocument } from "./faults.mjs";
import { logError } from "./console.mjs";

const STREAMED = Symbol.for("aws.lambda.runtime.handler.streaming");
const HTTP_TYPE = "application/vnd.awslambda.http-integration-response";

export function streamifyResponse(handler) {
  handler[STREAMED] = "response";
  return handler;
}

export function isStreamed(handler) {
  return handler[STREAMED] === "response";
}

export const HttpResponseStream = {
  // The stream with status, headers and cookies before its body.
  from(stream, prelude) {
    stream.setContentType(HTTP_TYPE);
    stream.write(JSON.stringify(prelude));
    stream.write(Buffer.alloc(8));
    return stream;
  },
};

// The second argument of a streaming handler. `ended` is called when all is sent, `failed` with an error of before.
export function openResponseStream(api, requestId, ended, failed) {
  let contentType = "application/octet-stream";
  let sending = null;
  const open = () => (sending ??= api.stream(requestId, contentType));

  const stream = new Writable({
    write(piece, _encoding, then) {
      open().write(piece, then);
    },
    final(then) {
      open().end();
      then();
      ended();
    },
    destroy(error, then) {
      if (error && sending === null) failed(error);
      else if (error) {
        logError("Invoke Error", error);
        const document = errorDocument(error);
        sending.fail(document.errorType, JSON.stringify(document));
        ended();
      }
      then();
    },
  });
  stream.on("error", () => {}); // it is reported above
  Object.defineProperty(stream, "begun", { get: () => sending !== null });
  stream.setContentType = (type) => {
    if (sending === null) contentType = type;
  };
  return stream;
}
