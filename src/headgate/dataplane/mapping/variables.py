"""Stage variables in integration settings: `${stageVariables.name}`, substituted when a snapshot is compiled."""

import re
from collections.abc import Mapping
from typing import Final

_REFERENCE: Final = re.compile(r"\$\{stageVariables\.(\w+)\}")


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """`text` with every reference replaced; an unset variable is the empty string (aws-semantics 3.7)."""
    return _REFERENCE.sub(lambda found: variables.get(found[1], ""), text) if "$" in text else text
