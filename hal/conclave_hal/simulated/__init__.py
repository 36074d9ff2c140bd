"""The simulated room: every slot of a room without its hardware, on any computer.

Below the interfaces everything is real: H.264 and Opus are encoded and decoded, the panel is
drawn and pressed in a browser, and the two switches are moved by hand on that page.
"""
