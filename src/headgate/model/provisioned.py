"""Provisioned concurrency: environments of a version that are kept started."""

from headgate.model.value import Value


class ProvisionedConcurrency(Value, frozen=True):
    """What is asked for by a published version, or by an alias for the versions behind it."""

    function_name: str
    qualifier: str
    account_id: str
    region: str
    requested: int  # environments
    last_modified: str  # 2024-10-10T13:55:36+0000


class Provisioned(Value, frozen=True):
    """What is there of it."""

    started: int  # environments of the version that have started
    failing: bool = False  # the last one that was to be started did not start
