"""What a call of a function may be refused with."""


class Throttled(Exception):
    """No execution environment is free, no more may be started, and no more calls may wait or wait longer."""
