"""Signed requests: a JWS in its flattened form, as ACME wants it (RFC 7515 §7.2.2, RFC 8555 §6.2)."""

import hmac
import json
from collections.abc import Mapping

from conclave_provisioning.enrollment.account_key import AccountSigner, encode

Json = Mapping[str, object]


def sign_jws(
    payload: Json | None,
    signer: AccountSigner,
    *,
    url: str,
    nonce: str | None = None,
    account_url: str | None = None,
) -> dict[str, str]:
    """A request to ``url``; no payload makes it a POST-as-GET (RFC 8555 §6.3).

    Without ``account_url`` the header shows the key itself. An empty payload is `{}` and not no payload: a
    challenge that is answered with the latter stays pending.
    """
    header: dict[str, object] = {"alg": "ES256", "url": url}
    header |= {"kid": account_url} if account_url is not None else {"jwk": dict(signer.public_jwk)}
    if nonce is not None:
        header["nonce"] = nonce
    signed = _signing_input(header, payload)
    return _flattened(signed, signer.sign(signed.encode("ascii")))


def bind_external_account(jwk: Mapping[str, str], *, url: str, key_id: str, mac_key: bytes) -> dict[str, str]:
    """The account's key, bound to what the CA knows already (RFC 8555 §7.3.4), HS256."""
    signed = _signing_input({"alg": "HS256", "kid": key_id, "url": url}, dict(jwk))
    return _flattened(signed, hmac.digest(mac_key, signed.encode("ascii"), "sha256"))


def _signing_input(header: Json, payload: Json | None) -> str:
    body = "" if payload is None else encode(json.dumps(payload).encode())
    return encode(json.dumps(header).encode()) + "." + body


def _flattened(signed: str, signature: bytes) -> dict[str, str]:
    protected, _, payload = signed.partition(".")
    return {"protected": protected, "payload": payload, "signature": encode(signature)}
