"""The function's own output: standard output a line at a time, and `logging` in Lambda's format."""

import io
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

# Between the lines of what is one event of the log (a traceback, a record of many lines). The server turns it into line
# feeds; a plain line feed ends an event. The sign is ASCII's own for it, and nobody prints it.
RECORD_LINE_BREAK = "\x1e"


_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_JSON_TIME = "%Y-%m-%dT%H:%M:%SZ"


class CurrentCall:
    """The call that records are of."""

    request_id = ""


def set_up_output() -> None:
    """Pass each line on as it is printed: what a call has printed before it was killed is not lost."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")


def set_up_logging() -> None:
    """Give the root logger its one handler, before the function's modules are imported.

    `logging.basicConfig()` in a function then does nothing, as on Lambda.
    """
    formatter = _JsonFormatter() if in_json() else _Formatter(_TEXT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = _Handler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if level:
        root.setLevel("DEBUG" if level == "TRACE" else level)


def in_json() -> bool:
    """Whether records are JSON objects (LoggingConfig); what is printed stays as it is."""
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


def json_time() -> str:
    """Now, as records in JSON have it."""
    return time.strftime(_JSON_TIME, time.gmtime())


def flush() -> None:
    """Send what was printed on its way. A handler may have closed these files, or put anything in their place."""
    for file in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 - a context manager would take longer than the rest
            file.flush()
        except Exception:
            pass


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.aws_request_id = CurrentCall.request_id
        return super().format(record)


class _JsonFormatter(logging.Formatter):
    """As Lambda's own runtime: what `extra` gives is beside the rest."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "timestamp": self.formatTime(record, _JSON_TIME),
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "requestId": CurrentCall.request_id or None,
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["errorType"] = record.exc_info[0].__name__
            told["errorMessage"] = str(record.exc_info[1])
            told["stackTrace"] = traceback.format_tb(record.exc_info[2])
            told["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        extra = {key: value for key, value in vars(record).items() if key not in _OF_EVERY_RECORD and key not in told}
        said = {key: value for key, value in (told | extra).items() if value is not None}
        return json.dumps(said, ensure_ascii=False, default=str)


_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(self.format(record).replace("\n", RECORD_LINE_BREAK) + "\n")
        except Exception:  # as the handlers of `logging` do
            self.handleError(record)
