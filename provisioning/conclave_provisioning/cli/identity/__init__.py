"""`conclavectl identity`: a domain becomes the room's identity, by ACME or carried in by an admin.

`group` is the group, every other file some of its commands.
"""

from conclave_provisioning.cli.identity.group import identity

__all__ = ["identity"]
