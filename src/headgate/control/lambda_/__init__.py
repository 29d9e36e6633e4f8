"""Lambda's operations, by name. One that is not here is answered as unsupported."""

from typing import Final

from headgate.control.context import Act, OperationTable, Read, Write
from headgate.control.lambda_ import aliases, code, configuration, functions, invoke, policy, standing, tags, versions

OPERATIONS: Final[OperationTable] = {
    "CreateFunction": Act(functions.create_function),
    "GetFunction": Read(functions.get_function),
    "GetFunctionConfiguration": Read(functions.get_function_configuration),
    "ListFunctions": Read(functions.list_functions),
    "DeleteFunction": Write(functions.delete_function),
    "UpdateFunctionCode": Act(code.update_function_code),
    "UpdateFunctionConfiguration": Act(configuration.update_function_configuration),
    "PublishVersion": Write(versions.publish_version),
    "ListVersionsByFunction": Read(versions.list_versions_by_function),
    "CreateAlias": Write(aliases.create_alias),
    "GetAlias": Read(aliases.get_alias),
    "ListAliases": Read(aliases.list_aliases),
    "UpdateAlias": Write(aliases.update_alias),
    "DeleteAlias": Write(aliases.delete_alias),
    "AddPermission": Write(policy.add_permission),
    "RemovePermission": Write(policy.remove_permission),
    "GetPolicy": Read(policy.get_policy),
    "Invoke": Act(invoke.invoke),
    "ListTags": Read(tags.list_tags),
    "TagResource": Write(tags.tag_resource),
    "UntagResource": Write(tags.untag_resource),
    "GetAccountSettings": Read(standing.get_account_settings),
    "GetFunctionConcurrency": Read(standing.get_function_concurrency),
    "GetFunctionCodeSigningConfig": Read(standing.get_function_code_signing_config),
    "GetRuntimeManagementConfig": Read(standing.get_runtime_management_config),
}
