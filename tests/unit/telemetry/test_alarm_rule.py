import pytest

from headgate.model.alarm import AlarmValue
from headgate.telemetry.alarm_rule import MAX_CHILDREN, RuleError, children, holds, parse_rule

_STATES = {"a": AlarmValue.ALARM, "b": AlarmValue.OK, "with blank": AlarmValue.ALARM}


def _state_of(name: str) -> AlarmValue:
    return _STATES.get(name, AlarmValue.INSUFFICIENT_DATA)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("TRUE", True),
        ("FALSE", False),
        ("ALARM(a)", True),
        ("OK(a)", False),
        ("OK(b)", True),
        ("INSUFFICIENT_DATA(unknown)", True),
        ('ALARM("with blank")', True),
        ("ALARM('with blank')", True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a)", True),
        ('ALARM("arn:aws:cloudwatch:us-east-1:123456789012:alarm:with blank")', True),
        ("NOT ALARM(a)", False),
        ("NOT NOT ALARM(a)", True),
        ("ALARM(a) AND ALARM(b)", False),
        ("ALARM(a) OR ALARM(b)", True),
        ("ALARM(b) AND ALARM(a) OR ALARM(a)", True),  # AND binds closer
        ("ALARM(b) AND (ALARM(a) OR ALARM(a))", False),
        ("NOT (ALARM(b) OR OK(a))", True),
        ("AT_LEAST(1, ALARM, (a, b))", True),
        ("AT_LEAST(2, ALARM, (a, b))", False),
        ("AT_LEAST(50%, ALARM, (a, b))", True),
        ("AT_LEAST(51%, ALARM, (a, b))", False),
        ("AT_LEAST(2, NOT OK, (a, unknown, b))", True),
    ],
)
def test_a_rule(rule: str, expected: bool) -> None:
    assert holds(parse_rule(rule), _state_of) is expected


def test_the_children_are_told_each_once_in_their_order() -> None:
    assert children(parse_rule("ALARM(b) OR NOT OK(a) AND AT_LEAST(1, OK, (c, b))")) == ("b", "a", "c")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            "BAD(a)",
            "Unsupported token BAD must be: '(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or INSUFFICIENT_DATA",
        ),
        ("", "Unsupported token <EOF> must be: '('"),
        ("ALARM(a", "Unsupported token <EOF> must be: ')'"),
        ("ALARM()", "Unsupported token ) must be: the name or ARN of an alarm"),
        ("ALARM(a) ALARM(b)", "Unsupported token ALARM must be: AND or OR"),
        ("AT_LEAST(x, ALARM, (a))", "Unsupported token x must be: a number or a percentage"),
        ("AT_LEAST(1, BAD, (a))", "Unsupported token BAD must be: ALARM, OK or INSUFFICIENT_DATA"),
        ('ALARM("a', "a quote at position"),
        ("(" * 200 + "TRUE" + ")" * 200, "nested more than"),
        (" OR ".join(f"ALARM(a{number})" for number in range(MAX_CHILDREN + 1)), "it may refer to 100"),
    ],
)
def test_what_is_no_rule_is_refused(rule: str, told: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(rule)

    assert str(caught.value).startswith("Error in AlarmRule [")
    assert told in str(caught.value)
