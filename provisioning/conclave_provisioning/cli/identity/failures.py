"""What the words mean that an enrollment fails with: a kind of error, and so an exit code, each."""

from conclave_provisioning.cli.errors import ErrorKind

FAILURES: dict[str, ErrorKind] = {
    "bad_domain": ErrorKind.INVALID_ARGUMENT,
    "bad_settings": ErrorKind.INVALID_ARGUMENT,
    "no_such_profile": ErrorKind.INVALID_ARGUMENT,
    "staging": ErrorKind.REFUSED,
    "busy": ErrorKind.BUSY,
    "refused": ErrorKind.REFUSED,
    "unreachable": ErrorKind.UNREACHABLE,
    "timed_out": ErrorKind.TIMED_OUT,
    "rate_limited": ErrorKind.RATE_LIMITED,
    "validation_failed": ErrorKind.VALIDATION_FAILED,
    "challenge_unreachable": ErrorKind.CHALLENGE_UNREACHABLE,
    "challenge_setup": ErrorKind.CHALLENGE_SETUP,
    "dns_update": ErrorKind.CHALLENGE_SETUP,
    "dns_record_missing": ErrorKind.CHALLENGE_SETUP,
    "caa": ErrorKind.CAA,
    "wrong_clock": ErrorKind.WRONG_CLOCK,
    "not_valid_now": ErrorKind.WRONG_CLOCK,
    "ca_trouble": ErrorKind.CA_TROUBLE,
    "not_ready": ErrorKind.CA_TROUBLE,
    "bad_nonce": ErrorKind.BAD_NONCE,
    "dropped": ErrorKind.DROPPED,
    "tls_untrusted": ErrorKind.UNTRUSTED,
    "wrong_name": ErrorKind.WRONG_NAME,
    "wrong_key": ErrorKind.WRONG_KEY,
    "broken_chain": ErrorKind.BROKEN_CHAIN,
    "bad_response": ErrorKind.BAD_RESPONSE,
}


def kind_of(word: str) -> ErrorKind:
    """What an enrollment's error word means to whoever asked; one that is new is a fault of the device."""
    return FAILURES.get(word, ErrorKind.FAILED)
