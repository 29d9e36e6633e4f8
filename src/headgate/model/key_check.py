"""What tells whether a key is the one that a data folder was sealed with."""

from headgate.model.value import Value


class KeyCheck(Value, frozen=True):
    proof: str  # hexadecimal; made from the key, which cannot be made from it
