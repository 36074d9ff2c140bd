"""The panel on pixels: from a view to what is on the glass, in five steps that know nothing of each other.

    words      what a view means, in four languages
    layout     view + what people have opened + the screen -> placed elements; pure, no pixels
    drawing    placed elements -> picture (Pillow), with the fonts' letters kept from one to the next
    screens    picture -> glass: DRM, framebuffer, or a PNG file
    navigation a touch or a button -> what is open now, and what the room is asked to do; pure

`pixel_panel` puts them together as the driver `pixels` of the slot `panel`.
"""
