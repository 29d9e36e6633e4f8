"""Deployments and stages as the commands see them: Headgate's own pages, and UpdateStage."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from headgate.client.control_plane import ControlPlane


def read_differences(plane: ControlPlane, api: str, a: str | None, b: str | None) -> dict[str, Any]:
    """See server/deployment_pages.py. Raises Unreachable and Refused, as all of these."""
    query = {name: value for name, value in (("a", a), ("b", b)) if value is not None}
    return dict(plane.ask("GET", f"/_headgate/apis/{quote(api, '')}/diff", query=query))


def read_history(plane: ControlPlane, api: str, stage: str, limit: int) -> dict[str, Any]:
    path = f"/_headgate/stages/{quote(api, '')}/{quote(stage, '')}/history"
    return dict(plane.ask("GET", path, query={"limit": str(limit)}))


def move_stage(plane: ControlPlane, api_id: str, stage: str, changes: Mapping[str, str]) -> dict[str, Any]:
    """UpdateStage: each path is given its value, all in one call."""
    operations = [{"op": "replace", "path": path, "value": value} for path, value in changes.items()]
    path = f"/restapis/{quote(api_id, '')}/stages/{quote(stage, '')}"
    return dict(plane.ask("PATCH", path, {"patchOperations": operations}))
