"""What a crash of the daemon leaves behind."""

import subprocess
import sys

PROGRAM = """
import resource
from pathlib import Path
from conclaved.service.main import leave_no_core_dump

leave_no_core_dump()
print(resource.getrlimit(resource.RLIMIT_CORE), int(Path("/proc/self/coredump_filter").read_text(), 16))
"""


def test_no_core_dump_is_written_and_one_that_is_taken_all_the_same_has_no_memory_in_it() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "(0, 0) 0"
