"""Event source mappings at work: messages of SQS queues, taken in batches to functions."""
