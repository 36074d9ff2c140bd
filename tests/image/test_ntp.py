import socket
import struct

from tests.image.ntp import NtpServer, answer, timestamp

NOW = 1_800_000_000.25
ASKED_AT = bytes(range(1, 9))


def _request(first: int = 4 << 3 | 3) -> bytes:
    return bytes([first]) + bytes(39) + ASKED_AT


def _received(packet: bytes | None) -> bytes:
    assert packet is not None
    return packet


def test_an_answer_is_a_servers_of_the_version_that_was_asked_in() -> None:
    assert _received(answer(_request(3 << 3 | 3), NOW))[0] == 3 << 3 | 4


def test_an_answer_carries_back_when_it_was_asked_for() -> None:
    assert _received(answer(_request(), NOW))[24:32] == ASKED_AT


def test_an_answer_tells_the_time_in_seconds_since_1900() -> None:
    seconds, fraction = struct.unpack("!II", _received(answer(_request(), NOW))[40:48])
    assert (seconds, fraction) == (1_800_000_000 + 2_208_988_800, 2**30)


def test_the_epoch_is_the_time_that_the_standard_lists_for_it() -> None:
    # RFC 5905, figure 4: 1 January 1970 is 2,208,988,800 seconds into the first era.
    assert timestamp(0) == bytes.fromhex("83aa7e8000000000")


def test_what_is_no_clients_request_is_not_answered() -> None:
    assert answer(_request(4 << 3 | 4), NOW) is None
    assert answer(_request(2 << 3 | 3), NOW) is None
    assert answer(_request()[:47], NOW) is None


def test_a_server_is_as_wrong_as_it_is_told_to_be() -> None:
    with NtpServer(port=0) as right, NtpServer(port=0) as wrong:
        wrong.offset_s = -86_400.0
        assert -86_460 < _asked(wrong) - _asked(right) < -86_340


def test_a_silent_server_hears_and_does_not_answer() -> None:
    with NtpServer(port=0) as server:
        server.is_silent = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", server.port))
            client.send(_request())
            # The second is answered, and nothing came before its answer.
            while not server.asked:
                pass
            server.is_silent = False
            client.send(_request(3 << 3 | 3))
            client.settimeout(20)
            assert client.recv(512)[0] == 3 << 3 | 4


def _asked(server: NtpServer) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.connect(("127.0.0.1", server.port))
        client.send(_request())
        return int(struct.unpack("!I", client.recv(512)[40:44])[0])
