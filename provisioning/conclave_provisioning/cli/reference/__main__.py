"""Writes the manual pages and the schemas.

python -m conclave_provisioning.cli.reference --man DIR --schema DIR
"""

import argparse
from pathlib import Path

from conclave_provisioning.cli.reference import pages, schemas


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="reference", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--man", type=Path, help="where manual pages go")
    parser.add_argument("--schema", type=Path, help="where JSON Schemas go")
    arguments = parser.parse_args()
    for folder, files in ((arguments.man, pages), (arguments.schema, schemas)):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files().items():
                (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
