"""The wire, held against botocore: its serializers and parsers are the oracle of ours."""
