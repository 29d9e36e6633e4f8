"""Headgate: an API gateway with stages, immutable deployments and releases that decide on evidence."""

from typing import Final

__version__: Final = "0.1.0"
