"""The D-Bus API of the room: `org.conclave.Room1` on the system bus.

`room` says what the API needs from the service, `connection` hides the D-Bus library,
`org.conclave.Room1.xml` is the interface's source, and `interfaces` serves it.
"""
