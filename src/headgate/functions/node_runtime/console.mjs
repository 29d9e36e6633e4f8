// The function's log: `console` in Lambda's format, one event for each call of it.

import { format } from "node:util";
import { errorDocument, isError } from "./faults.mjs";

// Between the lines of what is one event of the log; the server turns it into line feeds.
const RECORD_LINE_BREAK = "\x1e";

// The call that lines are of. Before the first one there is none, which Lambda writes so too.
export const currentCall = { requestId: undefined };

export function setUpConsole() {
  const levels = { log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", debug: "DEBUG", trace: "TRACE" };
  for (const [method, level] of Object.entries(levels)) {
    console[method] = (...parts) => write(level, format(...parts));
  }
}

export function logError(what, error) {
  write("ERROR", `${what} \t${JSON.stringify(logged(error))}`);
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
