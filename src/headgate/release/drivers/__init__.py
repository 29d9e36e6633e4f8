"""How each strategy reads and moves one region: through the operations that a person would call, by boto3."""
