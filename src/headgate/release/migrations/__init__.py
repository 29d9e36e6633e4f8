"""Changes of a database schema as steps of a release: expand, then the release, then verify and contract."""
