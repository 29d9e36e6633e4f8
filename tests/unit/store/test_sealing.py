"""Sealing: what goes into a document, and what comes out of it."""

import pytest
from cryptography.exceptions import InvalidTag

from headgate.model.function import Environment, FunctionVersion
from headgate.store.sealing import Sealed


def _version(variables: dict[str, str]) -> FunctionVersion:
    return FunctionVersion(
        function_name="f",
        function_arn="arn",
        version="1",
        runtime="python3.13",
        role="role",
        handler="h.h",
        code_size=1,
        last_modified="",
        revision_id="r",
        account_id="a",
        region="r",
        environment=Environment(variables=variables),
    )


def test_what_was_sealed_is_unsealed_under_the_same_key_of_its_document() -> None:
    version = _version({"A1": "secret"})
    sealing = Sealed(b"k" * 32)

    sealed = sealing.seal(version, "a/r/f/1")

    assert "secret" not in repr(sealed)
    assert sealing.seal(version, "a/r/f/1") != sealed  # another nonce
    assert sealing.unseal(sealed, "a/r/f/1") == version


def test_a_ciphertext_cannot_be_put_into_another_document() -> None:
    sealing = Sealed(b"k" * 32)
    sealed = sealing.seal(_version({"A1": "secret"}), "a/r/f/1")

    with pytest.raises(InvalidTag):
        sealing.unseal(sealed, "a/r/g/1")


def test_what_is_plain_is_read_as_it_is() -> None:
    version = _version({"A1": "old"})

    assert Sealed(b"k" * 32).unseal(version, "a/r/f/1") == version


def test_its_repr_does_not_show_the_key() -> None:
    assert "k" not in repr(Sealed(b"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"))
