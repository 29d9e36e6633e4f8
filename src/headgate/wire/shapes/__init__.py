"""The services' structures as TypedDicts, for the type checker only: `if TYPE_CHECKING: from headgate.wire.shapes...`.

The modules here are stubs, generated from the service models by tools/make_models.py.
"""
