"""The function's own output: standard output a line at a time, and `logging` in Lambda's format."""

import io
import logging
import sys
import time

# Between the lines of what is one event of the log (a traceback, a record of many lines). The server turns it into line
# feeds; a plain line feed ends an event. The sign is ASCII's own for it, and nobody prints it.
RECORD_LINE_BREAK = "\x1e"


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
    formatter = _Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = _Handler()
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)


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


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(self.format(record).replace("\n", RECORD_LINE_BREAK) + "\n")
        except Exception:  # as the handlers of `logging` do
            self.handleError(record)
