"""What ends a start."""


class StartError(Exception):
    """The server cannot start; the message is one line for whoever started it."""
