"""The scalar types of the models, from JSON values and from text, and back. Timestamps are seconds since the epoch.

What cannot be read is a SerializationException with the texts of AWS's own front end ("coral"): see
reference `aws-recorded.md`, "Error shape". Numbers and booleans in strings are taken where the string can mean nothing
else, as AWS does: Terraform's `"25.000000"` among them.
"""

import base64
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from headgate.model.errors import ApiError

_JAVA_NAMES: Final = {
    bool: "java.lang.Boolean",
    int: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    float: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    str: "java.lang.String",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Years 1 to 9999: what every format can express.
_OLDEST: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()
_NEWEST: Final = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH).total_seconds()
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_RFC822: Final = re.compile(r"\w{3}, (\d{1,2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT", re.ASCII)

Read = Callable[[object], object]
Write = Callable[[Any], object] | None  # takes an operation's own value; None where that goes out as it is


def refuse(value: object, wanted: str) -> NoReturn:
    """Say that a JSON value is of the wrong type. `wanted` is a Java name, such as String or Integer."""
    if isinstance(value, dict):
        raise ApiError("SerializationException", "Start of structure or map found where not expected.")
    if isinstance(value, list):
        raise ApiError("SerializationException", "Start of list found where not expected.")
    name = _JAVA_NAMES.get(type(value), "java.lang.Object")
    raise ApiError("SerializationException", f"class {name} can not be converted to an {wanted}")


def read_string(value: object) -> str:
    if isinstance(value, str):
        return value
    refuse(value, "String")


def read_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    return word == "true" if word in {"true", "false"} else refuse(value, "Boolean")


def read_double(value: object) -> float:
    if isinstance(value, str):
        if value in _SPECIAL:
            return _SPECIAL[value]
        if _NUMBER.fullmatch(value):
            return float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    refuse(value, "Double")


def integer_reader(name: str, bits: int) -> Callable[[object], int]:
    """Read whole numbers of that many bits, sign included; `25.0` and `"25"` are whole."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def read_integer(value: object) -> int:
        number: int | float
        if type(value) is int:
            number = value
        elif isinstance(value, str) and len(value) < 400 and _NUMBER.fullmatch(value):
            # A double holds no 64-bit integer; a fraction or an exponent needs it.
            number = int(value) if value.lstrip("+-").isdigit() else float(value)
        elif isinstance(value, float):
            number = value
        else:
            refuse(value, name)
        if low <= number <= high and number == int(number):
            return int(number)
        refuse(value, name)

    return read_integer


def read_blob(value: object) -> bytes:
    try:
        return base64.b64decode(read_string(value), validate=True)
    except ValueError as error:
        raise ApiError("SerializationException", "Unable to decode a binary value: it is not base64.") from error


def read_bytes(value: object) -> bytes:
    """A blob where the protocol has bytes."""
    if isinstance(value, bytes):
        return value
    refuse(value, "Blob")


def read_timestamp(value: object) -> float:
    """Read any of the three formats: epoch seconds, ISO 8601, RFC 822. Text without a zone is UTC."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        refuse(value, "Timestamp")
    seconds = _seconds_of_text(value) if isinstance(value, str) else float(value)
    if seconds is None or not _OLDEST <= seconds <= _NEWEST:
        refuse(value, "Timestamp")
    return seconds


READERS: Final[dict[str, Read]] = {
    "string": read_string,
    "character": read_string,
    "boolean": read_boolean,
    "integer": integer_reader("Integer", 32),
    "long": integer_reader("Long", 64),
    "float": read_double,
    "double": read_double,
    "blob": read_blob,
    "timestamp": read_timestamp,
}
"""By the model's type. They serve text (URIs, headers, query strings, forms) too: to them it is a JSON string."""


def json_double(value: Any) -> object:
    """A float even where an int was given (AWS answers 50.0); JSON has no NaN, so the models' words for it."""
    number = float(value)
    return number if math.isfinite(number) else text_of_double(number)


def json_blob(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def json_timestamp(value: Any) -> object:
    """Epoch seconds, written as an integer when whole."""
    seconds = float(value)
    return int(seconds) if seconds.is_integer() else seconds


def text_of_double(value: Any) -> str:
    number = float(value)
    if math.isfinite(number):
        return repr(number)
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def text_of_boolean(value: Any) -> str:
    return "true" if value else "false"


def iso8601(value: Any) -> str:
    """`2015-05-30T12:00:00Z`, with milliseconds or microseconds when there are some."""
    moment = _moment(value)
    micros = moment.microsecond
    precision = "seconds" if micros == 0 else "milliseconds" if micros % 1000 == 0 else "microseconds"
    return moment.isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def rfc822(value: Any) -> str:
    """`Sat, 30 May 2015 12:00:00 GMT`: the format of headers. Names are spelled here: strftime's follow the locale."""
    at = _moment(value)
    date = f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04}"
    return f"{date} {at.time().isoformat('seconds')} GMT"


def epoch_text(value: Any) -> str:
    return str(json_timestamp(value))


TIMESTAMP_TEXTS: Final = {"iso8601": iso8601, "rfc822": rfc822, "unixTimestamp": epoch_text}


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _seconds_of_text(text: str) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text)
    if (parts := _RFC822.fullmatch(text)) and parts[2] in _MONTHS:
        day, year, hour, minute, second = (int(parts[i]) for i in (1, 3, 4, 5, 6))
        fields = (year, _MONTHS.index(parts[2]) + 1, day, hour, minute, second)
        return _seconds(lambda: datetime(*fields, tzinfo=UTC))
    return _seconds(lambda: datetime.fromisoformat(text))


def _seconds(make: Callable[[], datetime]) -> float | None:
    try:
        moment = make()
        # Python below year 1 raises when an offset leads there; so does a day that is none.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
