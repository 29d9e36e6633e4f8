// The function's log: `console` in Lambda's format, one event for each call of it.

import { format } from "node:util";
import { errorDocument, isError } from "./faults.mjs";

// Between the lines of what is one event of the log; the server turns it into line feeds.
const RECORD_LINE_BREAK = "\x1e";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const IN_JSON = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON"; // LoggingConfig

// The call that lines are of. Before the first one there is none, which Lambda writes so too.
export const currentCall = { requestId: undefined };

export function setUpConsole() {
  const levels = { log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", debug: "DEBUG", trace: "TRACE" };
  for (const [method, level] of Object.entries(levels)) {
    const isLeftOut = LEVELS.indexOf(level) < LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL);
    const say = IN_JSON ? (parts) => writeJson(level, parts) : (parts) => write(level, format(...parts));
    console[method] = isLeftOut ? () => {} : (...parts) => say(parts);
  }
}

export function logError(what, error) {
  if (IN_JSON) writeJson("ERROR", [what, error]);
  else write("ERROR", `${what} \t${JSON.stringify(logged(error))}`);
}

function logged(error) {
  const { errorType, errorMessage, trace } = errorDocument(error);
  const own = isError(error) ? ownFields(error) : {};
  return { errorType, errorMessage, ...own, stack: trace };
}

function ownFields(error) {
  const fields = {};
  for (const [name, value] of Object.entries(error)) {
    if (name === "name" || name === "stack" || name === "message") continue;
    fields[name] = isError(value) ? logged(value) : plain(value);
  }
  return fields;
}

function plain(value) {
  try {
    return JSON.parse(JSON.stringify(value) ?? "null");
  } catch {
    return String(value);
  }
}

function write(level, message) {
  const line = `${new Date().toISOString()}\t${currentCall.requestId}\t${level}\t${message}`;
  process.stdout.write(`${line.replaceAll("\n", RECORD_LINE_BREAK)}\n`);
}

// As Lambda's own runtime: one value is the message as it is, several are a text, and the first error is told in parts.
function writeJson(level, parts) {
  const record = { timestamp: new Date().toISOString(), level, requestId: currentCall.requestId };
  record.message = parts.length === 1 ? parts[0] : format(...parts);
  if (parts.length > 1) Object.assign(record, inParts(parts.find(isError)));
  process.stdout.write(`${stringified(record)}\n`);
}

function inParts(error) {
  if (error === undefined) return {};
  return { errorType: error.name, errorMessage: error.message, stackTrace: `${error.stack}`.split("\n") };
}

function stringified(record) {
  try {
    return JSON.stringify(record, (_, value) => (isError(value) ? inParts(value) : value));
  } catch {
    return JSON.stringify({ ...record, message: format(record.message) }); // it refers to itself, or holds a BigInt
  }
}
