import pytest
from botocore.exceptions import EndpointConnectionError, InvalidRegionError, NoCredentialsError, ProfileNotFound

from headgate.release.drivers.calls import calling
from headgate.release.failures import Refused, Unavailable


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidRegionError(region_name="no where!"), Refused),
        (ProfileNotFound(profile="typo"), Refused),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), Unavailable),
        (NoCredentialsError(), Unavailable),  # an instance's metadata may not answer for a moment
    ],
)
def test_what_no_second_try_can_help_is_refused_at_once(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected), calling("reading stage prod"):
        raise error
