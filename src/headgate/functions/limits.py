"""How much functions may use of this machine."""

from headgate.model.value import Value


class RuntimeLimits(Value, frozen=True):
    """Bounds of one server process. Times are in seconds."""

    max_environments: int = 10  # execution environments of one function version
    max_total_environments: int = 100
    """Of all together; at this bound the longest idle one makes room. Functions without one may be as many, too."""
    max_provisioned: int = 50  # of these that may be kept started; the others are for all other functions
    max_waiting: int = 1000  # calls of one function version that wait for an environment
    wait_s: float = 15.0  # how long a call may wait for a free environment; the start of the first one is not counted
    init_s: float = 10.0  # importing the handler; see `start_s`
    idle_s: float = 300.0  # an environment that had no call for so long is ended
    refill_s: float = 1.0  # before one that is kept started is started anew; doubled after each failure, up to 60
    drain_s: float = 5.0  # how long `close` lets running calls finish
    keep_spare_parent: bool = True  # a started interpreter in store halves the cold start, and takes 12 MB
    log_burst_bytes: int = 1024 * 1024  # output of one call that is read at full speed

    def start_s(self, timeout_s: float) -> float:
        """How long an environment of a function with this timeout may take to start.

        Lambda ends a start after 10 s and makes another with the first call, which may take as long as the call. One
        that goes on is the same to whoever waits, only sooner done.
        """
        return max(self.init_s, timeout_s)
