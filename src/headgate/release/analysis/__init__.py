"""The statistics of a release: what was counted on both sides (`looks`), what that is worth as evidence (`e_process`,
`evidence`), the verdict (`evidence.assess`), and what a plan can find out before it starts (`planning`).

Pure functions of counts, without a clock and without a library: docs/statistics.md explains them to its readers.
"""
