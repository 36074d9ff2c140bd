"""A story with the machine in it: an admin provisions it, it is asked into a meeting, people there unmute it.

Each part is told once for all tests, which then look at what was seen.
"""
