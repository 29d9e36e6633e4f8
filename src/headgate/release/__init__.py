"""Releases: what a file asks for as steps, what to do next, and the loop that carries it out."""
