"""A histogram as bytes: runs of neighbouring buckets, a byte per bucket for as long as counts are small."""

from typing import Final

from headgate.model.histogram import Buckets

_JOINED: Final = 2  # empty buckets that a run is carried over: beginning anew costs as much


def encode(buckets: Buckets) -> bytes:
    """Runs of: the gap since the last run (zigzag), the number of buckets, their counts; all as varints."""
    out = bytearray()
    last = 0
    run: list[int] = []
    for bucket in sorted(buckets):
        gap = bucket - last
        if run and gap <= _JOINED + 1:
            run.extend([0] * (gap - 1))
        else:
            _write_run(out, run)
            run = []
            _write(out, gap << 1 if gap >= 0 else (-gap << 1) - 1)
        run.append(buckets[bucket])
        last = bucket
    _write_run(out, run)
    return bytes(out)


def decode(body: bytes) -> Buckets:
    buckets: Buckets = {}
    last = 0
    at = 0
    while at < len(body):
        gap, at = _read(body, at)
        length, at = _read(body, at)
        first = last + (gap >> 1 if gap & 1 == 0 else -((gap + 1) >> 1))
        last = first + length - 1
        run = body[at : at + length]
        if run.isascii():  # each count is one byte, as nearly always: no loop of our own
            buckets |= {bucket: count for bucket, count in zip(range(first, last + 1), run, strict=True) if count}
            at += length
            continue
        for bucket in range(first, last + 1):
            count = body[at]
            at += 1
            if count >= 0x80:
                count, at = _read(body, at - 1)
            if count:
                buckets[bucket] = count
    return buckets


def _write_run(out: bytearray, run: list[int]) -> None:
    if run:
        _write(out, len(run))
        for count in run:
            _write(out, count)


def _write(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _read(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
