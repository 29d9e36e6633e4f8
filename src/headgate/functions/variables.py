"""The environment variables of a function: aws-semantics section 9.6, then the function's own."""

from pathlib import Path

from headgate.functions.layers import layer_variables
from headgate.functions.runtimes import is_provided
from headgate.model.invocation import FunctionSpec


def function_variables(
    spec: FunctionSpec,
    *,
    log_stream: str,
    temporary: Path | None,
    runtime_dir: Path,
    endpoint_url: str,
    initialization: str,
    xray_address: str = "127.0.0.1:2000",
) -> dict[str, str]:
    """All variables that the function sees; none is the server's.

    `temporary` is the folder for temporary files; None where that is /tmp, as on Lambda, where nothing names it.
    The credentials are placeholders: they say which account the function belongs to where a gateway listens at
    `endpoint_url`, and open nothing elsewhere.
    """
    code = str(spec.code_dir)
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",  # each environment that speaks it gets its own
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": xray_address,
        "_AWS_XRAY_DAEMON_ADDRESS": xray_address.rpartition(":")[0],
        "_AWS_XRAY_DAEMON_PORT": xray_address.rpartition(":")[2],
        "LAMBDA_TASK_ROOT": code,
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"{code}:{code}/lib",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        "_HANDLER": spec.handler,
        "_X_AMZN_TRACE_ID": "",
    }
    if spec.log_format != "Text":
        variables |= {"AWS_LAMBDA_LOG_FORMAT": spec.log_format, "AWS_LAMBDA_LOG_LEVEL": spec.log_level}
    if not is_provided(spec.runtime):
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{spec.runtime}"
    if spec.runtime.startswith("python"):
        variables |= {"LC_CTYPE": "C.UTF-8", "PWD": code, "PYTHONPATH": code, "SHLVL": "0"}
    if spec.runtime.startswith("nodejs"):
        variables["NODE_PATH"] = f"{code}/node_modules:{code}"
    variables = layer_variables(spec, variables)
    if endpoint_url:
        variables["AWS_ENDPOINT_URL"] = endpoint_url
    variables |= spec.environment
    if temporary is not None:
        # Each environment has a temporary folder of its own: these are what programs ask for one.
        variables |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    return variables
