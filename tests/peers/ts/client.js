// One client of ts-mls in at most one group. All messages are encoded MLSMessages.
//
// Where ts-mls 1.6.4 departs from RFC 9420 this file says so and does what the RFC says, with the package's
// own parts, so that the rest of it can be tried.

import { X509Certificate, createPublicKey } from "node:crypto";

import { p256, p384 } from "@noble/curves/nist.js";
import {
  bytesToBase64,
  ciphersuites,
  createApplicationMessage,
  createCommit,
  createGroup,
  createProposal,
  decodeMlsMessage,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  joinGroupExternal,
  makePskIndex,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
  proposeAddExternal,
} from "ts-mls";
import { defaultClientConfig } from "ts-mls/clientConfig.js";
import { encode } from "ts-mls/codec/tlsEncoder.js";
import { decodeVarLenType, varLenDataEncoder } from "ts-mls/codec/variableLength.js";
import { createGroupInfo } from "ts-mls/createCommit.js";
import { decodeExtension } from "ts-mls/extension.js";
import { makeResumptionPsk } from "ts-mls/resumption.js";
import { ratchetTreeEncoder } from "ts-mls/ratchetTree.js";

export const SUITES = [1, 2, 3, 7];

const PRIVATE_EXTENSION = 0xf001;
const DAY_S = 86_400n;
const CURVES = { 2: p256, 7: p384 };
const vector = encode(varLenDataEncoder);

function suiteName(number) {
  const found = Object.entries(ciphersuites).find(([, value]) => value === number);
  if (found === undefined || !SUITES.includes(number)) throw new Error("no such cipher suite");
  return found[0];
}

function equal(a, b) {
  return Buffer.compare(a, b) === 0;
}

/** A certificate's public key as MLS encodes it: the uncompressed point, or Ed25519's 32 bytes. */
function publicKeyOf(certificate) {
  const jwk = createPublicKey(certificate.publicKey.export({ type: "spki", format: "pem" })).export({
    format: "jwk",
  });
  const part = (text) => Buffer.from(text, "base64url");
  return jwk.kty === "OKP" ? part(jwk.x) : Buffer.concat([Buffer.of(4), part(jwk.x), part(jwk.y)]);
}

/** Any basic credential, and X.509 chains that end in one of `roots`. */
function authenticationService(roots) {
  const anchors = roots.map((der) => new X509Certificate(der));
  return {
    async validateCredential(credential, signaturePublicKey) {
      if (credential.credentialType === "basic") return true;
      if (credential.credentialType !== "x509") return false;
      const chain = credential.certificates.map((der) => new X509Certificate(der));
      if (chain.length === 0 || !equal(publicKeyOf(chain[0]), signaturePublicKey)) return false;
      for (let index = 0; index + 1 < chain.length; index++) {
        if (!chain[index].checkIssued(chain[index + 1]) || !chain[index].verify(chain[index + 1].publicKey))
          return false;
      }
      const last = chain.at(-1);
      return anchors.some((anchor) => last.checkIssued(anchor) && last.verify(anchor.publicKey));
    },
  };
}

export class Client {
  #suite;
  #credential;
  #keys;
  #config;
  #encryptsHandshake;
  #psks = {};
  #package;
  #pending;
  #state;

  /** Make a client; the keys of a basic one are fresh. */
  static async create(settings) {
    const client = new Client();
    client.#suite = await getCiphersuiteImpl(getCiphersuiteFromName(suiteName(settings.suite)));
    client.#encryptsHandshake = settings.encryptsHandshake;
    const roots = settings.roots ?? [];
    client.#config = {
      ...defaultClientConfig,
      paddingConfig: { kind: "alwaysPad", paddingLength: 0 },
      authService: authenticationService(roots),
    };
    if (settings.credential === "basic") {
      client.#credential = { credentialType: "basic", identity: settings.identity };
      client.#keys = await client.#freshKeys(settings.suite);
    } else {
      client.#credential = { credentialType: "x509", certificates: settings.certificates };
      client.#keys = { signKey: settings.privateKey, publicKey: settings.publicKey };
    }
    return client;
  }

  async #freshKeys(suite) {
    const keys = await this.#suite.signature.keygen();
    // ts-mls makes compressed points; RFC 9420 §5.1.1 wants the uncompressed form.
    const curve = CURVES[suite];
    return curve === undefined ? keys : { ...keys, publicKey: curve.getPublicKey(keys.signKey, false) };
  }

  get #group() {
    if (this.#state === undefined) throw new Error("not in a group");
    return this.#state;
  }

  get #pskIndex() {
    return makePskIndex(this.#state, this.#psks);
  }

  async #freshPackage() {
    const now = BigInt(Math.floor(Date.now() / 1000));
    const capabilities = {
      versions: ["mls10"],
      ciphersuites: SUITES.map(suiteName),
      extensions: [PRIVATE_EXTENSION],
      proposals: [],
      credentials: ["basic", "x509"],
    };
    const lifetime = { notBefore: now - 3600n, notAfter: now + 28n * DAY_S };
    return generateKeyPackageWithKey(this.#credential, capabilities, lifetime, [], this.#keys, this.#suite);
  }

  async keyPackage() {
    this.#package = await this.#freshPackage();
    const keyPackage = this.#package.publicPackage;
    return encodeMlsMessage({ version: "mls10", wireformat: "mls_key_package", keyPackage });
  }

  async found(groupId) {
    const { publicPackage, privatePackage } = await this.#freshPackage();
    this.#state = await createGroup(groupId, publicPackage, privatePackage, [], this.#suite, this.#config);
  }

  async join(message) {
    const { welcome } = decode(message, "mls_welcome");
    const { publicPackage, privatePackage } = this.#package;
    this.#state = await joinGroup(
      welcome,
      publicPackage,
      privatePackage,
      this.#pskIndex,
      this.#suite,
      undefined,
      undefined,
      this.#config,
    );
  }

  async groupInfo() {
    const state = this.#group;
    const pair = await this.#suite.hpke.deriveKeyPair(state.keySchedule.externalSecret);
    // ts-mls puts the bare key there; RFC 9420 §12.4.3.2 has a vector in `external_pub`.
    const externalPub = vector(await this.#suite.hpke.exportPublicKey(pair.publicKey));
    const extensions = [
      { extensionType: "external_pub", extensionData: externalPub },
      { extensionType: "ratchet_tree", extensionData: encode(ratchetTreeEncoder)(state.ratchetTree) },
    ];
    const { groupContext, confirmationTag } = state;
    const groupInfo = await createGroupInfo(groupContext, confirmationTag, state, extensions, this.#suite);
    return encodeMlsMessage({ version: "mls10", wireformat: "mls_group_info", groupInfo });
  }

  async joinExternally(message, replaces) {
    const { groupInfo } = decode(message, "mls_group_info");
    const wrapped = groupInfo.extensions.find((each) => each.extensionType === "external_pub")?.extensionData;
    if (wrapped === undefined) throw new Error("no external_pub");
    const { hpke } = this.#suite;
    // The same departure on the reading side: hand the key out without the length before it.
    const importPublicKey = (key) =>
      hpke.importPublicKey(equal(key, wrapped) ? key.slice(key[0] < 0x40 ? 1 : 2) : key);
    const suite = { ...this.#suite, hpke: { ...hpke, importPublicKey } };
    const { publicPackage, privatePackage } = await this.#freshPackage();
    const resync = replaces !== null;
    const { publicMessage, newState } = await joinGroupExternal(
      groupInfo,
      publicPackage,
      privatePackage,
      resync,
      suite,
      undefined,
      this.#config,
    );
    this.#state = newState;
    return encodeMlsMessage({ version: "mls10", wireformat: "mls_public_message", publicMessage });
  }

  async proposeSelf(message) {
    const { groupInfo } = decode(message, "mls_group_info");
    this.#package = await this.#freshPackage();
    const { publicPackage, privatePackage } = this.#package;
    return encodeMlsMessage(await proposeAddExternal(groupInfo, publicPackage, privatePackage, this.#suite));
  }

  addPsk(id, value) {
    this.#psks[bytesToBase64(id)] = value;
  }

  #proposal(wanted) {
    switch (wanted.type) {
      case "add": {
        const { keyPackage } = decode(wanted.keyPackage, "mls_key_package");
        return { proposalType: "add", add: { keyPackage } };
      }
      case "remove":
        return { proposalType: "remove", remove: { removed: wanted.leaf } };
      case "psk": {
        const pskNonce = this.#suite.rng.randomBytes(this.#suite.kdf.size);
        const preSharedKeyId = { psktype: "external", pskId: wanted.pskId, pskNonce };
        return { proposalType: "psk", psk: { preSharedKeyId } };
      }
      case "resumption": {
        const pskNonce = this.#suite.rng.randomBytes(this.#suite.kdf.size);
        const pskGroupId = this.#group.groupContext.groupId;
        const id = { psktype: "resumption", usage: "application", pskGroupId, pskEpoch: wanted.epoch, pskNonce };
        return { proposalType: "psk", psk: { preSharedKeyId: id } };
      }
      case "extensions": {
        const extensions = decodeVarLenType(decodeExtension)(wanted.extensions, 0)[0];
        return { proposalType: "group_context_extensions", groupContextExtensions: { extensions } };
      }
      case "reinit": {
        const { version, cipherSuite } = this.#group.groupContext;
        const reinit = { groupId: wanted.groupId, version, cipherSuite, extensions: [] };
        return { proposalType: "reinit", reinit };
      }
      case "update":
        // It has no way to keep the new leaf's private key until the Update is committed.
        throw new Error("ts-mls cannot propose an Update of its own leaf");
      default:
        throw new Error(`no such proposal: ${wanted.type}`);
    }
  }

  async propose(wanted) {
    const isPublic = !this.#encryptsHandshake;
    const proposal = this.#proposal(wanted);
    const { newState, message } = await createProposal(this.#group, isPublic, proposal, this.#suite);
    this.#state = newState;
    return encodeMlsMessage(message);
  }

  async commit(wanted) {
    const { commit, welcome, newState } = await createCommit(
      { state: this.#group, cipherSuite: this.#suite, pskIndex: this.#pskIndex },
      {
        wireAsPublicMessage: !this.#encryptsHandshake,
        extraProposals: wanted.map((each) => this.#proposal(each)),
        ratchetTreeExtension: true,
      },
    );
    this.#pending = newState;
    return {
      message: encodeMlsMessage(commit),
      welcome:
        welcome === undefined
          ? null
          : encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome }),
    };
  }

  merge() {
    if (this.#pending === undefined) throw new Error("no pending commit");
    this.#state = this.#pending;
    this.#pending = undefined;
  }

  discard() {
    this.#pending = undefined;
  }

  async process(data) {
    const message = decode(data, "mls_private_message", "mls_public_message");
    const state = this.#group;
    // Not its processMessage, which forgets the PSKs when the message is private.
    const result =
      message.wireformat === "mls_public_message"
        ? await processPublicMessage(state, message.publicMessage, this.#pskIndex, this.#suite)
        : await processPrivateMessage(state, message.privateMessage, this.#pskIndex, this.#suite);
    this.#state = result.newState;
    if (result.kind === "applicationMessage") return { kind: "application", data: result.message };
    if (result.newState.groupActiveState.kind === "removedFromGroup") return { kind: "removed" };
    this.#pending = undefined;
    const isSameEpoch = result.newState.groupContext.epoch === state.groupContext.epoch;
    return { kind: isSameEpoch ? "proposal" : "commit" };
  }

  async protect(data) {
    const { newState, privateMessage } = await createApplicationMessage(this.#group, data, this.#suite);
    this.#state = newState;
    return encodeMlsMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage });
  }

  /** Leave the group for a new one that continues it; gives the Welcome. */
  async continueAs(lineage, groupId, keyPackages) {
    const old = this.#group;
    const { publicPackage, privatePackage } = await this.#freshPackage();
    const extensions = lineage === "branch" ? old.groupContext.extensions : [];
    // Not its branchGroup and reinitCreateNewGroup, whose Welcome has no tree.
    const state = await createGroup(
      groupId,
      publicPackage,
      privatePackage,
      extensions,
      this.#suite,
      this.#config,
    );
    const adds = keyPackages.map((keyPackage) => this.#proposal({ type: "add", keyPackage }));
    const { id } = makeResumptionPsk(old, lineage, this.#suite);
    const { welcome, newState } = await createCommit(
      { state, cipherSuite: this.#suite, pskIndex: makePskIndex(old, {}) },
      {
        extraProposals: [...adds, { proposalType: "psk", psk: { preSharedKeyId: id } }],
        ratchetTreeExtension: true,
      },
    );
    this.#state = newState;
    return encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome });
  }

  /** Leave the group for one that continues it. */
  async joinContinuation(message) {
    const old = this.#group;
    const { welcome } = decode(message, "mls_welcome");
    const { publicPackage, privatePackage } = this.#package;
    this.#state = await joinGroup(
      welcome,
      publicPackage,
      privatePackage,
      makePskIndex(old, {}),
      this.#suite,
      undefined,
      old,
      this.#config,
    );
  }

  async export(label, context, length) {
    const { exporterSecret } = this.#group.keySchedule;
    return mlsExporter(exporterSecret, new TextDecoder().decode(label), context, length, this.#suite);
  }

  state() {
    const { groupContext, keySchedule, privatePath, ratchetTree } = this.#group;
    const members = [];
    ratchetTree.forEach((node, index) => {
      if (node?.nodeType !== "leaf") return;
      const { credential } = node.leaf;
      const isBasic = credential.credentialType === "basic";
      members.push([index / 2, isBasic ? credential.identity : credential.certificates[0]]);
    });
    return {
      epoch: Number(groupContext.epoch),
      epochAuthenticator: keySchedule.epochAuthenticator,
      treeHash: groupContext.treeHash,
      ownLeaf: privatePath.leafIndex,
      members,
    };
  }
}

function decode(data, ...kinds) {
  const decoded = decodeMlsMessage(data, 0);
  if (decoded === undefined || decoded[1] !== data.length) throw new Error("malformed MLSMessage");
  if (!kinds.includes(decoded[0].wireformat)) throw new Error(`no ${kinds.join(" or ")}`);
  return decoded[0];
}
