"""Video4Linux cameras: pictures, lens shutter and camera controls of a `/dev/video*` node.

    abi.py             structures and numbers of <linux/videodev2.h>
    node.py            an open node: what it can do, its formats, controls and events
    modes.py           which of its formats is the best one for a meeting
    capture.py         pictures of the node, through FFmpeg, in a thread
    camera.py          driver `v4l2` of the slot camera
    privacy_switch.py  driver `v4l2` of the slot privacy_switch (V4L2_CID_PRIVACY)
    camera_control.py  driver `v4l2` of the slot camera_control (pan, tilt, zoom, focus, exposure)

Name a node by `/dev/v4l/by-path/...`: numbers change with the order of plugging in.
"""
