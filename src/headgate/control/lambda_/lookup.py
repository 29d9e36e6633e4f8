"""Finding and keeping what Lambda's requests name, with the service's own words for what is not there."""

from headgate.control.context import Context
from headgate.control.lambda_.errors import alias_not_found, function_not_found
from headgate.control.lambda_.qualifiers import is_version
from headgate.model.arn import FunctionRef
from headgate.model.function import LATEST, Alias, FunctionRecord, FunctionVersion


def key_of(function: FunctionRef) -> tuple[str, str, str]:
    """What all documents of a function begin their key with."""
    return function.account_id, function.region, function.name


def find_function(context: Context, function: FunctionRef) -> FunctionRecord:
    record = context.tx.get(FunctionRecord, *key_of(function))
    if record is None:
        raise function_not_found(function)
    return record


def find_version(context: Context, function: FunctionRef) -> FunctionVersion:
    """What a reference stands for: unqualified it is $LATEST, and for an alias its first version."""
    qualifier = function.qualifier or LATEST
    if not is_version(qualifier):
        alias = context.tx.get(Alias, *key_of(function), qualifier)
        if alias is None:
            raise function_not_found(function)
        qualifier = alias.function_version
    version = context.tx.get(FunctionVersion, *key_of(function), qualifier)
    if version is None:
        raise function_not_found(function)
    return version


def find_alias(context: Context, function: FunctionRef) -> Alias:
    """The alias that the qualifier names."""
    alias = context.tx.get(Alias, *key_of(function), function.qualifier)
    if alias is None:
        raise alias_not_found(function)
    return alias


def check_qualifier(context: Context, function: FunctionRef) -> None:
    """Refuse a function, version or alias that is not there; an alias in an alias's words."""
    find_function(context, function.unqualified)
    if function.qualifier and not is_version(function.qualifier):
        find_alias(context, function)
    else:
        find_version(context, function)


def put_function(context: Context, record: FunctionRecord) -> None:
    context.tx.put(record, record.account_id, record.region, record.name)


def put_version(context: Context, version: FunctionVersion) -> None:
    context.tx.put(version, version.account_id, version.region, version.function_name, version.version)
