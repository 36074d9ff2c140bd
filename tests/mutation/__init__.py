"""Deliberate bugs, one at a time: does anything notice?

`mutants` is the list. `python -m tests.mutation` (`make mutants`) puts each of them into a copy of the
daemon, runs what should notice, and fails if nothing does.
"""
