"""Dashboards: kept, listed and given back. Widgets are drawn by who shows them (GetMetricWidgetImage)."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from headgate.control.cloudwatch.errors import bad_token, invalid
from headgate.control.cloudwatch.tags import tags_of
from headgate.control.context import Context
from headgate.model.dashboard import Dashboard
from headgate.model.errors import ApiError
from headgate.wire.paging import page

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_WIDGETS: Final = 500
PAGE: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")


def put_dashboard(context: Context, request: "shapes.PutDashboardInput") -> Mapping[str, Any]:
    name, body = request["DashboardName"], request["DashboardBody"]
    if not _NAME.fullmatch(name):
        raise _refused(
            f"The value {name} for parameter DashboardName is invalid: give 1 to 255 letters, digits, - and _", ()
        )
    _check_body(body)
    before = context.tx.get(Dashboard, context.scope.account_id, name)
    dashboard = Dashboard(
        account_id=context.scope.account_id,
        dashboard_name=name,
        dashboard_body=body,
        last_modified=context.now,
        tags=tags_of(request.get("Tags", ())) if before is None else before.tags,
    )
    context.tx.put(dashboard, dashboard.account_id, name)
    return {"DashboardValidationMessages": []}


def get_dashboard(context: Context, request: "shapes.GetDashboardInput") -> Mapping[str, Any]:
    dashboard = _find(context, request["DashboardName"])
    return {**msgspec.to_builtins(dashboard), "DashboardArn": dashboard.dashboard_arn}


def list_dashboards(context: Context, request: "shapes.ListDashboardsInput") -> Mapping[str, Any]:
    prefix = request.get("DashboardNamePrefix", "")
    found = [
        each for each in context.tx.list(Dashboard, context.scope.account_id) if each.dashboard_name.startswith(prefix)
    ]
    try:
        taken, token = page(
            found, None, request.get("NextToken"), lambda each: each.dashboard_name, default=PAGE, most=PAGE
        )
    except ApiError as error:
        raise bad_token() from error
    entries = [
        {
            "DashboardName": each.dashboard_name,
            "DashboardArn": each.dashboard_arn,
            "LastModified": each.last_modified,
            "Size": len(each.dashboard_body.encode()),
        }
        for each in taken
    ]
    return {"DashboardEntries": entries, "NextToken": token}


def delete_dashboards(context: Context, request: "shapes.DeleteDashboardsInput") -> None:
    """All of them, or none where one is not there."""
    names = request["DashboardNames"]
    if not names:
        raise invalid("The collection DashboardNames must not be empty.")
    for name in names:
        _find(context, name)
    for name in names:
        context.tx.delete(Dashboard, context.scope.account_id, name)


def _find(context: Context, name: str) -> Dashboard:
    dashboard = context.tx.get(Dashboard, context.scope.account_id, name)
    if dashboard is None:
        raise ApiError("ResourceNotFound", f"Dashboard {name} does not exist", 404)
    return dashboard


def _check_body(body: str) -> None:
    """What makes a body unusable; what is in a widget is the business of who shows it."""
    if len(body.encode()) > MAX_BODY_BYTES:
        raise _refused(f"The dashboard body must not be larger than {MAX_BODY_BYTES} bytes", ())
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _refused(f"The field DashboardBody must be a valid JSON object: {error}", ("",)) from error
    if not isinstance(document, dict):
        raise _refused("The field DashboardBody must be a valid JSON object", ("",))
    widgets = document.get("widgets")
    if not isinstance(widgets, list):
        raise _refused('The dashboard body must have "widgets", an array', ("/widgets",))
    if len(widgets) > MAX_WIDGETS:
        raise _refused(f"A dashboard may have {MAX_WIDGETS} widgets; it has {len(widgets)}", ("/widgets",))
    for number, widget in enumerate(widgets):
        if not isinstance(widget, dict) or not isinstance(widget.get("type"), str):
            raise _refused('Each widget must be an object with a "type"', (f"/widgets/{number}/type",))


def _refused(message: str, paths: tuple[str, ...]) -> ApiError:
    messages = [{"DataPath": path, "Message": message} for path in paths]
    return ApiError("InvalidParameterInput", message, fields={"dashboardValidationMessages": messages})
