"""Delivery services: they carry a meeting's messages and media, and are believed in nothing.

`base` is what a meeting needs of one; `hub` is the embedded service, `hub_client` a device's
connection to it, `wire` the messages between the two, `relay` the hub's way of media.
"""
