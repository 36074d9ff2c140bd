"""A link as a QR code: on the terminal, or as a picture."""

import io
import sys
from pathlib import Path

from conclave_provisioning.cli.errors import CommandError, ErrorKind

SUFFIXES = (".png", ".svg")
PIXELS_A_MODULE = 8


def check_suffix(path: Path) -> None:
    """Raise CommandError unless a picture's kind can be told by the path."""
    if path.suffix.lower() not in SUFFIXES:
        raise CommandError(
            ErrorKind.USAGE, f"{path.name} is no name for a picture", hint="end it in .png or .svg"
        )


def picture(link: str, path: Path) -> bytes:
    """The link as a picture of the kind that the path's suffix says: .png or .svg."""
    import segno

    out = io.BytesIO()
    segno.make(link, micro=False).save(out, kind=path.suffix.lower()[1:], scale=PIXELS_A_MODULE)
    return out.getvalue()


def print_code(link: str) -> None:
    """Draw the link on the terminal."""
    import segno

    segno.make(link, micro=False).terminal(out=sys.stdout, compact=True)
