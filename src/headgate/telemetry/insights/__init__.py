"""Logs Insights: the query language (user guide, "CloudWatch Logs Insights query syntax") and what runs it.

A query runs in a process of its own (`worker`): it can take its time and memory, hold no lock of the server's, and be
ended at once.
"""
