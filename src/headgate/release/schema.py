"""The JSON Schema of release files, for editors and CI. `tools/make_release_schema.py` makes it from the types."""

from importlib.resources import files


def schema() -> bytes:
    return files("headgate.release").joinpath("schema.json").read_bytes()
