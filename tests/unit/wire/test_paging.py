"""Pages of lists that change meanwhile."""

import pytest

from headgate.model.errors import ApiError
from headgate.wire.paging import Key, page, page_by_marker

NAMES = [f"item-{number:04}" for number in range(60)]


def itself(name: str) -> str:
    return name


def test_pages_hold_twenty_five_unless_asked() -> None:
    first, position = page(NAMES, None, None, itself)
    second, position = page(NAMES, None, position, itself)
    third, end = page(NAMES, None, position, itself)

    assert [len(first), len(second), len(third)] == [25, 25, 10]
    assert first + second + third == NAMES
    assert end is None


@pytest.mark.parametrize(("limit", "size"), [(1, 1), (500, 500), (501, 500), (0, 25), (-1, 25), (None, 25)], ids=str)
def test_a_limit_is_kept_within_its_bounds(limit: int | None, size: int) -> None:
    assert len(page([str(n) for n in range(1000)], limit, None, itself)[0]) == size


def test_a_page_that_ends_with_the_list_is_the_last() -> None:
    assert page(NAMES[:25], 25, None, itself) == (NAMES[:25], None)
    assert page([], 25, None, itself) == ([], None)


def test_neither_an_insertion_nor_a_removal_repeats_or_loses_an_item() -> None:
    first, position = page(NAMES, 10, None, itself)
    changed = sorted([*NAMES, "item-0000-new", "item-0010-new"])
    changed.remove(first[-1])

    second, _ = page(changed, 10, position, itself)

    assert second == ["item-0010", "item-0010-new", *NAMES[11:19]]


def test_items_come_in_the_order_of_their_keys_which_may_be_rows() -> None:
    made = [(1.5, "a"), (3.0, "b"), (2.0, "c")]

    def newest_first(item: tuple[float, str]) -> Key:
        return (-item[0], item[1])

    first, position = page(made, 2, None, newest_first)

    assert first == [(3.0, "b"), (2.0, "c")]
    assert page(made, 2, position, newest_first) == ([(1.5, "a")], None)


@pytest.mark.parametrize("position", ["!", "abc", "bnVsbA", "e30", "MQ", "WzFd", "W10", "W1tdXQ", "é", "\ud800", "eA"])
def test_a_position_that_is_none_of_ours_is_refused(position: str) -> None:
    with pytest.raises(ApiError) as refused:
        page(NAMES, 10, position, itself)

    assert (refused.value.code, refused.value.status) == ("BadRequestException", 400)


def test_a_marker_pages_by_fifty_whatever_was_asked() -> None:
    first, marker = page_by_marker(NAMES, 10_000, None, itself)

    assert first == NAMES[:50]
    assert page_by_marker(NAMES, None, marker, itself) == (NAMES[50:], None)


def test_a_marker_that_is_none_of_ours_is_refused_in_lambda_s_words() -> None:
    with pytest.raises(ApiError) as refused:
        page_by_marker(NAMES, 10, "nonsense", itself)

    assert refused.value.code == "InvalidParameterValueException"
