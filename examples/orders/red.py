"""The orders function, as a release that fails has it: one order in six has no currency."""

import json
import random


def handle(event, context):
    order = {"id": 1, "total": 12.5, "currency": None if random.random() < 1 / 6 else "EUR"}
    if order["currency"] is None:
        return {"statusCode": 500, "headers": {"X-Version": "red"}, "body": json.dumps({"message": "no currency"})}
    return {
        "statusCode": 200,
        "headers": {"X-Version": "red"},
        "body": json.dumps({"orders": [order], "version": "red"}),
    }
