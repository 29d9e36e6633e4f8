"""Following a function's log."""

import asyncio

from headgate.telemetry.log_tail import MAX_GROUPS, MAX_LINES, Followed, LogTail


class _Files:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None:
        self.lines += lines


def _tail() -> tuple[LogTail, _Files]:
    files = _Files()
    return LogTail(files), files


def _write(tail: LogTail, *lines: str, group: str = "g") -> None:
    for line in lines:
        tail.write(group, "stream", 0, line)


def test_lines_go_on_to_the_files_and_from_the_first_question_on_to_whoever_asks() -> None:
    async def story() -> None:
        tail, files = _tail()
        _write(tail, "before")

        begun = await tail.follow("g", None, 0)
        _write(tail, "one", "two")
        _write(tail, "another's", group="other")

        assert begun == Followed(lines=(), next=0)
        assert await tail.follow("g", 0, 0) == Followed(lines=("one", "two"), next=2)
        assert await tail.follow("g", 1, 0) == Followed(lines=("two",), next=2)
        assert files.lines == ["before", "one", "two", "another's"]

    asyncio.run(story())


def test_a_question_waits_for_the_next_line() -> None:
    async def story() -> None:
        tail, _ = _tail()
        await tail.follow("g", None, 0)
        asking = asyncio.ensure_future(tail.follow("g", 0, 60))
        await asyncio.sleep(0)

        _write(tail, "came")

        assert await asking == Followed(lines=("came",), next=1)

    asyncio.run(story())


def test_at_the_end_nobody_waits_any_longer() -> None:
    async def story() -> None:
        tail, _ = _tail()
        await tail.follow("g", None, 0)
        asking = asyncio.ensure_future(tail.follow("g", 0, 60))
        await asyncio.sleep(0)

        tail.close()

        assert await asking == await tail.follow("g", 0, 60) == Followed(lines=(), next=0)

    asyncio.run(story())


def test_a_place_that_is_not_known_is_now() -> None:
    async def story() -> None:
        tail, _ = _tail()

        assert await tail.follow("g", 17, 60) == Followed(lines=(), next=0)

    asyncio.run(story())


def test_lines_and_groups_are_bounded_and_the_oldest_go() -> None:
    async def story() -> None:
        tail, _ = _tail()
        await tail.follow("g", None, 0)
        _write(tail, *(str(number) for number in range(MAX_LINES + 5)))

        found = await tail.follow("g", 0, 0)

        assert (len(found.lines), found.lines[0], found.next) == (MAX_LINES, "5", MAX_LINES + 5)
        for number in range(MAX_GROUPS):
            await tail.follow(f"group {number}", None, 0)
        assert await tail.follow("g", MAX_LINES + 5, 0) == Followed(lines=(), next=0)

    asyncio.run(story())
