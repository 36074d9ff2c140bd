"""VISCA, the protocol of conference cameras, over a serial wire or UDP.

    packet      bytes <-> packets: header, message, terminator
    replies     what a camera says: acknowledged, completed, an answer, an error, the chain has changed
    commands    what is said to a camera, as values
    inquiries   what is asked of it, with what its answers mean
    link        who may speak when: addresses, sockets, deadlines; no I/O and no clock
    link_events what goes into a link and comes out of it
    over_ip     Sony's header around a packet in a datagram
    transport   the serial port and the UDP socket under a link
    client      a link on the event loop: `execute` a command, `ask` an inquiry
    survey      what a camera can do, found by asking it
    camera_control  the driver `visca`

Sources are Sony's manuals of the EVI-D100, EVI-H100, SRG-300H and BRC-300; where they say nothing, the
comment says what was chosen.
"""
