"""What the gateway itself answers: a refusal as bytes, with the built-in template of its type (aws-semantics 10.1)."""

import orjson

from headgate.dataplane.refusal import Refusal
from headgate.dataplane.request import Ids
from headgate.model.call import Response


def gateway_response(refusal: Refusal, ids: Ids) -> Response:
    # A 5xx has a blank after the colon and a 4xx none: the service's own texts (aws-semantics 3.2 and 3.5).
    message = orjson.dumps(refusal.text)
    separator = b": " if refusal.status in {500, 502} else b":"
    return Response(
        refusal.status,
        [
            (b"x-amzn-RequestId", ids.request_id.encode()),
            (b"x-amz-apigw-id", ids.extended_id.encode()),
            (b"x-amzn-ErrorType", refusal.error_type.encode()),
            (b"Content-Type", b"application/json"),
        ],
        b'{"message"' + separator + message + b"}",
    )
