"""The drawing of an environment's states in docs/functions.md is the table that the code runs by."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headgate.functions.environment import TRANSITIONS, Action, Event, State

_PAGE: Final = Path(__file__).parents[3] / "docs" / "functions.md"


def test_the_drawing_in_the_docs_has_the_transitions_of_the_code() -> None:
    _, _, rest = _PAGE.read_text(encoding="utf-8").partition("<!-- transitions:")
    block = rest.partition("```\n")[2].partition("```\n")[0]

    assert block == "".join(f"{line}\n" for line in _drawn())


def _drawn() -> Iterator[str]:
    """A line for each way out of a state, with the events that go it."""
    for state, table in TRANSITIONS.items():
        if state is State.DEAD:
            yield "dead      whatever is heard of it changes nothing"
            continue
        ways: dict[tuple[State, tuple[Action, ...]], list[Event]] = {}
        for event, way in table.items():
            ways.setdefault(way, []).append(event)
        for number, ((then, actions), events) in enumerate(ways.items()):
            what = ", ".join(_words(action) for action in actions)
            yield (
                f"{_words(state) if number == 0 else '':9} --{', '.join(_words(event) for event in events)}--> "
                f"{_words(then)}{f'  [{what}]' if what else ''}"
            )
        yield ""


def _words(member: State | Event | Action) -> str:
    return member.name.lower().replace("_", " ")
