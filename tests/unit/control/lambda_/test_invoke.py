"""Invoke: aws-semantics 9.4."""

import base64
from typing import Any

import pytest

from headgate.control.lambda_.invoke import MAX_CLIENT_CONTEXT_BYTES, MAX_EVENT_BYTES, MAX_PAYLOAD_BYTES
from headgate.control.lambda_.ports import Invoked
from headgate.model.arn import FunctionRef
from headgate.model.invocation import FunctionError, Outcome

from .account import ACCOUNT, REGION, Account, arn, told
from .conftest import Play


async def invoke(account: Account, **members: Any) -> dict[str, Any]:
    return await account.ask("Invoke", FunctionName="hello", **members)


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_handler_s_answer_comes_back_with_the_version_that_gave_it(play: Play) -> None:
    async def scenario(account: Account) -> None:
        account.ports.invoked = Invoked(executed_version="2", outcome=Outcome(payload=b'{"a":1}', log_tail=b"log"))

        answer = await invoke(account, Payload=b'{"b":2}', Qualifier="live")

        assert answer == {"StatusCode": 200, "Payload": b'{"a":1}', "ExecutedVersion": "2"}
        live = FunctionRef(account_id=ACCOUNT, region=REGION, name="hello", qualifier="live")
        assert account.ports.calls == [(live, b'{"b":2}', "", False)]

    play(scenario)


def test_a_function_that_fails_is_an_answer(play: Play) -> None:
    async def scenario(account: Account) -> None:
        outcome = Outcome(payload=b'{"errorMessage":"no"}', error=FunctionError.UNHANDLED)
        account.ports.invoked = Invoked(executed_version="$LATEST", outcome=outcome)

        answer = await invoke(account)

        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")

    play(scenario)


def test_the_log_s_tail_comes_when_asked_for(play: Play) -> None:
    async def scenario(account: Account) -> None:
        outcome = Outcome(payload=b"null", log_tail=b"START\nEND\n")
        account.ports.invoked = Invoked(executed_version="$LATEST", outcome=outcome)

        answer = await invoke(account, LogType="Tail")
        without = await invoke(account, LogType="None")

        assert base64.b64decode(answer["LogResult"]) == b"START\nEND\n"
        assert "LogResult" not in without
        assert [wanted for _, _, _, wanted in account.ports.calls] == [True, False]

    play(scenario)


@pytest.mark.parametrize("members", [{}, {"Payload": b""}], ids=["none", "empty"])
def test_without_a_payload_the_handler_gets_an_empty_object(play: Play, members: dict[str, Any]) -> None:
    async def scenario(account: Account) -> None:
        await invoke(account, **members)

        assert account.ports.calls[0][1] == b"{}"

    play(scenario)


@pytest.mark.parametrize("payload", [b"null", b"[1]", b' {"a": 1} ', '"é"'.encode()])
def test_any_json_goes_to_the_handler_as_it_is(play: Play, payload: bytes) -> None:
    async def scenario(account: Account) -> None:
        await invoke(account, Payload=payload)

        assert account.ports.calls[0][1] == payload

    play(scenario)


@pytest.mark.parametrize("payload", [b"{", b"not json", b'"\xff"', b"NaN", b"[" * 100_000])
def test_what_is_no_json_is_refused(play: Play, payload: bytes) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal("Invoke", FunctionName="hello", Payload=payload)

        assert (error.code, error.status) == ("InvalidRequestContentException", 400)
        assert error.message.startswith("Could not parse request body into json: ")
        assert account.ports.calls == []

    play(scenario)


def test_a_payload_has_at_most_6_mb(play: Play) -> None:
    async def scenario(account: Account) -> None:
        fits = b'"' + b"x" * (MAX_PAYLOAD_BYTES - 2) + b'"'

        assert await invoke(account, Payload=fits)
        error = await account.refusal("Invoke", FunctionName="hello", Payload=fits + b" ")

        message = "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"
        assert told(error) == ("RequestTooLargeException", 413, message)

    play(scenario)


def test_the_client_context_reaches_the_handler_as_json(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await invoke(account, ClientContext=in_base64('{"custom":{"a":"é"}}'))

        assert account.ports.calls[0][2] == '{"custom":{"a":"é"}}'

    play(scenario)


@pytest.mark.parametrize("given", ["???", "é", "e3?0=", in_base64("no json"), in_base64("[1]"), in_base64("{}")[:-1]])
def test_a_client_context_is_a_json_object_in_base64(play: Play, given: str) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal("Invoke", FunctionName="hello", ClientContext=given)

        message = "Client context must be a valid Base64-encoded JSON object."
        assert told(error) == ("InvalidRequestContentException", 400, message)

    play(scenario)


def test_a_client_context_has_at_most_3583_bytes_of_base64(play: Play) -> None:
    async def scenario(account: Account) -> None:
        # Base64 comes in fours: 3580 is the longest that fits.
        fits = in_base64('{"a":"' + "x" * (3580 // 4 * 3 - 8) + '"}')
        too_long = in_base64('{"a":"' + "x" * (3580 // 4 * 3 - 7) + '"}')
        assert len(fits) <= MAX_CLIENT_CONTEXT_BYTES < len(too_long)

        assert await invoke(account, ClientContext=fits)
        error = await account.refusal("Invoke", FunctionName="hello", ClientContext=too_long)

        assert "at most 3583" in error.message

    play(scenario)


def test_a_dry_run_runs_nothing(play: Play) -> None:
    async def scenario(account: Account) -> None:
        await account.a_function()

        assert await invoke(account, InvocationType="DryRun") == {"StatusCode": 204}
        error = await account.refusal("Invoke", FunctionName="hello:live", InvocationType="DryRun")

        assert told(error) == ("ResourceNotFoundException", 404, f"Function not found: {arn(qualifier='live')}")
        assert account.ports.calls == []

    play(scenario)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"DurableExecutionName": "d"}, "DurableExecutionName d is not supported by Headgate: leave it out"),
        ({"TenantId": "t"}, "TenantId t is not supported by Headgate: leave it out"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(play: Play, members: dict[str, Any], message: str) -> None:
    async def scenario(account: Account) -> None:
        error = await account.refusal("Invoke", FunctionName="hello", **members)

        assert told(error) == ("InvalidParameterValueException", 400, message)
        assert account.ports.calls == []

    play(scenario)


def test_an_event_is_kept_and_answered_with_the_id_of_its_call(play: Play) -> None:
    async def scenario(account: Account) -> None:
        answer = await invoke(
            account,
            InvocationType="Event",
            Payload=b"[1]",
            Qualifier="live",
            ClientContext=in_base64("{}"),
            LogType="Tail",
        )

        assert answer == {"StatusCode": 202, "RequestId": "event-1"}
        live = FunctionRef(account_id=ACCOUNT, region=REGION, name="hello", qualifier="live")
        assert account.ports.events == [(live, b"[1]", "{}")]
        assert account.ports.calls == []

    play(scenario)


def test_the_older_form_of_an_event_is_one_too(play: Play) -> None:
    async def scenario(account: Account) -> None:
        answer = await account.ask("InvokeAsync", FunctionName="hello", InvokeArgs=b"[1]")

        assert answer == {"Status": 202, "RequestId": "event-1"}
        assert account.ports.events[0][1] == b"[1]"

    play(scenario)


@pytest.mark.parametrize(
    ("operation", "members"),
    [("Invoke", {"InvocationType": "Event", "Payload": b""}), ("InvokeAsync", {"InvokeArgs": b""})],
)
def test_an_events_payload_has_at_most_1_mb_and_is_json(play: Play, operation: str, members: dict[str, Any]) -> None:
    async def scenario(account: Account) -> None:
        name = "Payload" if "Payload" in members else "InvokeArgs"
        fits = b'"' + b"x" * (MAX_EVENT_BYTES - 2) + b'"'

        assert await account.ask(operation, FunctionName="hello", **{**members, name: fits})
        too_large = await account.refusal(operation, FunctionName="hello", **{**members, name: fits + b" "})
        no_json = await account.refusal(operation, FunctionName="hello", **{**members, name: b"{"})

        message = "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
        assert told(too_large) == ("RequestTooLargeException", 413, message)
        assert no_json.code == "InvalidRequestContentException"
        assert len(account.ports.events) == 1

    play(scenario)
