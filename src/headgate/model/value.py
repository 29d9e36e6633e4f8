"""The base of all values: frozen, compared by content, and known to the codec by its fields."""

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable value. Change is `msgspec.structs.replace`.

    A subclass with `rename="camel"` (API Gateway) or `rename="pascal"` (Lambda) carries the wire's names beside its
    own, so that one definition serves the store, the control plane's answers and the type checker.
    """
