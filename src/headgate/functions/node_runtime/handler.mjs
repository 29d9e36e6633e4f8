// Finding the handler, by the rules and in the words of Lambda's runtime for Node.js.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Fault, isError } from "./faults.mjs";

const require = createRequire(import.meta.url);

// The function that `folder/module.name` stands for. Throws a Fault, or whatever else the module's own code throws.
export async function loadHandler(taskRoot, handlerName) {
  if (handlerName.includes("..")) {
    throw new Fault(
      "Runtime.MalformedHandlerName",
      `'${handlerName}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const last = basename(handlerName);
  const folder = handlerName.slice(0, handlerName.lastIndexOf(last));
  const dot = last.indexOf(".");
  if (dot < 0) throw new Fault("Runtime.MalformedHandlerName", "Bad handler");
  const module = await load(taskRoot, folder, last.slice(0, dot));
  const handler = find(module, last.slice(dot + 1));
  if (handler === undefined || handler === null) {
    throw new Fault("Runtime.HandlerNotFound", `${handlerName} is undefined or not exported`);
  }
  if (typeof handler !== "function") {
    throw new Fault("Runtime.HandlerNotFound", `${handlerName} is not a function`);
  }
  return handler;
}

async function load(taskRoot, folder, name) {
  try {
    return await loadFile(resolve(taskRoot, folder, name));
  } catch (error) {
    if (error instanceof SyntaxError) throw faultOf("Runtime.UserCodeSyntaxError", error);
    if (isError(error) && (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND")) {
      throw faultOf("Runtime.ImportModuleError", error);
    }
    throw error;
  }
}

async function loadFile(path) {
  if (existsSync(path + ".js")) {
    return isModule(dirname(path)) ? import(pathToFileURL(path + ".js").href) : requireOrImport(path + ".js");
  }
  if (existsSync(path + ".mjs")) return import(pathToFileURL(path + ".mjs").href);
  if (existsSync(path + ".cjs")) return require(path + ".cjs");
  // As Node finds modules: a folder with an index, one of node_modules; or the error that says where it looked.
  return require(require.resolve(basename(path), { paths: [dirname(path), join(dirname(path), "node_modules")] }));
}

async function requireOrImport(file) {
  try {
    return require(file);
  } catch (error) {
    if (error?.code !== "ERR_REQUIRE_ESM" && error?.code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    return import(pathToFileURL(file).href);
  }
}

// Whether the nearest package.json says that `.js` files are ES modules.
function isModule(folder) {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, "package.json");
    if (existsSync(file)) {
      try {
        return JSON.parse(readFileSync(file, "utf8")).type === "module";
      } catch {
        return false;
      }
    }
    if (dirname(at) === at || basename(at) === "node_modules") return false;
  }
}

function find(module, name) {
  const names = name.split(".");
  const within = (from) => names.reduce((found, each) => found?.[each], from);
  return within(module) ?? within(module?.default);
}

function faultOf(type, error) {
  const fault = new Fault(type, String(error));
  fault.stack = `${type}: ${error.stack}`; // which says the file and the line
  return fault;
}
