"""The deliberate bugs: each replaces one place in the source, and names what should notice."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What sort of mistake it is."""

    MISSING_CHECK = "missing check"
    OFF_BY_ONE = "off by one"
    WRONG_PARTY = "wrong party"
    NOT_ERASED = "not erased"
    STALE_INPUT = "stale input"
    TOO_TRUSTING = "too trusting"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug."""

    name: str
    kind: Kind
    file: str
    """Below `daemon/conclaved`."""
    old: str
    """Stands exactly once in the file."""
    new: str
    test_files: tuple[str, ...] = ("tests/simulation/test_simulation.py",)
    """Tests that should fail; if nothing else is said, the simulator's schedules of fixed seeds."""

    @property
    def noticed_by(self) -> tuple[str, ...]:
        """The module to run, and its arguments."""
        return ("pytest", "-q", "-x", "-p", "no:cacheprovider", *self.test_files)

    def planted_in(self, source: str) -> str:
        """The source with the bug. Raises ValueError if it does not fit there exactly once."""
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} holds {source.count(self.old)} such places")
        return source.replace(self.old, self.new)


_MLS_TESTS = ("tests/mls/test_group.py", "tests/mls/test_joining.py", "tests/mls/test_staged_commit.py")

_MLS = (
    Mutant(
        "an Update may keep the encryption key",
        Kind.MISSING_CHECK,
        "mls/validation.py",
        "if new.encryption_key == old.encryption_key:",
        "if False:",
        ("tests/mls/test_validation.py",),
    ),
    Mutant(
        "a KeyPackage's own signature is not looked at",
        Kind.MISSING_CHECK,
        "mls/validation.py",
        "    package.verify_signature(judge.crypto)\n",
        "",
        ("tests/mls/test_validation.py",),
    ),
    Mutant(
        "a KeyPackage that has expired is taken",
        Kind.STALE_INPUT,
        "mls/leaf_node.py",
        "return self.not_before <= now <= self.not_after",
        "return self.not_before <= now",
        ("tests/mls/test_validation.py",),
    ),
    Mutant(
        "a late message's key opens it again",
        Kind.STALE_INPUT,
        "mls/secret_tree.py",
        "            del self._kept[used.generation]\n            return\n",
        "            return\n",
        ("tests/mls/test_secret_tree.py",),
    ),
    Mutant(
        "a generation may be one further ahead than the limit",
        Kind.OFF_BY_ONE,
        "mls/secret_tree.py",
        "if generation - self.generation > MAX_SKIP:",
        "if generation - self.generation > MAX_SKIP + 1:",
        ("tests/mls/test_secret_tree.py",),
    ),
    Mutant(
        "a node's secret stays when its children are derived",
        Kind.NOT_ERASED,
        "mls/secret_tree.py",
        "            secret = self._nodes.pop(start)\n",
        "            secret = bytearray(self._nodes[start])\n",
        ("tests/mls/test_erasure.py",),
    ),
    Mutant(
        "a retired epoch keeps its private keys",
        Kind.NOT_ERASED,
        "mls/epoch.py",
        "            self._private_keys.clear()\n",
        "",
        ("tests/mls/test_erasure.py",),
    ),
    Mutant(
        "the confirmation tag is not compared",
        Kind.MISSING_CHECK,
        "mls/commit_processing.py",
        "check_confirmation_tag(state.crypto, key, confirmed, commit.confirmation_tag)",
        "pass",
        (*_MLS_TESTS, "tests/meeting/test_hostile_people.py"),
    ),
    Mutant(
        "a Commit is signed with the key that the committer had before",
        Kind.WRONG_PARTY,
        "mls/commit_creation.py",
        "following = enter_epoch(state, transition, context, joiner, psk, private_keys, signer)",
        "following = enter_epoch(state, transition, context, joiner, psk, private_keys, old_signer)",
        _MLS_TESTS,
    ),
    Mutant(
        "an echo in our name that we never sent counts as ours",
        Kind.WRONG_PARTY,
        "mls/group.py",
        "if not self._secrets.has_sent(self._state.crypto.hash(encoded)):",
        "if False:",
        (*_MLS_TESTS, "tests/meeting/test_hostile_people.py"),
    ),
    Mutant(
        "a Commit takes up a group that a ReInit has ended",
        Kind.MISSING_CHECK,
        "mls/commit_processing.py",
        "    check_group_goes_on(state.reinit)\n",
        "",
        ("tests/mls/test_validation.py",),
    ),
    Mutant(
        "a forked process sends with its parent's keys",
        Kind.NOT_ERASED,
        "mls/single_owner.py",
        "        owner.close()\n",
        "        assert owner\n",
        ("tests/mls/test_single_owner.py",),
    ),
    Mutant(
        "an Update by the committer is refused by value only",
        Kind.TOO_TRUSTING,
        "mls/validation.py",
        "if isinstance(each.proposal, Update) and each.sender == committer:",
        "if isinstance(each.proposal, Update) and not each.by_reference and each.sender == committer:",
        ("tests/mls/test_validation.py",),
    ),
)

_IDENTITY = (
    Mutant(
        "the provider's CA makes verified where a public root has signed it too",
        Kind.TOO_TRUSTING,
        "identity/trust_store.py",
        "if is_providers or anchor.fingerprint in self._provider_keys:",
        "if anchor.kind is Assurance.PROVIDER:",
        ("tests/identity/test_trust_store.py",),
    ),
    Mutant(
        "an anchor vouches outside its domains",
        Kind.MISSING_CHECK,
        "identity/trust_store.py",
        "and (not anchor.domains or any(is_within(leaf.name, domain) for domain in anchor.domains))",
        "and True",
        ("tests/identity/test_trust_store.py",),
    ),
    Mutant(
        "a blocked key on the path is let through",
        Kind.MISSING_CHECK,
        "identity/trust_store.py",
        "        self._refuse_blocked(_fingerprints(path))\n",
        "",
        ("tests/identity/test_trust_store.py",),
    ),
    Mutant(
        "a certificate that its CA revoked is let through",
        Kind.MISSING_CHECK,
        "identity/trust_store.py",
        "        if revocation is not None:\n",
        "        if revocation is None:\n            return anchor\n        if False:\n",
        ("tests/identity/test_trust_store.py", "tests/identity/test_crl.py"),
    ),
    Mutant(
        "time before the last one seen is believed",
        Kind.STALE_INPUT,
        "identity/clock.py",
        "if reading < self._floor:",
        "if reading < 0:",
        ("tests/identity/test_clock.py",),
    ),
    Mutant(
        "the path is validated at another time than now",
        Kind.STALE_INPUT,
        "identity/path.py",
        ".time(datetime.fromtimestamp(now, UTC))",
        ".time(leaf.certificate.not_valid_before_utc)",
        ("tests/identity/test_trust_store.py",),
    ),
    Mutant(
        "a certificate of another key is installed",
        Kind.WRONG_PARTY,
        "identity/key_store.py",
        "if stem not in (current, following):",
        "if not stem:",
        ("tests/identity/test_key_store.py",),
    ),
)

_MEETING = (
    Mutant(
        "a commit may pass over a host's kick",
        Kind.MISSING_CHECK,
        "meeting/rules.py",
        "    kicks_are_carried_out,\n",
        "",
        ("tests/meeting/test_kicks.py",),
    ),
    Mutant(
        "a kick is judged by who commits it, not by who proposes it",
        Kind.WRONG_PARTY,
        "meeting/rules.py",
        "if all(_sender_may(change, item, Capability.KICK) for item, _ in _kicks(change)):",
        "if leaf_may(change.leaves_before.get(change.effect.committer), Capability.KICK):",
        ("tests/meeting/test_rules.py",),
    ),
    Mutant(
        "a kick lists only the key that the member has now",
        Kind.TOO_TRUSTING,
        "meeting/rules.py",
        "if all(line_of(change.leaves_before[removed]) <= kicked for _, removed in _kicks(change)):",
        "if all(change.leaves_before[removed].signature_key in kicked for _, removed in _kicks(change)):",
        ("tests/meeting/test_every_rule_broken_once.py",),
    ),
    Mutant(
        "a successor of a kicked key is let in",
        Kind.MISSING_CHECK,
        "meeting/tree_rules.py",
        'return None if line_of(leaf).isdisjoint(context.kicked) else "a kicked key is in the group"',
        'return None if leaf.signature_key not in context.kicked else "a kicked key is in the group"',
        ("tests/meeting/test_tree_rules.py",),
    ),
    Mutant(
        "a closed link still admits",
        Kind.MISSING_CHECK,
        "meeting/tree_rules.py",
        "if not context.is_link_closed or origin(admission_of(leaf)).issuer_type is not IssuerType.LINK:",
        "if origin(admission_of(leaf)).issuer_type is not IssuerType.HOST:",
        (
            "tests/meeting/test_tree_rules.py",
            "tests/meeting/test_kicks.py",
        ),
    ),
    Mutant(
        "a succession may stand on another admission than the leaf's",
        Kind.WRONG_PARTY,
        "meeting/tree_rules.py",
        " and admission.issuer_admission == admission_of(old):",
        ":",
        ("tests/meeting/test_tree_rules.py",),
    ),
    Mutant(
        "an admission to another meeting is good here",
        Kind.STALE_INPUT,
        "meeting/admission.py",
        "    if admission.meeting_id != content.meeting_id:\n",
        "    if False:\n",
        ("tests/meeting/test_admission.py",),
    ),
    Mutant(
        "anybody may deny",
        Kind.WRONG_PARTY,
        "meeting/lobby.py",
        "    if denial.host.role is not Role.HOST:\n",
        "    if False:\n",
        ("tests/meeting/test_lobby.py",),
    ),
    Mutant(
        "a Welcome into another meeting is followed",
        Kind.MISSING_CHECK,
        "meeting/joining.py",
        "            if context.invitation.token != token:\n",
        "            if False:\n",
        ("tests/meeting/test_hostile_people.py",),
    ),
    Mutant(
        "an offer that was used up is taken again",
        Kind.STALE_INPUT,
        "meeting/committing.py",
        "elif reference not in self._seen and not",
        "elif not",
        ("tests/meeting/test_bad_service.py",),
    ),
    Mutant(
        "the service may change its mind about an entry",
        Kind.STALE_INPUT,
        "meeting/log.py",
        "        if sequence not in self._waiting:\n",
        "        if True:\n",
        ("tests/meeting/test_log.py",),
    ),
    Mutant(
        "one host alone is expected to be heard, and hears nobody",
        Kind.TOO_TRUSTING,
        "meeting/alive.py",
        "return hosts | frozenset(sorted(leaves)[:LOWEST_LEAVES])",
        "return hosts",
        ("tests/meeting/test_alive.py",),
    ),
    Mutant(
        "who was heard in the last epoch counts as heard in this one",
        Kind.STALE_INPUT,
        "meeting/membership.py",
        "        self._take(group, context)\n        self._heard = frozenset()\n",
        "        self._take(group, context)\n",
        ("tests/meeting/test_heard.py",),
    ),
    Mutant(
        "a certificate with another name is followed",
        Kind.TOO_TRUSTING,
        "meeting/membership.py",
        "        if objection is None:\n",
        "        if True:\n",
        ("tests/meeting/test_changed_certificates.py",),
    ),
    Mutant(
        "the code stays when somebody joins",
        Kind.MISSING_CHECK,
        "meeting/committing.py",
        "            bool(staged.added)\n            or any(",
        "            any(",
    ),
    Mutant(
        "the removed one's keys stay for the grace",
        Kind.NOT_ERASED,
        "meeting/membership.py",
        "            removed=removed,\n",
        "            removed=frozenset(),\n",
        ("tests/meeting/test_kicks.py",),
    ),
    Mutant(
        "old epochs are kept when the grace is over",
        Kind.NOT_ERASED,
        "meeting/membership.py",
        "            if now >= until:\n",
        "            if False:\n",
    ),
    Mutant(
        "a commit is published for the place after the next",
        Kind.OFF_BY_ONE,
        "meeting/committing.py",
        "token = self._out.publish(message, self._log.next_sequence)",
        "token = self._out.publish(message, self._log.next_sequence + 1)",
    ),
)

_KEYS = (
    Mutant(
        "a refused PIN is tried again",
        Kind.MISSING_CHECK,
        "identity/key_backends/pkcs11_connection.py",
        "        self._pin.check_not_refused(pin, token.serial)\n",
        "",
        ("tests/identity/test_pkcs11.py",),
    ),
    Mutant(
        "a token's key may be taken out of it",
        Kind.TOO_TRUSTING,
        "identity/key_backends/pkcs11.py",
        "            attribute.EXTRACTABLE: False,\n        },\n    )",
        "            attribute.EXTRACTABLE: True,\n        },\n    )",
        ("tests/identity/test_pkcs11.py",),
    ),
    Mutant(
        "a TPM's wrong signature is given out",
        Kind.MISSING_CHECK,
        "identity/key_backends/tpm2.py",
        "            self._key.public_key.verify(signature, data, ec.ECDSA(hashes.SHA256()))\n",
        "            pass\n",
        ("tests/identity/test_tpm2.py",),
    ),
    Mutant(
        "a missing wrapping key moves a sealed key to a plain file",
        Kind.TOO_TRUSTING,
        "identity/key_store.py",
        " and protection.rank <= self._backend.protection.rank",
        "",
        ("tests/identity/test_key_backends.py", "tests/service/test_key_places.py"),
    ),
    Mutant(
        "the account's key is erased with the old ones",
        Kind.WRONG_PARTY,
        "identity/key_store.py",
        "for name in (_CURRENT, _ACCOUNT)}",
        "for name in (_CURRENT,)}",
        ("tests/identity/test_account_signer.py",),
    ),
    Mutant(
        "a commit that lacks a later proposal is published",
        Kind.STALE_INPUT,
        "meeting/committing.py",
        "        if self._agenda.proposals != proposals:\n",
        "        if False:\n",
        ("tests/meeting/test_session.py",),
    ),
    Mutant(
        "a commit is published behind one that is being judged",
        Kind.STALE_INPUT,
        "meeting/committing.py",
        "        if self._made is None or self._out.is_busy or now < self._pause_until:\n",
        "        if self._made is None or now < self._pause_until:\n",
        ("tests/meeting/test_session.py",),
    ),
    Mutant(
        "who led over a connection that was lost still leads",
        Kind.STALE_INPUT,
        "meeting/session.py",
        "        self._commits.is_leader = False\n",
        "",
        ("tests/meeting/test_session.py",),
    ),
    Mutant(
        "entries wait for an own commit's signatures",
        Kind.STALE_INPUT,
        "meeting/committing.py",
        "        self._out.job(run, done, failed, Lane.COMMIT)\n",
        "        self._out.exclusive_job(run, done, failed)\n",
        ("tests/meeting/test_session.py",),
    ),
)

_SETTINGS = ("tests/service/settings/test_document.py", "tests/service/test_configuring.py")
_SETTINGS_FILE = ("tests/service/settings/test_settings_file.py",)
_TRUST = ("tests/service/test_trusting.py",)
_CRL = ("tests/identity/test_crl.py",)

_ADMIN = (
    Mutant(
        "a dry run changes the settings",
        Kind.MISSING_CHECK,
        "service/configuring.py",
        "        if dry_run or not (report.changed or self.problem):\n",
        "        if not (report.changed or self.problem):\n",
        _SETTINGS,
    ),
    Mutant(
        "a document is told with its secrets",
        Kind.MISSING_CHECK,
        "service/settings/document.py",
        "    if setting.is_secret and not with_secrets:\n",
        "    if False:\n",
        _SETTINGS,
    ),
    Mutant(
        "a wrong value is quoted though it is a secret",
        Kind.MISSING_CHECK,
        "service/settings/document.py",
        "if setting.is_secret else _short(value)",
        "if False else _short(value)",
        _SETTINGS,
    ),
    Mutant(
        "a value that is none of the choices is taken",
        Kind.MISSING_CHECK,
        "service/settings/document.py",
        "    if setting.choices and typed not in setting.choices:\n",
        "    if False:\n",
        _SETTINGS,
    ),
    Mutant(
        "everybody may read the settings",
        Kind.TOO_TRUSTING,
        "service/settings/settings_file.py",
        "_text(settings, generation).encode(), mode=0o600)",
        "_text(settings, generation).encode(), mode=0o644)",
        _SETTINGS_FILE,
    ),
    Mutant(
        "damaged settings count as none",
        Kind.TOO_TRUSTING,
        "service/settings/settings_file.py",
        "tomllib.TOMLDecodeError) as error:\n            raise _damaged",
        "tomllib.TOMLDecodeError) as error:\n            return None\n            raise _damaged",
        _SETTINGS_FILE,
    ),
    Mutant(
        "the files of the previous settings are removed",
        Kind.STALE_INPUT,
        "service/settings/settings_file.py",
        "kept = {*settings.files(self.folder), *before.files(self.folder)}",
        "kept = {*settings.files(self.folder)}",
        _SETTINGS_FILE,
    ),
    Mutant(
        "an older list lifts a revocation",
        Kind.STALE_INPUT,
        "service/trusting.py",
        "        if before is not None and crl.is_older_than(before):\n",
        "        if False:\n",
        _TRUST,
    ),
    Mutant(
        "a list that nobody signed is taken",
        Kind.MISSING_CHECK,
        "identity/crl.py",
        "    return found.is_signature_valid(",
        "    return True or found.is_signature_valid(",
        _CRL,
    ),
    Mutant(
        "a delta is taken for the whole list",
        Kind.TOO_TRUSTING,
        "identity/crl.py",
        "        if isinstance(value, x509.DeltaCRLIndicator):\n",
        "        if False:\n",
        _CRL,
    ),
    Mutant(
        "anybody's word resets the room",
        Kind.MISSING_CHECK,
        "service/factory_reset.py",
        "        if confirmation not in words:\n",
        "        if False:\n",
        ("tests/service/test_factory_reset.py",),
    ),
)

_SAID = ("tests/meeting/test_media_state.py",)
_ROOM = (
    Mutant(
        "an older word about a mute takes the place of a newer one",
        Kind.STALE_INPUT,
        "meeting/media_state.py",
        "        if before is not None and is_same and statement.elapsed_ms <= before.statement.elapsed_ms:\n"
        "            return\n",
        "",
        _SAID,
    ),
    Mutant(
        "what was said of a mute is believed for ever",
        Kind.STALE_INPUT,
        "meeting/media_state.py",
        "if heard.at >= oldest}",
        "if True}",
        _SAID,
    ),
    Mutant(
        "what one said who left speaks for who comes back",
        Kind.WRONG_PARTY,
        "meeting/media_state.py",
        "if leaf in leaves and leaf not in came",
        "if leaf in leaves",
        _SAID,
    ),
    Mutant(
        "an admin unmutes",
        Kind.MISSING_CHECK,
        "service/mutes.py",
        "        if not isinstance(by, Hand):\n",
        "        if False:\n",
        ("tests/service/test_mutes.py",),
    ),
    Mutant(
        "a mute from outside that names nothing unmutes",
        Kind.TOO_TRUSTING,
        "service/room.py",
        "        self._hardware.mutes.mute(by, camera=camera, microphone=microphone)\n",
        "        self._hardware.mutes._set(camera, by, True, True)\n",
        ("tests/service/test_nothing_from_outside_unmutes.py",),
    ),
    Mutant(
        "a closed shutter is told as live",
        Kind.TOO_TRUSTING,
        "service/hardware.py",
        "            camera = CameraState.CLOSED\n",
        "            camera = CameraState.LIVE\n",
        ("tests/service/test_hardware.py",),
    ),
    Mutant(
        "a lock outside of any meeting is shown",
        Kind.TOO_TRUSTING,
        "service/panel_view.py",
        "        return Lock.BROKEN\n",
        "        return Lock.LOCKED\n",
        ("tests/service/test_lock.py",),
    ),
    Mutant(
        "an opened case is forgotten at a restart",
        Kind.MISSING_CHECK,
        "service/tampering.py",
        "            self._save()\n",
        "",
        ("tests/service/test_tampering.py",),
    ),
)

MUTANTS: tuple[Mutant, ...] = (*_MLS, *_IDENTITY, *_KEYS, *_MEETING, *_ADMIN, *_ROOM)
