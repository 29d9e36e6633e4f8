"""Finding what a request names, in the service's own words for what is not there (aws-recorded, Which 404)."""

from headgate.control.apigateway.errors import not_found
from headgate.control.context import Context
from headgate.model.deployment import Deployment
from headgate.model.rest_api import Integration, IntegrationResponse, Method, MethodResponse, Resource, RestApi
from headgate.model.stage import Stage


def find_api(context: Context, api_id: str) -> RestApi:
    api = context.tx.get(RestApi, context.scope.account_id, context.scope.region, api_id)
    if api is None:
        raise not_found(f"Invalid API identifier specified {context.scope.account_id}:{api_id}")
    return api


def find_resource(context: Context, api_id: str, resource_id: str) -> Resource:
    """Below an API an unknown API is an unknown resource."""
    api = context.tx.get(RestApi, context.scope.account_id, context.scope.region, api_id)
    resource = None if api is None else context.tx.get(Resource, api_id, resource_id)
    if resource is None:
        raise not_found("Invalid Resource identifier specified")
    return resource


def find_method(context: Context, api_id: str, resource_id: str, http_method: str) -> tuple[Resource, Method]:
    resource = find_resource(context, api_id, resource_id)
    method = resource.methods.get(http_method)
    if method is None:
        raise not_found("Invalid Method identifier specified")
    return resource, method


def find_integration(
    context: Context, api_id: str, resource_id: str, http_method: str
) -> tuple[Resource, Method, Integration]:
    resource, method = find_method(context, api_id, resource_id, http_method)
    if method.method_integration is None:
        raise not_found("Invalid Integration identifier specified")
    return resource, method, method.method_integration


def method_response_of(method: Method, status_code: str) -> MethodResponse:
    response = (method.method_responses or {}).get(status_code)
    if response is None:
        raise not_found("Invalid Response status code specified")
    return response


def integration_response_of(integration: Integration, status_code: str) -> IntegrationResponse:
    response = (integration.integration_responses or {}).get(status_code)
    if response is None:
        raise not_found("Invalid Response status code specified")
    return response


def find_deployment(context: Context, api_id: str, deployment_id: str) -> Deployment:
    find_api(context, api_id)
    deployment = context.tx.get(Deployment, api_id, deployment_id)
    if deployment is None:
        raise not_found("Invalid Deployment identifier specified")
    return deployment


def find_stage(context: Context, api_id: str, stage_name: str) -> Stage:
    find_api(context, api_id)
    stage = context.tx.get(Stage, api_id, stage_name)
    if stage is None:
        raise not_found("Invalid Stage identifier specified")
    return stage
