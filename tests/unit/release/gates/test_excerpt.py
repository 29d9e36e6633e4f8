"""What others wrote, in our messages."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.release.gates import excerpt


def test_the_beginning_is_one_line_of_two_hundred_characters() -> None:
    assert excerpt.beginning(b"a\r\n\t b" + b"c" * 300) == "a b" + "c" * 197 + "…"


def test_the_end_keeps_its_lines() -> None:
    assert excerpt.end(b"x" * 3000 + b"\nlast\n", limit=8) == "…xxx\nlast"


def test_secrets_are_hidden() -> None:
    assert excerpt.beginning(b"token=abcdef;", ["abcdef"]) == "token=***;"


def test_a_value_too_short_to_be_secret_spoils_nothing() -> None:
    assert excerpt.beginning(b"1 of 10 failed", ["1"]) == "1 of 10 failed"


@given(st.binary())
def test_nothing_in_it_commands_a_terminal(body: bytes) -> None:
    assert excerpt.beginning(body).isprintable()
    assert excerpt.end(body).replace("\n", "").replace("\t", "").isprintable()
