"""One target under atheris, until libFuzzer's flags say stop: `python -m tests.fuzz.run NAME FLAGS CORPUS`.

Without flags and with one file it replays that. Needs the fuzzer's folder on PYTHONPATH; see `make fuzz`.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def fuzz(name: str, arguments: list[str]) -> None:
    """Does not return: libFuzzer ends the process."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["conclaved.mls"]):
        targets = import_module("tests.fuzz.targets")
    crypto = import_module("tests.fuzz.transparent_crypto")
    with crypto.transparent():
        target = targets.TARGETS[name]()

        def one_input(data: bytes) -> None:
            target.run(data)

        atheris.Setup([sys.argv[0], *arguments], one_input)
        atheris.Fuzz()


def replay(name: str, path: Path) -> None:
    """Raises what the input raised when it was found; without the fuzzer."""
    targets = import_module("tests.fuzz.targets")
    crypto = import_module("tests.fuzz.transparent_crypto")
    with crypto.transparent():
        targets.TARGETS[name]().run(path.read_bytes())


if __name__ == "__main__":
    fuzz(sys.argv[1], sys.argv[2:])
