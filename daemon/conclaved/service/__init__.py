"""The daemon itself, `conclaved`: configuration to objects, objects to a running room.

`main` is the composition root. `room` is what D-Bus and panel see; `enrolling` and `meeting_runner`
are the two things a room can be busy with; `config`, `hardware` and `notify` are its edges.
"""

from conclaved.service.main import main

__all__ = ["main"]
