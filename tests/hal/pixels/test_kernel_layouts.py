"""Structures and request numbers against the kernel's own headers, compiled here."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from conclave_hal.pixels import drm, fbdev_glass, touch, touch_reader

HEADERS = next((p for p in (Path("/usr/include/drm"), Path("/usr/include/libdrm")) if p.is_dir()), None)

STRUCTS: dict[str, type[ctypes.Structure]] = {
    "drm_mode_modeinfo": drm.ModeInfo,
    "drm_mode_card_res": drm.CardResources,
    "drm_mode_crtc": drm.Crtc,
    "drm_mode_get_encoder": drm.Encoder,
    "drm_mode_get_connector": drm.Connector,
    "drm_mode_fb_cmd": drm.Framebuffer,
    "drm_mode_create_dumb": drm.CreateDumb,
    "drm_mode_map_dumb": drm.MapDumb,
    "drm_mode_destroy_dumb": drm.DestroyDumb,
    "drm_mode_fb_dirty_cmd": drm.DirtyFramebuffer,
    "drm_get_cap": drm.Capability,
    "fb_bitfield": fbdev_glass.Bitfield,
    "fb_var_screeninfo": fbdev_glass.VariableInfo,
    "fb_fix_screeninfo": fbdev_glass.FixedInfo,
}
NUMBERS = {
    "DRM_IOCTL_GET_CAP": drm.GET_CAP,
    "DRM_IOCTL_SET_MASTER": drm.SET_MASTER,
    "DRM_IOCTL_DROP_MASTER": drm.DROP_MASTER,
    "DRM_IOCTL_MODE_GETRESOURCES": drm.GET_RESOURCES,
    "DRM_IOCTL_MODE_GETCRTC": drm.GET_CRTC,
    "DRM_IOCTL_MODE_SETCRTC": drm.SET_CRTC,
    "DRM_IOCTL_MODE_GETENCODER": drm.GET_ENCODER,
    "DRM_IOCTL_MODE_GETCONNECTOR": drm.GET_CONNECTOR,
    "DRM_IOCTL_MODE_ADDFB": drm.ADD_FB,
    "DRM_IOCTL_MODE_RMFB": drm.REMOVE_FB,
    "DRM_IOCTL_MODE_DIRTYFB": drm.DIRTY_FB,
    "DRM_IOCTL_MODE_CREATE_DUMB": drm.CREATE_DUMB,
    "DRM_IOCTL_MODE_MAP_DUMB": drm.MAP_DUMB,
    "DRM_IOCTL_MODE_DESTROY_DUMB": drm.DESTROY_DUMB,
    "DRM_MODE_TYPE_PREFERRED": drm.PREFERRED,
    "DRM_CAP_DUMB_BUFFER": drm.CAP_DUMB_BUFFER,
    "FBIOGET_VSCREENINFO": fbdev_glass.GET_VARIABLE,
    "FBIOGET_FSCREENINFO": fbdev_glass.GET_FIXED,
    "EVIOCGABS(ABS_MT_POSITION_X)": touch_reader.get_abs(touch.ABS_MT_POSITION_X),
    "EV_ABS": touch.EV_ABS,
    "SYN_MT_REPORT": touch.SYN_MT_REPORT,
    "BTN_LEFT": touch.BTN_LEFT,
    "BTN_TOUCH": touch.BTN_TOUCH,
    "ABS_MT_SLOT": touch.ABS_MT_SLOT,
    "ABS_MT_POSITION_Y": touch.ABS_MT_POSITION_Y,
    "ABS_MT_TRACKING_ID": touch.ABS_MT_TRACKING_ID,
}


def expected() -> dict[str, int]:
    found = dict(NUMBERS)
    for name, struct in STRUCTS.items():
        found[f"sizeof(struct {name})"] = ctypes.sizeof(struct)
        for field, *_ in struct._fields_:
            found[f"offsetof(struct {name}, {field})"] = getattr(struct, field).offset
    return found


@pytest.mark.skipif(
    shutil.which("gcc") is None or HEADERS is None, reason="needs gcc, libc6-dev and libdrm-dev"
)
def test_they_are_as_the_compiler_sees_them(tmp_path: Path) -> None:
    names = list(expected())
    lines = "\n".join(f'  printf("%lld\\n", (long long)({name}));' for name in names)
    source = tmp_path / "layouts.c"
    source.write_text(
        "#include <stdio.h>\n#include <stddef.h>\n#include <sys/ioctl.h>\n#include <drm.h>\n"
        "#include <drm_mode.h>\n#include <linux/fb.h>\n#include <linux/input.h>\n"
        f"int main(void) {{\n{lines}\n  return 0;\n}}\n"
    )
    program = tmp_path / "layouts"
    subprocess.run(["gcc", f"-I{HEADERS}", "-o", program, source], check=True, timeout=60)
    said = subprocess.run([program], check=True, timeout=10, capture_output=True, text=True).stdout.split()
    assert dict(zip(names, map(int, said), strict=True)) == expected()
