"""Whom the room believes: anchors and blocks, which are settings, and lists of revoked certificates."""

import asyncio
from collections.abc import Callable

from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import AnchorStatus, CrlStatus, RoomError, RoomErrorKind, TrustStatus
from conclaved.identity import (
    AnchorError,
    Assurance,
    Crl,
    CrlError,
    IdentityError,
    TrustStore,
    parse_anchor_pem,
    parse_crl,
)
from conclaved.service.configuring import Configuring
from conclaved.service.crl_fetching import CrlFetching
from conclaved.service.crl_files import CrlFiles
from conclaved.service.settings import Effect, Settings
from conclaved.service.settings.toml_text import value_text

FINGERPRINT_DIGITS = 64


class Trusting:
    """Owns the lists; anchors and blocks belong to the settings. All verbs raise RoomError."""

    def __init__(self, configuring: Configuring, crls: CrlFiles, changed: Callable[[], None]) -> None:
        """`changed` is called when `store` is another by a list. Raises ConfigError for a damaged list."""
        self._configuring = configuring
        self._files = crls
        self._changed = changed
        self.fetching = CrlFetching(lambda: configuring.settings.crl_urls, self._take, changed)
        """Brings the lists; it has to be run."""
        self._read: dict[str, Crl] = {}
        self.store = TrustStore()
        """Whom the room believes now."""
        self.reload()

    def reload(self) -> None:
        """Take up the anchors and blocks of the settings, and the lists of those anchors.

        A list is read from the disk once: a large one takes seconds, and a meeting may be going on.
        """
        trust = self._configuring.settings.trust
        new = tuple(anchor for anchor in trust.anchors if anchor.fingerprint not in self._read)
        self._read |= {crl.issuer_fingerprint: crl for crl in self._files.load(new)}
        present = {anchor.fingerprint for anchor in trust.anchors}
        self.store = trust.with_crls(crl for key, crl in sorted(self._read.items()) if key in present)

    def settings_changed(self, before: Settings, after: Settings) -> bool:
        """Follow other settings. Whether the room believes others now."""
        if after.trust != before.trust or after.crl_urls != before.crl_urls:
            self.fetching.wake()
        if after.trust == before.trust:
            return False
        self.reload()
        return True

    def problems(self, now: int) -> list[str]:
        """What is wrong at `now`, a line each, with what mends it."""
        none = (
            []
            if self.store.anchors
            else ["no trust anchor: conclavectl trust add FILE --label NAME --kind verified"]
        )
        stale = [
            f"the list of revoked certificates of {label} is out of date: conclavectl trust crl add FILE"
            for label in self.stale(now)
        ]
        return [*none, *stale, *self.fetching.problems()]

    def status(self) -> TrustStatus:
        """For D-Bus."""
        store = self.store
        labels = {anchor.fingerprint: anchor.shown_name for anchor in store.anchors}
        return TrustStatus(
            anchors=tuple(
                AnchorStatus(
                    label=anchor.label,
                    kind=anchor.kind.value,
                    domains=anchor.domains,
                    fingerprint=anchor.fingerprint,
                    not_after=int(anchor.certificate.not_valid_after_utc.timestamp()),
                )
                for anchor in store.anchors
            ),
            blocked_keys=tuple(sorted(store.blocked_keys)),
            blocked_names=tuple(sorted(store.blocked_names)),
            crls=tuple(
                CrlStatus(
                    anchor=labels[crl.issuer_fingerprint],
                    issuer=crl.issuer,
                    fingerprint=crl.issuer_fingerprint,
                    number=str(crl.number),
                    this_update=crl.this_update,
                    next_update=crl.next_update,
                    revoked=len(crl.revoked),
                )
                for crl in store.crls
            ),
        )

    def stale(self, now: int) -> tuple[str, ...]:
        """The labels of anchors whose list should have been replaced by `now`."""
        labels = {anchor.fingerprint: anchor.shown_name for anchor in self.store.anchors}
        return tuple(labels[crl.issuer_fingerprint] for crl in self.store.crls if crl.is_stale(now))

    # -- anchors and blocks ---------------------------------------------------------------------

    def add_anchor(
        self, pem: str, label: str, kind: str, domains: tuple[str, ...], *, dry_run: bool
    ) -> ChangeReport:
        """Trust the certificates in `pem`."""
        if kind not in ("verified", "provider"):
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                "an anchor is for verified identities or the provider's",
                hint="use --kind verified or --kind provider",
            )
        try:
            anchors = parse_anchor_pem(pem, kind=Assurance(kind), domains=domains, label=label)
        except AnchorError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        return self._become(self.store.with_anchors(anchors), dry_run=dry_run)

    def remove_anchor(self, label: str, *, dry_run: bool) -> ChangeReport:
        """Trust the anchors of this label or fingerprint no longer."""
        return self._become(self.store.without_anchor(label), dry_run=dry_run)

    def block(self, what: str, *, dry_run: bool) -> ChangeReport:
        """Refuse a key, given by its fingerprint, or a name."""
        try:
            key = _as_fingerprint(what)
            store = self.store.with_blocked(keys=[key]) if key else self.store.with_blocked(names=[what])
        except IdentityError as error:
            raise _not_blockable(what, error) from error
        return self._become(store, dry_run=dry_run)

    def unblock(self, what: str, *, dry_run: bool) -> ChangeReport:
        """Refuse it no longer."""
        try:
            key = _as_fingerprint(what)
            store = (
                self.store.without_blocked(keys=[key]) if key else self.store.without_blocked(names=[what])
            )
        except IdentityError as error:
            raise _not_blockable(what, error) from error
        return self._become(store, dry_run=dry_run)

    def _become(self, store: TrustStore, *, dry_run: bool) -> ChangeReport:
        return self._configuring.become(self._configuring.settings.with_trust(store), dry_run=dry_run)

    # -- lists of revoked certificates ----------------------------------------------------------

    async def add_crl(self, data: bytes, *, dry_run: bool) -> ChangeReport:
        """Take an authority's list in place of the one before."""
        try:
            crl = await asyncio.to_thread(parse_crl, data, self.store.anchors)
        except CrlError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        if all(anchor.fingerprint != crl.issuer_fingerprint for anchor in self.store.anchors):
            raise RoomError(
                RoomErrorKind.BUSY,
                "the list's anchor was removed meanwhile",
                hint="see: conclavectl trust list",
            )
        before = self._of(crl.issuer_fingerprint)
        if before == crl:
            return ChangeReport(False)
        if before is not None and crl.is_older_than(before):
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                f"the list is older than the one of {crl.issuer} that is here: it would lift revocations",
                hint="get the CA's present list; see: conclavectl trust crl list",
            )
        return self._replace(before, crl, dry_run=dry_run)

    def remove_crl(self, which: str, *, dry_run: bool) -> ChangeReport:
        """Forget the list of the anchor of this label or fingerprint: whom it revoked is believed again."""
        named = {a.fingerprint for a in self.store.anchors if which in (a.label, a.fingerprint)}
        found = [crl for crl in self.store.crls if crl.issuer_fingerprint in named]
        if not found:
            return ChangeReport(False)
        return self._replace(found[0], None, dry_run=dry_run)

    async def _take(self, data: bytes) -> ChangeReport:
        return await self.add_crl(data, dry_run=False)

    def _of(self, fingerprint: str) -> Crl | None:
        return next((crl for crl in self.store.crls if crl.issuer_fingerprint == fingerprint), None)

    def _replace(self, before: Crl | None, after: Crl | None, *, dry_run: bool) -> ChangeReport:
        named = before or after
        fingerprint = "" if named is None else named.issuer_fingerprint
        labels = {anchor.fingerprint: anchor.shown_name for anchor in self.store.anchors}
        change = Change(
            f"trust.crls.{labels.get(fingerprint, fingerprint)}",
            _words(before),
            _words(after),
            Effect.AT_ONCE.value,
        )
        if dry_run:
            return ChangeReport(True, (change,))
        try:
            if after is not None:
                self._files.save(after)
            elif before is not None:
                self._files.remove(before)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED,
                f"the list cannot be stored: {error.strerror}",
                hint="nothing has changed; see: conclavectl doctor",
            ) from error
        self._read.pop(fingerprint, None)
        if after is not None:
            self._read[fingerprint] = after
        self.reload()
        self._changed()
        return ChangeReport(True, (change,))


def _as_fingerprint(text: str) -> str:
    """64 hexadecimal digits, as programs print them: in pairs with colons, in either case; or empty."""
    digits = text.replace(":", "").lower()
    is_one = len(digits) == FINGERPRINT_DIGITS and all(c in "0123456789abcdef" for c in digits)
    return digits if is_one else ""


def _not_blockable(what: str, error: IdentityError) -> RoomError:
    return RoomError(
        RoomErrorKind.INVALID_ARGUMENT,
        f"{what[:100]!r} is neither a key's fingerprint nor a name: {error}",
        hint="give 64 hexadecimal digits (SHA-256 of the public key), a domain or a mail address",
    )


def _words(crl: Crl | None) -> str:
    if crl is None:
        return ""
    return value_text(
        {
            "number": crl.number if crl.number < 2**63 else str(crl.number),
            "this_update": crl.this_update,
            "next_update": crl.next_update,
            "revoked": len(crl.revoked),
        }
    )
