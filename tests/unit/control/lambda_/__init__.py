"""Lambda's operations over a real store."""
