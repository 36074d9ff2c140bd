"""Runs in a venv of its own that has the PyPI package `rfc9420`; imports nothing of ours.

Prints figures as the peers do: bulk_add, join and application messages. It has no more to offer: the path of
its empty commit reuses the old leaf key, and its members cannot take one in.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

NAME, VERSION, SUITE = "rfc9420", "1.3.0", 2


def main(n: int) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from rfc9420.api.session import MLSGroupSession  # type: ignore[import-not-found]
    from rfc9420.backends.crypto.default_hpke import (  # type: ignore[import-not-found]
        DefaultCryptoProvider,
    )
    from rfc9420.backends.storage.memory import (  # type: ignore[import-not-found]
        MemoryStorageProvider,
    )
    from rfc9420.messages.data_structures import (  # type: ignore[import-not-found]
        Credential,
        Signature,
    )
    from rfc9420.messages.key_packages import (  # type: ignore[import-not-found]
        AEAD,
        KDF,
        KEM,
        CipherSuite,
        KeyPackage,
        LeafNode,
    )
    from rfc9420.providers.config import GroupConfig  # type: ignore[import-not-found]

    crypto = DefaultCryptoProvider(suite_id=SUITE)

    def config() -> Any:
        return GroupConfig(crypto_provider=crypto, storage_provider=MemoryStorageProvider())

    def point(key: ec.EllipticCurvePrivateKey) -> bytes:
        form = serialization.PublicFormat.UncompressedPoint
        return key.public_key().public_bytes(serialization.Encoding.X962, form)

    def private(key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.private_numbers().private_value.to_bytes(32, "big")

    suite = CipherSuite(KEM.DHKEM_P256_HKDF_SHA256, KDF.HKDF_SHA256, AEAD.AES_128_GCM)

    def member(identity: bytes) -> tuple[Any, bytes, bytes]:
        kem, init, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        leaf = LeafNode(
            encryption_key=point(kem),
            signature_key=point(signer),
            credential=Credential(identity=identity, public_key=point(signer)),
            capabilities=bytes.fromhex("02000102000200000400010002"),
            lifetime_not_before=0,
            lifetime_not_after=2**40,
            parent_hash=b"",
        )
        label = crypto.sign_with_label
        leaf = replace(
            leaf, signature=Signature(label(private(signer), b"LeafNodeTBS", leaf.tbs_serialize()))
        )
        package = KeyPackage(cipher_suite=suite, init_key=point(init), leaf_node=leaf)
        signed = label(private(signer), b"KeyPackageTBS", package.tbs_serialize())
        return replace(package, signature=Signature(signed)), private(init), private(signer)

    def report(operation: str, times: list[float], size: int) -> None:
        times.sort()
        fields = {"peer": NAME, "version": VERSION, "suite": SUITE, "credential": "basic", "n": n}
        figures = {"median_ms": times[len(times) // 2] * 1e3, "min_ms": times[0] * 1e3, "runs": len(times)}
        print(json.dumps({**fields, "operation": operation, **figures, "bytes": size}), flush=True)

    def timed(times: list[float], call: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - begun)
        return result

    members = [member(b"client %d" % index) for index in range(n)]
    founder = MLSGroupSession.create_with_config(config(), b"bench", members[0][0])

    def bulk_add() -> Any:
        for package, _, _ in members[1:]:
            founder.process_proposal(founder.add_member(package, members[0][2]), 0)
        return founder.commit(members[0][2])

    added: list[float] = []
    _, welcomes = timed(added, bulk_add)
    size = sum(len(getattr(each, "serialize", lambda each=each: each)()) for each in welcomes)
    report("bulk_add", added, size)
    joined: list[float] = []
    joiner = n // 2
    welcome = welcomes[joiner - 1] if len(welcomes) > 1 else welcomes[0]
    receiver = timed(
        joined,
        lambda: MLSGroupSession.join_from_welcome_with_config(
            config(), welcome, members[joiner][1], members[joiner][0]
        ),
    )
    report("join", joined, size)
    sealed: list[float] = []
    opened: list[float] = []
    for _ in range(200):
        message = timed(sealed, lambda: founder.protect_application(bytes(1024), members[0][2]))
        timed(opened, partial(receiver.unprotect_application, message))
    report("app_encrypt_1k", sealed, len(message))
    report("app_decrypt_1k", opened, len(message))


if __name__ == "__main__":
    main(int(sys.argv[1]))
