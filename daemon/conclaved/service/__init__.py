"""The daemon itself, `conclaved`: configuration to objects, objects to a running room.

`main` is the composition root. `room` is what D-Bus and panel see; `enrolling` and `attending` are
the two things a room can be busy with, and `meeting_runner` is one meeting of the latter; `config`,
`hardware` and `notify` are its edges. It starts in `__main__`.
"""
