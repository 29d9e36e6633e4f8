"""Text of others in a terminal."""


def printable(text: str) -> str:
    """Without what would move the cursor or set colours; lines stay lines."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
