"""Checks of the world that a release must pass: requests, commands, functions, webhooks, load."""
