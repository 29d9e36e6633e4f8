"""Where the counts of both sides come from."""
