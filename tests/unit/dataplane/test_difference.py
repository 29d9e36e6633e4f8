"""What differs between two answers, and what of it is no noise."""

import gzip
import json
import random
from typing import Any

import pytest

from headgate.dataplane.difference import MAX_BODY_BYTES, MAX_PATHS, Answer, Differences, answer, differences


def _answer(body: Any = None, status: int = 200, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Answer(status, lines, content)


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        pytest.param(_answer({"a": 1}), _answer({"a": 1}), {}, id="nothing"),
        pytest.param(_answer(status=200), _answer(status=503), {"status": ("200", "503")}, id="the status"),
        pytest.param(
            _answer(X_Kind="a", Etag="1"),
            _answer(x_kind="b", Etag="1"),
            {"headers.x-kind": ("a", "b")},
            id="a header, whatever the case of its name",
        ),
        pytest.param(_answer(X_A="1"), _answer(), {"headers.x-a": ("1", "(absent)")}, id="a header that is gone"),
        pytest.param(
            _answer(Date="a", X_Amzn_RequestId="1", X_Request_Id="1", X_Amzn_Remapped_Date="a"),
            _answer(Date="b", X_Amzn_RequestId="2"),
            {},
            id="no volatile header",
        ),
        pytest.param(
            _answer({"a": {"b": 1, "c": "x"}}),
            _answer({"a": {"b": 2, "c": "x"}}),
            {"body.a.b": ("1", "2")},
            id="a field of the body",
        ),
        pytest.param(
            _answer({"a": 1}),
            _answer({"b": 1}),
            {"body.a": ("1", "(absent)"), "body.b": ("(absent)", "1")},
            id="a field that was renamed",
        ),
        pytest.param(
            _answer({"items": [{"p": 1}, {"p": 2}, {"p": 3}]}),
            _answer({"items": [{"p": 1}, {"p": 5}, {"p": 6}]}),
            {"body.items[].p": ("2", "5")},
            id="all elements of an array are one path",
        ),
        pytest.param(_answer([1, 2]), _answer([1]), {"body[#]": ("2", "1")}, id="the length of an array"),
        pytest.param(_answer({"a": True}), _answer({"a": 1}), {"body.a": ("true", "1")}, id="true is not 1"),
        pytest.param(_answer({"a": 1}), _answer({"a": "1"}), {"body.a": ("1", '"1"')}, id="1 is not text"),
        pytest.param(_answer({"a": 1.0}), _answer({"a": 1}), {}, id="a number however it is written"),
        pytest.param(_answer(b'{"a":1, "b":2}'), _answer(b'{"b":2,"a":1}'), {}, id="neither order nor blanks"),
        pytest.param(_answer({"a.b": 1}), _answer({"a.b": 2}), {'body["a.b"]': ("1", "2")}, id="a key with a dot"),
        pytest.param(_answer(b"one"), _answer(b"two"), {"body": ("one", "two")}, id="bytes"),
        pytest.param(_answer(b"\xff"), _answer(b"{}"), {"body": ("\ufffd", "{}")}, id="bytes and JSON"),
        pytest.param(
            _answer(gzip.compress(b'{"a":1}', mtime=1)),
            _answer(gzip.compress(b'{"a":1}', mtime=2)),
            {},
            id="what is compressed is compared plain",
        ),
        pytest.param(
            _answer({"a": "x" * 100}),
            _answer({"a": "y"}),
            {"body.a": ('"' + "x" * 62 + "\u2026", '"y"')},
            id="values are cut short",
        ),
    ],
)
def test_what_differs(left: Answer, right: Answer, found: dict[str, tuple[str, str]]) -> None:
    assert differences(left, right) == found


def test_all_fields_are_found_that_differ_among_many_that_do_not() -> None:
    lines = [{"sku": number, "price": number * 3, "tags": ["a", "b"]} for number in range(5000)]
    changed = [*lines[:-1], {**lines[-1], "price": 0}]

    assert differences(_answer({"lines": lines, "n": 1}), _answer({"lines": changed, "n": 2})).keys() == {
        "body.n",
        "body.lines[].price",
    }


def test_a_long_body_is_kept_by_its_length_and_its_beginning() -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)

    kept = answer(200, [], body)

    assert len(kept.body) < 70_000
    assert differences(kept, answer(200, [], body)) == {}
    assert differences(kept, answer(200, [], body + b"x")).keys() == {"body"}


def test_a_body_as_deep_as_json_can_be_is_compared() -> None:
    deep = [b"[" * 900 + each + b"]" * 900 for each in (b"1", b"2")]

    [(path, values)] = differences(_answer(deep[0]), _answer(deep[1])).items()

    assert path.startswith("body[][]")
    assert values == ("1", "2")


@pytest.mark.parametrize(
    ("candidate", "noise", "is_different"),
    [
        pytest.param(100, 0, True, id="always and never"),
        pytest.param(100, 100, False, id="random: as often"),
        pytest.param(60, 40, False, id="20 % more, which is not above"),
        pytest.param(61, 39, True, id="above 20 %"),
        pytest.param(3, 0, False, id="3 of 10,000 are not above 0.03 %"),
        pytest.param(4, 0, True, id="4 are"),
        pytest.param(10, 90, False, id="less than noise"),
    ],
)
def test_a_field_is_different_when_it_differs_for_more_than_noise(
    candidate: int, noise: int, *, is_different: bool
) -> None:
    seen = Differences()
    one, other = _answer({"a": 1}), _answer({"a": 2})

    for number in range(10_000):
        seen.add(one, other if number < candidate else one, other if number < noise else one)

    reported = {field["path"]: field["isDifferent"] for field in seen.report()}
    assert reported == {"body.a": is_different}


def test_a_changed_field_is_found_among_random_ones() -> None:
    chance = random.Random(3)
    seen = Differences()

    def answered(kind: str) -> Answer:
        return _answer({"id": chance.random(), "kind": kind, "flips": chance.random() < 0.3})

    for _ in range(300):
        seen.add(answered("old"), answered("new"), answered("old"))

    report = seen.report()
    assert [field["path"] for field in report if field["isDifferent"]] == ["body.kind"]
    assert report[0]["path"] == "body.kind"
    assert report[0]["examples"] == [{"primary": '"old"', "candidate": '"new"'}] * 3


def test_what_is_nested_deeply_and_gone_is_told_without_its_text() -> None:
    deep = b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"

    assert differences(_answer(deep), _answer({})) == {"body.a": ("(nested deeply)", "(absent)")}


def test_paths_are_bounded_and_what_is_left_out_is_counted() -> None:
    seen = Differences()

    for number in range(MAX_PATHS + 5):
        seen.add(_answer({}), _answer({f"user{number}": 1}), _answer({}))

    assert (len(seen.fields), seen.left_out, seen.compared) == (MAX_PATHS, 5, MAX_PATHS + 5)
