"""The codec that both sides share."""

import pytest

from headgate.functions.python_runtime import frames


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_frames_survive_being_cut_anywhere(size: int) -> None:
    sent = [(1, b""), (2, b"x"), (3, b"y" * 300), (4, b"")]
    stream = b"".join(frames.frame(kind, payload) for kind, payload in sent)
    reader = frames.FrameReader()

    received = [frame for at in range(0, len(stream), size) for frame in reader.feed(stream[at : at + size])]

    assert received == sent


def test_a_frame_above_the_limit_is_refused_by_its_head() -> None:
    reader = frames.FrameReader(limit_bytes=10)

    assert reader.feed(frames.frame(1, b"x" * 10)) == [(1, b"x" * 10)]
    with pytest.raises(frames.FrameError, match="11 bytes"):
        reader.feed(frames.HEAD.pack(11, 1))


def test_a_whole_frame_above_the_limit_is_refused_too() -> None:
    with pytest.raises(frames.FrameError):
        frames.FrameReader(limit_bytes=10).feed(frames.frame(1, b"x" * 11))


def test_a_call_comes_back_as_it_was_given() -> None:
    given = (7, 123_456_789, "id-é", "arn:…:fn", "Root=1", '{"custom":{"ü":1}}', b'{"a":1}')

    [(kind, payload)] = frames.FrameReader().feed(frames.call_frame(*given))

    assert kind == frames.CALL
    assert frames.parse_call(payload) == given


def test_an_answer_has_its_call_s_number_and_the_peak_memory() -> None:
    message = frames.answer_frame(frames.ERROR, 7, 2048, True, b"{}")

    [(kind, payload)] = frames.FrameReader().feed(message)

    assert kind == frames.ERROR
    assert frames.ANSWER_HEAD.unpack_from(payload) == (7, 2048, 1)
    assert payload[frames.ANSWER_HEAD.size :] == b"{}"
