"""What is well and what is not: each thing that an enrollment or a meeting needs, looked at now.

A check is a function of `Surroundings` to an `Outcome`; `CHECKS` lists them in the order in which they are
shown. They run at once, each with a deadline, and change nothing. A check that cannot tell says *unknown*,
which is never taken for well.
"""

from conclaved.service.doctor.check import CheckState, Outcome, Surroundings
from conclaved.service.doctor.examination import CHECKS, examine

__all__ = ["CHECKS", "CheckState", "Outcome", "Surroundings", "examine"]
