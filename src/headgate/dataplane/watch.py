"""What an integration sent and received, kept where a log or a trace will tell of it; else there is no watch at all."""

from headgate.model.arn import FunctionRef


class Watch:
    """One integration's exchange with its backend. It keeps references and does no work."""

    __slots__ = (
        "function", "origin", "received_body", "received_headers", "request_id", "sent_body", "sent_head", "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self.function: FunctionRef | None = None  # that is called; None for HTTP
        self.origin = ""  # scheme, host and port of what is called; "" when nothing was sent
        self.sent_head = b""  # request line and header lines, each ending in CRLF
        self.sent_body = b""
        self.status = 0  # 0: there was no answer
        self.received_headers: list[tuple[bytes, bytes]] = []
        self.received_body = b""
        self.request_id = ""  # that the called service gave the call

    def __repr__(self) -> str:
        return f"<Watch of {self.origin or 'nothing'}, status {self.status}>"

    def sending(self, origin: str, head: bytes, body: bytes, function: FunctionRef | None = None) -> None:
        self.origin = origin
        self.sent_head = head
        self.sent_body = body
        self.function = function

    def received(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, request_id: str = "") -> None:
        self.status = status
        self.received_headers = headers
        self.received_body = body
        self.request_id = request_id

    @property
    def method(self) -> str:
        return self.sent_head.partition(b" ")[0].decode("latin-1")

    @property
    def uri(self) -> str:
        """What was called, whole."""
        return self.origin + self.sent_head.partition(b" ")[2].partition(b" ")[0].decode("latin-1")
