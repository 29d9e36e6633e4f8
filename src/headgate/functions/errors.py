"""What a call of a function may be refused with."""


class Throttled(Exception):
    """There is no room: no environment is free and none may be started or waited for, or too many calls run."""

    reason = "ConcurrentInvocationLimitExceeded"  # as TooManyRequestsException has it


class NotStarted(Throttled):
    """This server could not start an execution environment: it lacks descriptors, processes or disk, or a program."""


class ReservedLimitReached(Throttled):
    """As many calls of the function run as it has concurrency reserved, which may be none."""

    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"

    def __init__(self, reserved: int) -> None:
        super().__init__(f"{reserved} calls may run at once, by the function's reserved concurrency")
        self.reserved = reserved
