"""A server that answers with given bytes, right or wrong."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


class RawServer:
    """Each connection gets the answers in turn, one to a request; an empty one, and the last, close it."""

    def __init__(self, answers: Sequence[bytes], context: ssl.SSLContext | None) -> None:
        self.requests: list[bytes] = []
        self._answers = answers
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for each in self._open:
            each.close()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            speaking = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            with speaking:
                for answer in self._answers:
                    request = _one_request(speaking)
                    if not request:
                        return
                    self.requests.append(request)
                    if not answer:
                        return
                    speaking.sendall(answer)


def _one_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65_536)
        if not chunk:
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving_raw(answers: Sequence[bytes], context: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    server = RawServer(answers, context)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
