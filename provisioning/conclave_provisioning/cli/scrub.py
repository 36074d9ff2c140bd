"""Takes secrets out of text that leaves the device.

Nothing of ours writes a secret into a log. This is for the day when somebody else does: a library, a hook, an
admin who pasted a link into the wrong prompt. What looks like a secret goes; what is only odd goes, too.
"""

import re
from typing import Any

GONE = "(removed)"
SECRET_FIELDS = frozenset({"security_code", "link", "invitation", "request_id"})
"""Fields of a status that a supporter has no use for: a meeting's code is for the people in it."""
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.S
        ),
        GONE,
    ),
    # A meeting's link: its secret is the fragment.
    (re.compile(r"(\w+://[^\s#\"']+)#[^\s\"']+"), rf"\1#{GONE}"),
    # Signed and encrypted tokens (JWS, JWE): a header in base64url begins so.
    (re.compile(r"\beyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){1,4}"), GONE),
    (re.compile(r"(?i)\b(authorization|proxy-authorization)\s*:\s*[^\r\n]+"), rf"\1: {GONE}"),
    (
        re.compile(
            r"(?i)\b([\w.-]*(?:secret|passw(?:or)?d|passphrase|token|(?<![a-z])pin(?![a-z])|mac_?key|private_?key|key_?data|"
            r"hmac|credential)[\w.-]*)([\"']?\s*[=:]\s*)(?!\(removed\))(\"[^\"]*\"|'[^']*'|[^\s,;]+)"
        ),
        rf"\1\2{GONE}",
    ),
    # A password in an address.
    (re.compile(r"(\w+://[^\s/:@]+):[^\s/@]+@"), rf"\1:{GONE}@"),
    # Long base64 that is no hexadecimal fingerprint: keys look like this.
    (re.compile(r"(?<![A-Za-z0-9+/_-])(?![0-9a-fA-F]+(?![A-Za-z0-9+/_=-]))[A-Za-z0-9+/_-]{40,}={0,2}"), GONE),
)


def scrubbed(text: str) -> str:
    """Return the text without what looks like a secret."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def scrubbed_values(value: Any) -> Any:
    """Return JSON's values without what looks like a secret, nor the fields that are one."""
    if isinstance(value, dict):
        return {
            key: (GONE if item else item) if key in SECRET_FIELDS else scrubbed_values(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [scrubbed_values(item) for item in value]
    return scrubbed(value) if isinstance(value, str) and "-----BEGIN CERTIFICATE-----" not in value else value
