"""HDMI-CEC by the kernel's own interface, `/dev/cec*`: `abi` its structures, `adapter` an open node on the
event loop, and `display` the driver `cec`.
"""
