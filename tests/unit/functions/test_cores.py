"""When another execution environment would only take time from those that work."""

import pytest

from headgate.functions.cores import Cores


class Machine:
    """A clock, and a server that uses a share of one core."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.used_s = 5.0

    def passes(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.used_s += seconds * share


def looked_at(machine: Machine, count: int) -> Cores:
    cores = Cores(count, lambda: machine.now, lambda: machine.used_s)
    cores.taken([])
    return cores


@pytest.mark.parametrize(
    ("share", "at_work", "taken"),
    [
        pytest.param(0.1, [True, False], False, id="one works and the server hardly does"),
        pytest.param(0.1, [True, True], True, id="as many work as there are cores"),
        pytest.param(0.5, [True, False], False, id="half a core is left"),
        pytest.param(0.9, [False, False], True, id="the server is what calls wait for"),
        pytest.param(0.1, [False, False], False, id="all wait for something else"),
    ],
)
def test_cores_are_taken_by_environments_that_work_and_by_the_server(
    share: float, at_work: list[bool], taken: bool
) -> None:
    machine = Machine()
    cores = looked_at(machine, 2)
    machine.passes(0.01, share)

    assert cores.taken(at_work) is taken


def test_what_the_server_did_before_a_pause_does_not_count() -> None:
    machine = Machine()
    cores = looked_at(machine, 2)
    machine.passes(10.0, 1.0)

    assert not cores.taken([False])


def test_a_look_right_after_another_goes_by_that_one() -> None:
    machine = Machine()
    cores = looked_at(machine, 2)
    machine.passes(0.01, 1.0)
    assert cores.taken([])
    machine.passes(0.001, 0.0)

    assert cores.taken([])
