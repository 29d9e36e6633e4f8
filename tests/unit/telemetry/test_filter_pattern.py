"""Filter patterns: which events each matches. The JSON cases are what CloudWatch Logs was seen to answer."""

import json

import pytest

from headgate.telemetry.filter_pattern import PatternError, compile_pattern

_EVENT = json.dumps({
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "someInt": 123,
    "someFloat": 12.34,
    "wholeFloat": 12.0,
    "negative": -5,
    "someObject": {},
    "someArray": ["value", "another value"],
    "objects": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "grid": [[0, 1, 2], [4, 5, 6]],
    "nothing": None,
    "yes": True,
    "no": False,
    "deep": {"er": {"still-here": "x y", "quote": 'say "hi"'}},
})  # fmt: skip

_TERMS = {
    "an empty pattern matches all": ("", "anything", True),
    "blanks match all": ("  ", "anything", True),
    "a term is found within a word": ("ERROR", "Exiting with ERRORCODE: -1", True),
    "a term's case matters": ("error", "ERROR", False),
    "all terms must be there, in any order": ("two one", "one and two", True),
    "one of two is not enough": ("one two", "one", False),
    "a phrase is one term": ('"one two"', "one and two", False),
    "a phrase may hold signs": ('"[ERROR] a: b"', "x [ERROR] a: b y", True),
    "a phrase may hold an escaped quote": (r'"say \"hi\""', 'say "hi"', True),
    "an excluded term": ("ERROR -Exiting", "ERROR Exiting", False),
    "an excluded term that is not there": ("ERROR -Exiting", "ERROR", True),
    "an excluded phrase, with a blank": ('ERROR - "is fine"', "ERROR is fine", False),
    "only an exclusion": ("-debug", "info", True),
    "an optional term": ("?ERROR ?WARN", "a WARN", True),
    "no optional term": ("?ERROR ?WARN", "an INFO", False),
    "optional terms beside others are ignored": ("?ERROR INFO", "INFO only", True),
    "an optional phrase": ('?"a b" ?c', "x a b", True),
    "a term of another script": ("ошибка", "вот ошибка", True),
    "a regular expression": ("%ERR[O0]R+%", "x ERR0RR", True),
    "a regular expression that is not found": ("%ERR[O0]R+%", "ERR1R", False),
    "a regular expression excluded": ("-%^DEBUG%", "DEBUG x", False),
}


@pytest.mark.parametrize(("pattern", "message", "matches"), _TERMS.values(), ids=_TERMS)
def test_terms(pattern: str, message: str, matches: bool) -> None:
    compiled = compile_pattern(pattern)

    assert compiled.matches(message) is matches
    assert (compiled.match(message) is not None) is matches


_JSON = {
    '{ $.eventType = "UpdateTrail" }': True,
    "{ $.eventType = UpdateTrail }": True,
    "{$.eventType=UpdateTrail}": True,
    '{ $.eventType = "updatetrail" }': False,
    "{ $.eventType != NoTrail }": True,
    '{ $.sourceIPAddress = "111.111.111.111" }': True,
    "{ $.sourceIPAddress = 111.* }": True,
    '{ $.sourceIPAddress = "*.111.111.111" }': True,
    "{ $.sourceIPAddress = *1.1* }": True,
    "{ $.sourceIPAddress != 123.123.* }": True,
    "{ $.sourceIPAddress != 111*111 }": True,  # a star in the middle is a star
    "{ $.sourceIPAddress = * }": True,
    '{ $.someInt = "123" }': True,
    '{ $.someInt = "123.0" }': False,  # a text is compared as it stands
    "{ $.someInt = 123.0 }": True,
    "{ $.someInt = 1.23e2 }": True,
    "{ $.someInt != 123 }": False,
    "{ $.someInt != 3* }": True,
    "{ $.someInt = *23 }": True,
    '{ $.wholeFloat != "12" }': True,
    "{ $.wholeFloat = 12 }": True,
    "{ $.someFloat = 12.3* }": True,
    "{ $.someInt > 122 && $.someInt <= 123 }": True,
    "{ $.someInt >= 123.5 }": False,
    "{ $.negative < -4.5 }": True,
    "{ $.negative > +1000 }": False,
    "{ $.eventType > 1 }": False,  # no number
    '{ $.absent = "x" }': False,
    '{ $.absent != "x" }': False,  # nothing is there to differ
    '{ $.someObject != "x" }': False,
    '{ $.someArray = "value" }': False,
    '{ $.someArray[0] = "value" }': True,
    '{ $.someArray[1] = "* value" }': True,
    '{ $.someArray[2] = "value" }': False,
    '{ $.someArray[*] = "another value" }': True,
    "{ $.objects[1].id = 2 }": True,
    "{ $.objects[0].id = 2 }": False,
    "{ $.objects[*].name = b }": True,
    "{ $.grid[1][2] = 6 }": True,
    "{ $.grid[0].x = 6 }": False,
    '{ $.deep.er.still-here = "x y" }': True,
    r'{ $.deep.er.quote = "say \"hi\"" }': True,
    "{ $.deep.*.still-here = x* }": True,
    "{ $.nothing IS NULL }": True,
    "{ $.absent IS NULL }": False,
    "{ $.eventType IS NULL }": False,
    "{ $.yes IS TRUE }": True,
    "{ $.no IS TRUE }": False,
    "{ $.no is false }": True,
    "{ $.absent NOT EXISTS }": True,
    "{ $.nothing NOT EXISTS }": False,
    "{ $.deep.absent.further NOT EXISTS }": True,
    "{ $.eventType = %^Update[A-Z]% }": True,
    "{ $.eventType != %^Update[A-Z]% }": False,
    "{ ($.someInt = 123) && ($.eventType = Nope || $.yes IS TRUE) }": True,
    "{ ($.someInt = 1 && $.yes IS TRUE) || $.grid[0][0] = 0 }": True,
    "{ $.yes IS TRUE || $.someInt = 1 && $.no IS TRUE }": True,  # && binds more
    "{ ($.yes IS TRUE || $.someInt = 1) && $.no IS TRUE }": False,
}


@pytest.mark.parametrize(("pattern", "matches"), _JSON.items(), ids=_JSON)
def test_json_patterns(pattern: str, matches: bool) -> None:
    compiled = compile_pattern(pattern)

    assert compiled.matches(_EVENT) is matches
    assert (compiled.match(_EVENT) is not None) is matches


@pytest.mark.parametrize("message", ["no json", "{broken", "17", '"text"', ""])
def test_what_is_no_json_object_matches_no_json_pattern(message: str) -> None:
    assert not compile_pattern("{ $.absent NOT EXISTS }").matches(message)


_LINE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html?x=[1] HTTP/1.0" 404 1534'
_FIELDS = {
    "[ip, user, username, timestamp, request, status_code, bytes]": True,
    "[ip, user, username, timestamp, request, status_code]": False,  # one field too many
    "[ip, user, username, timestamp, request, status_code, bytes, more]": False,
    "[..., status_code, bytes]": True,
    "[ip, ..., bytes]": True,
    "[ip, user, ...]": True,
    "[...]": True,
    "[ip, user, username, timestamp, request, status_code = 4*, bytes > 1000]": True,
    "[..., status_code = 5*, bytes]": False,
    "[..., status_code = 404, bytes]": True,
    "[..., status_code = 404.0, bytes]": True,
    '[..., status_code = "404", bytes]': True,
    "[..., status_code != 404, bytes]": False,
    "[..., status_code = 4* && status_code != 403, bytes]": True,
    "[..., status_code = 500 || status_code = 404, bytes]": True,
    "[..., (status_code = 500 || status_code = 404) && status_code < 405, bytes]": True,
    "[..., bytes <= 1534]": True,
    "[..., bytes < 1534]": False,
    "[ip > 1, ...]": False,  # no number
    "[..., request = *html*, status_code, bytes]": True,
    '[..., request = "GET *", status_code, bytes]': True,
    "[ip = %^127[.]%, ...]": True,
    "[..., request=*.html*, status_code=4*,]": True,  # the last field has no name
    "[, , username = frank, ...]": True,
}


@pytest.mark.parametrize(("pattern", "matches"), _FIELDS.items(), ids=_FIELDS)
def test_space_delimited_patterns(pattern: str, matches: bool) -> None:
    compiled = compile_pattern(pattern)

    assert compiled.matches(_LINE) is matches
    assert (compiled.match(_LINE) is not None) is matches


def test_a_delimited_pattern_extracts_its_fields_by_name_or_number() -> None:
    match = compile_pattern("[..., request=*.html*, status_code=4*,]").match(_LINE)

    assert match is not None
    assert match.extracted == {
        "$1": "127.0.0.1",
        "$2": "-",
        "$3": "frank",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$request": "GET /index.html?x=[1] HTTP/1.0",
        "$status_code": "404",
        "$7": "1534",
    }
    assert match.lookup("$status_code") == "404"
    assert match.lookup("$bytes") is None


def test_a_json_pattern_extracts_what_it_names_and_looks_up_what_else_is_asked_for() -> None:
    match = compile_pattern("{ $.eventType = * && $.objects[1].id > 1 && $.absent NOT EXISTS }").match(_EVENT)

    assert match is not None
    assert match.extracted == {"$.eventType": "UpdateTrail", "$.objects[1].id": "2"}
    assert match.lookup("$.someFloat") == "12.34"
    assert match.lookup("$.someObject") is None
    assert match.lookup("no selector") is None


_INVALID = {
    "a term with signs": ("a.b", "Invalid character(s) in term 'a.b'"),
    "a term with a dash": ("b0b7-c6", "Invalid character(s) in term 'b0b7-c6'"),
    "a quote without an end": ('"a', "Invalid metric filter pattern: '\"a' was not expected"),
    "a text that is to be ordered": ('{ $.a > "x" }', "a number was expected after > in place of '\"x\"'"),
    "a word that is to be ordered": ("{ $.a >= Update }", "a number was expected after >= in place of 'Update'"),
    "no brace at the end": ("{ $.a = 1", "{ has no }"),
    "no bracket at the end": ("[a, b", "[ has no ]"),
    "no condition": ("{ }", "in place of the end"),
    "no selector": ("{ a = 1 }", "in place of 'a'"),
    "two operators": ("{ $.a = = 1 }", "a value was expected"),
    "something after the condition": ("{ $.a = 1 $.b = 2 }", "'$.b' was not expected"),
    "an unclosed parenthesis": ("{ ($.a = 1 }", ") was expected in place of the end"),
    "an unknown word": ("{ $.a IS MISSING }", "'IS MISSING'"),
    "a value with signs": ("{ $.a = x@y }", "Invalid character(s) in term 'x@y'"),
    "two ellipses": ("[..., a, ...]", "more than one ellipsis"),
    "two fields of one name": ("[a, a]", "the same name"),
    "a field that speaks of two": ("[a = 1 && b = 2]", "speak of a and b"),
    "a group in a regular expression": ("%(a)%", "'(' must be escaped"),
    "an unsupported sign in a regular expression": ("%something!%", "'!' must be escaped, or is not supported"),
    "three regular expressions": ("{ $.a = %a% || $.a = %b% || $.a = %c% }", "more than 2 regular expressions"),
    "too many repeats": ("%a{999}b{999}c{999}%", "more than 2000 characters"),
    "too long": ("a" * 1025, "it has 1025 characters; at most 1024"),
    "deep parentheses": ("{" + "(" * 60 + "$.a = 1" + ")" * 60 + "}", "nested more than 50 deep"),
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "message"), _INVALID.values(), ids=_INVALID)
def test_what_is_no_pattern_is_refused_with_what_was_expected(pattern: str, message: str) -> None:
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


_REGEXES = {
    "an anchor at the beginning": ("^a", ["abc"], ["bac"]),
    "an anchor at the end": ("c$", ["abc"], ["cab"]),
    "both anchors": ("^a+$", ["aaa"], ["aab", ""]),
    "a dot": ("^a.c$", ["abc", "a.c"], ["ac", "abbc"]),
    "a star": ("^ab*c$", ["ac", "abbbc"], ["abd"]),
    "a question mark": ("^ab?c$", ["ac", "abc"], ["abbc"]),
    "an exact repeat": ("^a{3}$", ["aaa"], ["aa", "aaaa"]),
    "an open repeat": ("^a{2,}$", ["aa", "aaaaa"], ["a"]),
    "a bounded repeat": ("^a{1,2}$", ["a", "aa"], ["", "aaa"]),
    "alternatives": ("^a|b$|c", ["ax", "xb", "xcx"], ["bx", "xa"]),
    "a range": ("^[a-c1]$", ["b", "1"], ["d", "-"]),
    "a negated set": ("^[^a-c]$", ["d"], ["a"]),
    "a dash at the end of a set": ("^[a-]$", ["a", "-"], ["b"]),
    "classes": (r"^\d\D\w\W\s\S$", ["1aa- x"], ["aaa- x"]),
    "a class in a set": (r"^[\d_]+$", ["1_2"], ["1a"]),
    "escapes": (r"^\[\.\*\x28$", ["[.*("], ["[a*("]),
    "nothing": ("", ["", "a"], []),
}


@pytest.mark.parametrize(("regex", "found", "not_found"), _REGEXES.values(), ids=_REGEXES)
def test_regular_expressions(regex: str, found: list[str], not_found: list[str]) -> None:
    compiled = compile_pattern(f"{{ $.x = %{regex}% }}")

    assert [text for text in found if not compiled.matches(json.dumps({"x": text}))] == []
    assert [text for text in not_found if compiled.matches(json.dumps({"x": text}))] == []


def test_a_regular_expression_that_has_others_go_back_for_ever_comes_to_its_end() -> None:
    assert not compile_pattern("%" + "a*" * 400 + "b%").matches("a" * 200_000)
