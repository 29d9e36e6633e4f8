"""Lambda's error documents, in the words of its Python runtime (awslambdaric, `bootstrap.py`)."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from types import TracebackType
from typing import Any

from .logs import in_json, json_time


class Fault(Exception):
    """An error that the runtime finds, not the handler: it has a type of Lambda's own."""

    def __init__(self, error_type: str, message: str, stack_trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.stack_trace = stack_trace or []


def error_document(error: BaseException, request_id: str) -> dict[str, Any]:
    """What the caller of a failed function is told. The stack trace begins where the function's own code does."""
    if isinstance(error, Fault):
        return _document(str(error), error.error_type, request_id, error.stack_trace)
    try:
        message = str(error)
    except Exception:  # a handler's own __str__ may raise anything
        message = ""
    return _document(message, type(error).__name__, request_id, traceback.format_tb(_own_code(error.__traceback__)))


def _document(message: str, error_type: str, request_id: str, stack_trace: list[str]) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": stack_trace}


def _own_code(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_NOT_OWN_CODE):
        trace = trace.tb_next
    return trace


_NOT_OWN_CODE = (os.path.dirname(__file__), os.path.dirname(importlib.__file__), "<frozen importlib")  # noqa: PTH120


def as_json(document: dict[str, Any], limit_bytes: int) -> bytes:
    """The document in at most `limit_bytes`; one that is longer loses the end of its message and its stack trace."""
    encoded = json.dumps(document).encode()
    if len(encoded) > limit_bytes:
        # A character takes at most six bytes of JSON.
        shorter = document | {"errorMessage": document["errorMessage"][: limit_bytes // 12], "stackTrace": []}
        encoded = json.dumps(shorter).encode()
    return encoded


def log_error(document: dict[str, Any], line_break: str) -> None:
    """Write the error to the function's log as one event, as Lambda does."""
    if in_json():
        _write(json.dumps({"timestamp": json_time(), "level": "ERROR", **document}, ensure_ascii=False))
        return
    what = "[ERROR]"
    if document["errorType"]:
        what += " " + document["errorType"]
    if document["errorMessage"]:
        what += (":" if document["errorType"] else "") + " " + document["errorMessage"]
    lines = [*what.splitlines(), "Traceback (most recent call last):"]
    for entry in document["stackTrace"]:
        lines += entry.splitlines()
    _write(line_break.join(lines))


def _write(event: str) -> None:
    try:
        sys.stdout.write(event + "\n")
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        pass  # the handler closed or replaced stdout; the caller still gets the document
