"""The room's screen: everybody's picture, side by side on one glass.

    grid.py    where each picture goes
    screen.py  driver `pixels` of the slot screen: decodes, scales, puts the pictures on a glass

The glass is the panel's (`conclave_hal.pixels.glass`): a DRM dumb buffer, a framebuffer device, a file.
"""
