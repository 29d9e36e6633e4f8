"""The error a control-plane client is told of. A refusal of the data plane is another family: `dataplane.refusal`."""

from collections.abc import Mapping


class ApiError(Exception):
    """An error that the service models: code, HTTP status, message. The wire renders it in the protocol's shape.

    `fields` are further members of the error's shape, such as `Reason` or `Type`.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, *, fields: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields: Mapping[str, object] = fields or {}

    def __repr__(self) -> str:
        return f"{self.code} {self.status}: {self.message}"
