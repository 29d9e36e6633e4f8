"""Function URLs: a function answers HTTP by itself, without an API before it."""
