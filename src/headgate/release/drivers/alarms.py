"""The CloudWatch alarms that must stay OK."""

from collections.abc import Sequence

from headgate.release.drivers.calls import Clients, calling


def alarm_states(clients: Clients, names: Sequence[str]) -> dict[str, str]:
    """OK, ALARM or INSUFFICIENT_DATA by name; one that is not there is left out."""
    if not names:
        return {}
    with calling("reading alarms"):
        answer = clients.client("cloudwatch").describe_alarms(
            AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    return {each["AlarmName"]: each["StateValue"] for each in found}


def alarm_problems(clients: Clients, names: Sequence[str]) -> list[str]:
    """An alarm must be there and OK before the start: one that is not cannot tell anything of the release."""
    states = alarm_states(clients, names)
    return [
        f"alarm {name} is {states[name]}, and must be OK" if name in states else f"there is no alarm {name}"
        for name in names
        if states.get(name) != "OK"
    ]
