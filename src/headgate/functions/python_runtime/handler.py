"""Finding the handler, and turning its answer into JSON, with the rules and texts of Lambda's Python runtime."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from .faults import Fault

Handler = Callable[[Any, Any], Any]


def load_handler(name: str) -> Handler:
    """Import what `module.function` names. Raises Fault, or whatever else the module's own code raises."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [place]
        ) from error
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError as error:
        raise Fault(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        ) from error
    return handler


def parse_event(event: bytes) -> Any:
    """The event that a handler is given. Raises Fault."""
    try:
        # What `json.loads` does in the end, without its look for white space and other encodings.
        text = event.decode()
        parsed, end = _decode(text)
        if end == len(text):
            return parsed
    except ValueError:
        pass
    try:
        return json.loads(event)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


_decode = json.JSONDecoder().raw_decode


def to_json(answer: Any) -> bytes:
    """A handler's answer. Raises Fault where JSON has no word for it."""
    try:
        return _encoder().encode(answer).encode()
    except UnicodeEncodeError:
        return json.dumps(answer, default=_default).encode()  # half of a surrogate pair has no UTF-8
    except (TypeError, ValueError, RecursionError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _encoder() -> json.JSONEncoder:
    global _made  # noqa: PLW0603 - made once, after the function's environment is known
    if _made is None:
        # Lambda's runtime writes plain UTF-8 since python3.12 and escapes before.
        escapes = os.environ.get("AWS_EXECUTION_ENV", "").rpartition(".")[2] in {"8", "9", "10", "11"}
        _made = json.JSONEncoder(ensure_ascii=escapes, default=_default)
    return _made


_made: json.JSONEncoder | None = None


def _default(value: Any) -> Any:
    decimal = sys.modules.get("decimal")  # a value of it can only be there when it is loaded
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
