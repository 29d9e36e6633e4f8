// The Node.js runtime: loads the handler, asks the Runtime API for calls, answers them, one after the other.
//
// Behaviour and texts are those of Lambda's own runtime for Node.js. It speaks HTTP by hand over one connection, which
// saves loading `http` at the start and lets an answer and the question for the next call go out in one write.

import { connectRuntimeApi } from "./runtime_api.mjs";
import { loadHandler } from "./handler.mjs";
import { currentCall, logError, setUpConsole } from "./console.mjs";
import { errorDocument, fatalError } from "./faults.mjs";
import { HttpResponseStream, isStreamed, openResponseStream, streamifyResponse } from "./streaming.mjs";

const variable = process.env;

setUpConsole();
globalThis.awslambda = { streamifyResponse, HttpResponseStream };
const api = connectRuntimeApi(variable.AWS_LAMBDA_RUNTIME_API);

let whenLoopIsEmpty = null;
let running = false; // a call has no answer yet
let stream = null; // of the call, where its handler sends its answer in pieces
process.on("beforeExit", () => {
  const act = whenLoopIsEmpty;
  whenLoopIsEmpty = null;
  if (act !== null) act();
});
process.on("uncaughtException", (error) => die("Uncaught Exception", fatalError(error), error, 129));
process.on("unhandledRejection", (reason) => {
  const error = fatalError(reason, "Runtime.UnhandledPromiseRejection");
  die("Unhandled Promise Rejection", error, error, 128);
});

let handler;
try {
  handler = await loadHandler(variable.LAMBDA_TASK_ROOT, variable._HANDLER);
} catch (error) {
  await die("Uncaught Exception", error, error, 1);
}
next();

function next() {
  running = false;
  stream = null;
  api.next(run);
}

async function run(headers, body) {
  const requestId = headers["lambda-runtime-aws-request-id"];
  currentCall.requestId = requestId;
  running = true;
  const trace = headers["lambda-runtime-trace-id"];
  if (trace) variable._X_AMZN_TRACE_ID = trace;
  else delete variable._X_AMZN_TRACE_ID;

  let answered = false;
  const once = (send) => {
    if (answered) return;
    answered = true;
    whenLoopIsEmpty = null;
    send();
    next();
  };
  const succeed = (answer) => {
    if (answered) return;
    let json;
    try {
      json = JSON.stringify(answer === undefined ? null : answer) ?? "null";
    } catch {
      fail(new Error("Unable to stringify response body"));
      return;
    }
    once(() => api.respond(requestId, json));
  };
  const fail = (error) => {
    if (answered) return;
    logError("Invoke Error", error);
    const document = errorDocument(error);
    once(() => api.fail(requestId, document.errorType, JSON.stringify(document)));
  };
  const done = (error, answer) => (error === undefined || error === null ? succeed(answer) : fail(error));

  try {
    const context = contextOf(headers, { done, succeed, fail });
    const event = JSON.parse(body);
    // A handler that neither answers nor leaves anything to wait for has answered null.
    whenLoopIsEmpty = () => succeed(null);
    if (isStreamed(handler)) {
      stream = openResponseStream(api, requestId, () => once(() => {}), fail);
      const own = stream;
      whenLoopIsEmpty = () => own.end();
      Promise.resolve(handler(event, own, context)).catch((error) => own.destroy(error));
      return;
    }
    const callback = (error, answer) => {
      if (!context.callbackWaitsForEmptyEventLoop || (error !== undefined && error !== null)) done(error, answer);
      else whenLoopIsEmpty = () => done(error, answer);
    };
    const result = handler(event, context, callback);
    if (result !== null && typeof result === "object" && typeof result.then === "function") {
      result.then(succeed, fail);
    }
  } catch (error) {
    if (stream === null) fail(error);
    else stream.destroy(error);
  }
}

function contextOf(headers, { done, succeed, fail }) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const clientContext = headers["lambda-runtime-client-context"];
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: variable.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: variable.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: variable.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: variable.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: variable.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    clientContext: clientContext ? JSON.parse(clientContext) : undefined,
    identity: undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
    done,
    succeed,
    fail,
  };
}

// Report what nobody caught, as the call's error or as the start's, and end.
async function die(what, error, logged, status) {
  whenLoopIsEmpty = null;
  logError(what, logged);
  const document = errorDocument(error);
  const json = JSON.stringify(document);
  if (currentCall.requestId === undefined) await api.initError(document.errorType, json);
  // Where pieces of an answer are on their way, the end of the process is what says that they are not all.
  else if (running && !stream?.begun) await api.failAndWait(currentCall.requestId, document.errorType, json);
  process.exit(status);
}
