"""How an act on the world fails: told apart by whether trying again can help."""


class Unavailable(Exception):
    """The provider did not answer, or not now. Never a sign of a bad canary; tried again."""


class Refused(Exception):
    """It cannot be, however often it is tried; the message says why in one sentence."""
