"""Structures of the kernel's CEC interface, compared with the kernel's own file."""

import shutil
import subprocess
from pathlib import Path

import pytest

from conclave_hal.cec import abi
from conclave_hal.cec.abi import Capability, CecMessage, StateChange

HEADER = Path("/usr/include/linux/cec.h")
PROGRAM = """
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/cec.h>
int main(void) {
    struct cec_log_addrs ours;
    struct cec_msg msg;
    memset(&ours, 0, sizeof ours);
    ours.cec_version = CEC_OP_CEC_VERSION_1_4;
    ours.num_log_addrs = 1;
    strcpy(ours.osd_name, "Conclave");
    ours.primary_device_type[0] = CEC_OP_PRIM_DEVTYPE_PLAYBACK;
    ours.log_addr_type[0] = CEC_LOG_ADDR_TYPE_PLAYBACK;
    ours.all_device_types[0] = CEC_OP_ALL_DEVTYPE_PLAYBACK;
    memset(&msg, 0, sizeof msg);
    msg.len = 2; msg.timeout = 1000; msg.sequence = 7; msg.msg[0] = 0x40; msg.msg[1] = 0x8f;
    msg.reply = 0x90; msg.rx_status = 2; msg.tx_status = 1;
    printf("%zu %zu %zu %zu %lu %lu %lu %lu %lu\\n", sizeof(struct cec_caps), sizeof ours, sizeof msg,
           sizeof(struct cec_event), (unsigned long)CEC_ADAP_G_CAPS, (unsigned long)CEC_ADAP_S_LOG_ADDRS,
           (unsigned long)CEC_TRANSMIT, (unsigned long)CEC_RECEIVE, (unsigned long)CEC_DQEVENT);
    for (size_t i = 0; i < sizeof ours; i++) printf("%02x", ((unsigned char *)&ours)[i]);
    printf("\\n");
    for (size_t i = 0; i < sizeof msg; i++) printf("%02x", ((unsigned char *)&msg)[i]);
    printf("\\n");
}
"""
ASKED = CecMessage(b"\x40\x8f", reply=0x90, timeout_ms=1000, sequence=7, tx_status=1, rx_status=2)


@pytest.mark.skipif(
    not HEADER.exists() or shutil.which("gcc") is None, reason="no compiler or no kernel headers here"
)
def test_structures_and_requests_are_the_kernels(tmp_path: Path) -> None:
    source, program = tmp_path / "cec.c", tmp_path / "cec"
    source.write_text(PROGRAM)
    subprocess.run(["gcc", "-o", program, source], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    numbers, log_addrs, message = printed.splitlines()
    assert [int(word) for word in numbers.split()] == [
        abi.CAPS_BYTES, abi.LOG_ADDRS_BYTES, abi.MESSAGE_BYTES, abi.EVENT_BYTES,
        abi.G_CAPS, abi.S_LOG_ADDRS, abi.TRANSMIT, abi.RECEIVE, abi.DQEVENT,
    ]  # fmt: skip
    assert abi.pack_playback("Conclave").hex() == log_addrs
    assert ASKED.pack().hex() == message


def test_a_message_comes_back_as_it_was() -> None:
    assert CecMessage.unpack(ASKED.pack()) == ASKED


def test_a_change_of_state_comes_back_as_it_was() -> None:
    change = StateChange(0x1000, 1 << 4)
    assert abi.unpack_event(abi.pack_state_change(change)) == change
    assert abi.unpack_event(bytes(abi.EVENT_BYTES)) is None


def test_what_an_adapter_can_do_is_read() -> None:
    caps = abi.unpack_caps(abi.pack_caps("vivid", "vivid-000", Capability.TRANSMIT))
    assert (caps.driver, caps.name, caps.capabilities) == ("vivid", "vivid-000", Capability.TRANSMIT)
