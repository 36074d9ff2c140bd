"""`conclavectl meeting`: invite, join, look who is there, decide who may, leave; and the signed record of it.

`group` is the group, every other file some of its commands.
"""

from conclave_provisioning.cli.meeting.group import meeting

__all__ = ["meeting"]
