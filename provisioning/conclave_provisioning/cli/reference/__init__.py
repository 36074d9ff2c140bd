"""What is published about `conclavectl`: manual pages, and a JSON Schema of each answer.

Both are made from the commands themselves and from `answers`; `python -m conclave_provisioning.cli.reference`
writes them. No command needs this package.
"""

from conclave_provisioning.cli.reference.answers import ANSWERS, ERROR
from conclave_provisioning.cli.reference.commands import leaves
from conclave_provisioning.cli.reference.manual import pages
from conclave_provisioning.cli.reference.schema import schemas

__all__ = ["ANSWERS", "ERROR", "leaves", "pages", "schemas"]
