// Lambda's error documents, in the words of its Node.js runtime.

// An error that the runtime finds, not the handler: its name is a type of Lambda's own.
export class Fault extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
    Error.captureStackTrace(this, Fault); // anew, as the stack begins with the name
  }
}

// What the caller of a failed function is told.
export function errorDocument(error) {
  try {
    if (isError(error)) {
      return {
        errorType: String(error.name),
        errorMessage: String(error.message),
        trace: String(error.stack ?? "").split("\n"),
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    const message =
      "callback called with Error argument, but there was a problem while retrieving one or more of its " +
      "message, name, and stack";
    return { errorType: "handled", errorMessage: message, trace: [] };
  }
}

// What nobody caught, as an error; with `type` one of that type, which keeps what it was as its `reason`.
export function fatalError(reason, type) {
  if (type === undefined) return reason;
  const error = new Fault(type, String(reason));
  error.reason = reason;
  return error;
}

export function isError(value) {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}
