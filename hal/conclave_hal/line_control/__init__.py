"""A room controller on a serial port, line by line.

    > login SECRET
    OK
    > status meeting
    *s meeting/lock: locked
    *s meeting/state: in_meeting
    ** end
    OK
    > feedback on microphone
    OK
    *s microphone/muted: true
    ** end
    > command mute-camera
    OK

`lines` finds lines in bytes, `session` is the conversation without I/O, `guard` counts wrong passwords,
`password` makes and checks their hashes, and `driver` puts it all on a port. What a controller may know and
ask for is the daemon's matter.
"""
