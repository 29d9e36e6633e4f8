"""A dashboard: a page of widgets, as CloudWatch keeps it."""

from collections.abc import Mapping

from headgate.model.value import Value


class Dashboard(Value, frozen=True, rename="pascal"):
    account_id: str
    dashboard_name: str
    dashboard_body: str  # JSON
    last_modified: float  # seconds since the epoch
    tags: Mapping[str, str] = {}

    @property
    def dashboard_arn(self) -> str:
        """Without a region: an account's dashboards are the same everywhere."""
        return f"arn:aws:cloudwatch::{self.account_id}:dashboard/{self.dashboard_name}"
