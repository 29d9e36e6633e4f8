"""The limit on open files."""

import resource
from collections.abc import Iterator

import pytest

from headgate.server.descriptors import MOST, allow_many


@pytest.fixture
def hard() -> Iterator[int]:
    """The hard limit; the soft one is as it was after the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_becomes_what_the_hard_one_allows_within_reason(hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))

    allowed = allow_many()

    assert allowed == (MOST if hard == resource.RLIM_INFINITY else min(MOST, hard))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (allowed, hard)


def test_a_limit_that_is_as_high_already_stays(hard: int) -> None:
    allowed = allow_many()

    assert allow_many() == allowed
