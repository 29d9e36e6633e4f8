"""A deployment: a frozen definition of an API. Once made it never changes, save for its description."""

from collections.abc import Mapping

from headgate.model.ids import DeploymentId, RestApiId
from headgate.model.rest_api import Resource, RestApi
from headgate.model.value import Value


class MethodSummary(Value, frozen=True, rename="camel"):
    authorization_type: str
    api_key_required: bool


class Deployment(Value, frozen=True, rename="camel"):
    """What a list of deployments shows. `sequence` orders them: two may share a second."""

    id: DeploymentId
    created_date: float  # seconds since the epoch
    sequence: int
    description: str | None = None
    api_summary: Mapping[str, Mapping[str, MethodSummary]] = {}


class Definition(Value, frozen=True):
    """What a deployment serves: the API's settings and its resources at the moment it was made.

    The list of what is frozen and what stays live is aws-semantics 2.2.
    """

    rest_api_id: RestApiId
    deployment_id: DeploymentId
    rest_api: RestApi
    resources: tuple[Resource, ...]
