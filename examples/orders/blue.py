"""The orders function, as it is in production."""

import json


def handle(event, context):
    return {
        "statusCode": 200,
        "headers": {"X-Version": "blue"},
        "body": json.dumps({"orders": [{"id": 1, "total": 12.5}], "version": "blue"}),
    }
