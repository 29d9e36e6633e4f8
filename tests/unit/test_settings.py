"""Settings: where each is read from, which place wins, and what is said of a value that cannot be used."""

from pathlib import Path
from typing import Any

import pytest

from headgate.settings import Settings, SettingsError, load_settings


def _file(folder: Path, text: str) -> Path:
    path = folder / "headgate.toml"
    path.write_text(text)
    return path


def test_with_nothing_said_the_defaults_hold() -> None:
    assert load_settings({}, {}, None) == Settings()


# Every setting: its text in the environment, its line in the file, and what both mean.
_SAID: dict[str, tuple[str, str, Any]] = {
    "port": ("1234", "port = 1234", 1234),
    "gateway_port": ("0", "gateway_port = 0", 0),
    "host": ("::1", 'host = "::1"', "::1"),
    "gateway_host": ("0.0.0.0", 'gateway_host = "0.0.0.0"', "0.0.0.0"),
    "data": ("/srv/headgate", 'data = "/srv/headgate"', Path("/srv/headgate")),
    "ephemeral": ("yes", "ephemeral = true", True),
    "account_id": ("123456789012", 'account_id = "123456789012"', "123456789012"),
    "drain_s": ("2.5", "drain_s = 2.5", 2.5),
    "sandbox": ("bwrap", 'sandbox = "bwrap"', "bwrap"),
    "function_network": ("none", 'function_network = "none"', "none"),
    "function_user": ("www-data", 'function_user = "www-data"', "www-data"),
    "max_environments": ("3", "max_environments = 3", 3),
    "concurrency": ("50", "concurrency = 50", 50),
    "event_retry_s": ("0.5, 2", "event_retry_s = [0.5, 2]", (0.5, 2.0)),
    "key_file": ("/run/secrets/key", 'key_file = "/run/secrets/key"', Path("/run/secrets/key")),
    "function_url_key": ("AKID:secret", 'function_url_key = "AKID:secret"', "AKID:secret"),
    "log_max_mib": ("64", "log_max_mib = 64", 64),
    "trace_max_mib": ("32", "trace_max_mib = 32", 32),
    "xray_port": ("2000", "xray_port = 2000", 2000),
    "otlp_endpoint": ("http://[::1]:4318", 'otlp_endpoint = "http://[::1]:4318"', "http://[::1]:4318"),
    "release_commands": ("true", "release_commands = true", True),
}


def test_every_setting_but_the_tables_of_the_file_and_the_key_is_in_this_table() -> None:
    assert {*_SAID, "endpoints", "interpreters", "alarm_webhooks", "key"} == set(Settings.__struct_fields__)


@pytest.mark.parametrize("name", _SAID)
def test_a_setting_is_read_from_the_environment(name: str) -> None:
    text, _, value = _SAID[name]

    assert getattr(load_settings({}, {f"HEADGATE_{name.upper()}": text}, None), name) == value


@pytest.mark.parametrize("name", _SAID)
def test_a_setting_is_read_from_the_file(name: str, tmp_path: Path) -> None:
    _, line, value = _SAID[name]

    assert getattr(load_settings({}, {}, _file(tmp_path, line)), name) == value


def test_webhooks_are_a_table_of_the_file_and_a_wrong_one_is_not_shown(tmp_path: Path) -> None:
    config = _file(tmp_path, '[alarm_webhooks]\noncall = "https://127.0.0.1/secret"\n')

    assert load_settings({}, {}, config).alarm_webhooks == {"oncall": "https://127.0.0.1/secret"}
    with pytest.raises(SettingsError) as caught:
        load_settings({}, {}, _file(tmp_path, '[alarm_webhooks]\noncall = "ftp://127.0.0.1/secret"\n'))
    assert "secret" not in str(caught.value)


def test_interpreters_are_a_table_of_the_file(tmp_path: Path) -> None:
    config = _file(tmp_path, '[interpreters]\n"python3.12" = "/bin/sh"\n"nodejs22.x" = "sh"\n')

    assert load_settings({}, {}, config).interpreters == {"python3.12": "/bin/sh", "nodejs22.x": "sh"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("interpreters = 3", "interpreters must be a table"),
        ("alarm_webhooks = 3", "alarm_webhooks must be a table"),
        ('[alarm_webhooks]\n"on call" = "http://127.0.0.1"', "alarm_webhooks has 'on call'; a name has letters"),
        ('[alarm_webhooks]\noncall = "mailto:me"', "alarm_webhooks.oncall is no URL; give one such as"),
        ('[interpreters]\n"java21" = "/bin/sh"', "interpreters has 'java21'; give a runtime such as"),
        ('[interpreters]\npython3.12 = "/bin/sh"', "interpreters has 'python3'; give a runtime such as"),
        (
            '[interpreters]\n"python3.12" = "/absent"',
            "interpreters.python3.12 is '/absent'; give the path of a program",
        ),
    ],
)
def test_an_interpreter_that_cannot_be_used_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings({}, {}, _file(tmp_path, text))


def test_the_key_is_read_from_the_environment_and_never_from_the_file(tmp_path: Path) -> None:
    assert load_settings({}, {"HEADGATE_KEY": "x"}, None).key == "x"
    with pytest.raises(SettingsError, match="give it by HEADGATE_KEY, or in a file that key_file names"):
        load_settings({}, {}, _file(tmp_path, 'key = "x"'))


@pytest.mark.parametrize("text", ["AKID", ":secret", "AKID:", "A KID:secret"])
def test_half_a_key_for_function_urls_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({}, {"HEADGATE_FUNCTION_URL_KEY": text}, None)

    assert str(refused.value) == "function_url_key must be an access key and a secret key with a colon between them"


def test_endpoints_are_a_table_of_the_file(tmp_path: Path) -> None:
    config = _file(tmp_path, '[endpoints]\ns3 = "http://127.0.0.1:9000"\nsqs = "https://sqs.eu-west-1.amazonaws.com"\n')

    assert load_settings({}, {}, config).endpoints == {
        "s3": "http://127.0.0.1:9000",
        "sqs": "https://sqs.eu-west-1.amazonaws.com",
    }


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    config = _file(tmp_path, "port = 1\ngateway_port = 2\ndrain_s = 3\n")
    environment = {"HEADGATE_PORT": "11", "HEADGATE_GATEWAY_PORT": "12"}

    settings = load_settings({"port": 21, "gateway_port": None}, environment, config)

    assert (settings.port, settings.gateway_port, settings.drain_s) == (21, 12, 3)


def test_a_flag_of_the_command_line_may_switch_off_what_the_environment_switched_on() -> None:
    assert load_settings({"ephemeral": False}, {"HEADGATE_EPHEMERAL": "true"}, None).ephemeral is False


def test_a_home_folder_is_found_by_its_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    assert load_settings({"data": "~/gate"}, {}, None).data == Path("/home/somebody/gate")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"port": "abc"}, "port is 'abc'; give an integer from 0 to 65535"),
        ({"port": -1}, "port is -1; give an integer from 0 to 65535"),
        ({"trace_max_mib": 1}, "trace_max_mib is 1; give an integer from 16 to 1048576"),
        (
            {"otlp_endpoint": "collector:4318"},
            "otlp_endpoint is 'collector:4318'; give a URL such as http://127.0.0.1:4318, without /v1/traces",
        ),
        ({"gateway_port": 65536}, "gateway_port is 65536; give an integer from 0 to 65535"),
        ({"port": True}, "port is True; give an integer from 0 to 65535"),
        ({"port": 80.5}, "port is 80.5; give an integer from 0 to 65535"),
        ({"port": 8080}, "port and gateway_port are both 8080; they must differ"),
        ({"max_environments": 0}, "max_environments is 0; give an integer from 1 to 1000"),
        ({"concurrency": 0}, "concurrency is 0; give an integer from 1 to 1000000"),
        ({"event_retry_s": 60}, "event_retry_s is 60; give two numbers of seconds, such as 60,120"),
        ({"event_retry_s": "60"}, "event_retry_s is '60'; give two numbers of seconds, such as 60,120"),
        ({"event_retry_s": "1,soon"}, "event_retry_s is 'soon'; give seconds from 0 to 3600"),
        ({"log_max_mib": 15}, "log_max_mib is 15; give an integer from 16 to 1048576"),
        ({"drain_s": "soon"}, "drain_s is 'soon'; give seconds from 0 to 3600"),
        ({"drain_s": "nan"}, "drain_s is 'nan'; give seconds from 0 to 3600"),
        ({"ephemeral": "perhaps"}, "ephemeral is 'perhaps'; give true or false"),
        ({"account_id": "123"}, "account_id is '123'; it must have 12 digits"),
        ({"account_id": "١٢٣٤٥٦٧٨٩٠١٢"}, "account_id is '١٢٣٤٥٦٧٨٩٠١٢'; it must have 12 digits"),
        ({"account_id": 123456789012}, "account_id is 123456789012; give a text in quotes"),
        ({"data": ""}, "data is ''; give the name of a folder"),
        ({"data": "a\0b"}, "data is 'a\\x00b'; give the name of a folder"),
        ({"data": 1}, "data is 1; give a text in quotes"),
        ({"data": "~nobody-at-all/x"}, "data is '~nobody-at-all/x'; there is no such home folder"),
        ({"host": "example.com"}, "host is 'example.com'; give an IP address, or localhost"),
        ({"gateway_host": ""}, "gateway_host is ''; give an IP address, or localhost"),
        ({"host": "0.0.0.0"}, "host is '0.0.0.0'; the control plane has no authentication yet"),
        ({"host": "::"}, "host is '::'; the control plane has no authentication yet"),
        ({"host": "192.168.1.1"}, "host is '192.168.1.1'; the control plane has no authentication yet"),
        ({"sandbox": "docker"}, "sandbox is 'docker'; give auto, bwrap or none"),
        ({"sandbox": True}, "sandbox is True; give auto, bwrap or none"),
        ({"function_network": "some"}, "function_network is 'some'; give host or none"),
        ({"function_user": 65534}, "function_user is 65534; give a text in quotes"),
        ({"endpoints": "http://a"}, "endpoints must be a table, such as:"),
        ({"endpoints": {"s3": "127.0.0.1:9000"}}, "endpoints.s3 is '127.0.0.1:9000'; give a URL such as"),
        ({"endpoints": {"s3": 9000}}, "endpoints.s3 is 9000; give a URL such as"),
        ({"endpoints": {"s3": "http://[::1"}}, "endpoints.s3 is 'http://[::1'; give a URL such as"),
        ({"endpoints": {"s3": "http://a:99999"}}, "endpoints.s3 is 'http://a:99999'; give a URL such as"),
        ({"endpoints": {"lambda": "http://a"}}, "endpoints.lambda: lambda is Headgate's own"),
        ({"endpoints": {"logs": "http://a"}}, "endpoints.logs: logs is Headgate's own"),
        ({"endpoints": {"apigateway": "http://a"}}, "endpoints.apigateway: apigateway is Headgate's own"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value).partition(";")[0],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(given, {}, None)

    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_the_control_plane_binds_every_loopback_address(host: str) -> None:
    assert load_settings({"host": host}, {}, None).host == host


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"port = \n", "is not TOML: "),
        (b"\xff\xfe", "is not TOML: "),
        (b"prot = 1\n", "has an unknown setting 'prot'; known are port, gateway_port, "),
        (b"[server]\nport = 1\n", "has an unknown setting 'server'; known are "),
    ],
    ids=["no value", "no text", "a setting that there is not", "a table that there is not"],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_name(tmp_path: Path, content: bytes, message: str) -> None:
    config = tmp_path / "headgate.toml"
    config.write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        load_settings({}, {}, config)

    assert str(refused.value).startswith(f"the configuration file {config} {message}")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the configuration file .*absent\.toml: No such file"):
        load_settings({}, {}, tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match=r"cannot read the configuration file .*: Is a directory"):
        load_settings({}, {}, tmp_path)
