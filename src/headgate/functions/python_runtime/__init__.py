"""The program that runs Python functions. Its modules import only the standard library and each other, relatively:

they run in a process of their own, in which no package `headgate` is loaded and this one is called `python_runtime`.
`main` is the warmed parent; `serving` is an execution environment forked from it; `frames` is what both speak with the
server, and the one module that the server imports too.
"""
