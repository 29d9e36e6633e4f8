"""Bytes to typed operations and back, driven by the service models: the edge of the control plane.

`router` finds the operation, `services` parses and serializes it, `errors` says what went wrong; `patch` and `paging`
are the two habits of the control plane's operations that belong to the wire.
"""
