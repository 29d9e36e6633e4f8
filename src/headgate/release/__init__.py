"""Releases: what a file asks for as steps, what to do next, and the loop that carries it out.

`decide.decide` is the heart: a pure function of the journal's fold, of what is seen, and of the time.
"""
