"""The services that Headgate answers itself: their operations, and what those work on."""

from headgate.control import apigateway, cloudwatch, lambda_, logs, sts, xray
from headgate.control.cloudwatch.ports import CloudWatchPorts
from headgate.control.dispatch import Dispatcher, OwnService
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.logs.ports import LogsPorts
from headgate.server.bridge import MotoBridge
from headgate.server.cloudwatch_ports import CloudWatchService
from headgate.settings import Settings
from headgate.store.sqlite import SqliteStore
from headgate.wire.services import load
from headgate.wiring.functions import FunctionPart
from headgate.wiring.ports import LambdaService, LogsService
from headgate.wiring.telemetry import TelemetryPart


def dispatcher(
    settings: Settings,
    store: SqliteStore,
    functions: FunctionPart,
    telemetry: TelemetryPart,
    bridge: MotoBridge,
    gateway_port: int,
) -> Dispatcher:
    """What answers them; `bridge` answers for every other service."""
    # Named with their protocols for mypy's sake: what OwnService is given may be anything.
    lambda_ports: LambdaPorts = LambdaService(store, functions, bridge, settings, gateway_port)
    cloudwatch_ports: CloudWatchPorts = CloudWatchService(store, telemetry.metrics, settings.alarm_webhooks)
    logs_ports: LogsPorts = LogsService(
        telemetry.log_store, telemetry.log_buffer, telemetry.log_queries, functions.directory
    )
    return Dispatcher(
        services=load(("apigateway", "lambda", "cloudwatch", "logs", "xray", "sts")),
        own={
            "apigateway": OwnService(apigateway.OPERATIONS),
            "lambda": OwnService(lambda_.OPERATIONS, ports=lambda_ports),
            "cloudwatch": OwnService(cloudwatch.OPERATIONS, ports=cloudwatch_ports),
            "logs": OwnService(logs.OPERATIONS, ports=logs_ports),
            "xray": OwnService(xray.OPERATIONS, ports=telemetry.traces.ports),
            "sts": OwnService(sts.OPERATIONS, bridged_otherwise=True),
        },
        store=store,
        bridge=bridge,
        default_account=settings.account_id,
    )
