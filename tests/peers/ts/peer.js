// ts-mls as a peer: without arguments one JSON request a line in and one answer a line out; with `bench`
// it measures itself. Bytes travel as hexadecimal digits. The requests are those of `rust/stdio`.

import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

import { bench } from "./bench.js";
import { Client, SUITES } from "./client.js";

const manifest = new URL("./package.json", import.meta.url);
export const VERSION = JSON.parse(readFileSync(manifest, "utf8")).dependencies["ts-mls"];

// Uint8Array proper: ts-mls compares and slices, and a Buffer's slice shares memory.
const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");

function proposal(fields) {
  return {
    type: fields.type,
    keyPackage: fields.key_package && bytes(fields.key_package),
    leaf: fields.leaf,
    epoch: fields.epoch === undefined ? undefined : BigInt(fields.epoch),
    extensions: fields.extensions && bytes(fields.extensions),
    groupId: fields.group_id && bytes(fields.group_id),
    pskId: fields.psk_id && bytes(fields.psk_id),
  };
}

const operations = {
  key_package: async (client) => hex(await client.keyPackage()),
  create: async (client, { group_id }) => (await client.found(bytes(group_id))) ?? null,
  join: async (client, { welcome }) => (await client.join(bytes(welcome))) ?? null,
  join_externally: async (client, { group_info, replaces }) =>
    hex(await client.joinExternally(bytes(group_info), replaces ?? null)),
  propose_self: async (client, { group_info }) => hex(await client.proposeSelf(bytes(group_info))),
  group_info: async (client) => hex(await client.groupInfo()),
  add_psk: async (client, { psk_id, psk }) => client.addPsk(bytes(psk_id), bytes(psk)) ?? null,
  propose: async (client, fields) => hex(await client.propose(proposal(fields))),
  commit: async (client, { proposals }) => {
    const { message, welcome } = await client.commit(proposals.map(proposal));
    return { message: hex(message), welcome: welcome && hex(welcome) };
  },
  merge: async (client) => client.merge() ?? null,
  discard: async (client) => client.discard() ?? null,
  process: async (client, { message }) => {
    const { kind, data } = await client.process(bytes(message));
    return data === undefined ? { kind } : { kind, data: hex(data) };
  },
  protect: async (client, { data }) => hex(await client.protect(bytes(data))),
  continue_as: async (client, { lineage, group_id, key_packages }) =>
    hex(await client.continueAs(lineage, bytes(group_id), key_packages.map(bytes))),
  join_continuation: async (client, { welcome }) => (await client.joinContinuation(bytes(welcome))) ?? null,
  export: async (client, { label, context, length }) =>
    hex(await client.export(bytes(label), bytes(context), length)),
  state: async (client) => {
    const { epoch, epochAuthenticator, treeHash, ownLeaf, members } = client.state();
    return {
      epoch,
      epoch_authenticator: hex(epochAuthenticator),
      tree_hash: hex(treeHash),
      own_leaf: ownLeaf,
      members: members.map(([leaf, identity]) => [leaf, hex(identity)]),
    };
  },
};

function settings(fields) {
  return {
    suite: fields.suite,
    credential: fields.credential,
    encryptsHandshake: fields.encrypts_handshake,
    identity: fields.identity && bytes(fields.identity),
    certificates: fields.certificates?.map(bytes),
    privateKey: fields.private_key && bytes(fields.private_key),
    publicKey: fields.public_key && bytes(fields.public_key),
    roots: fields.roots?.map(bytes),
  };
}

async function answer(clients, line) {
  const { operation, client, ...fields } = JSON.parse(line);
  if (operation === "hello") return { peer: "ts-mls", version: VERSION, suites: SUITES };
  if (operation === "client") {
    clients.set(client, await Client.create(settings(fields)));
    return null;
  }
  if (operation === "forget") {
    clients.delete(client);
    return null;
  }
  if (!clients.has(client)) throw new Error("no such client");
  if (!(operation in operations)) throw new Error(`no such operation: ${operation}`);
  return operations[operation](clients.get(client), fields);
}

async function serve() {
  const clients = new Map();
  for await (const line of createInterface({ input: process.stdin })) {
    let reply;
    try {
      reply = { ok: await answer(clients, line) };
    } catch (error) {
      reply = { error: `${error.name}: ${error.message}` };
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
}

const [mode, ...words] = process.argv.slice(2);
if (mode === undefined) await serve();
else if (mode === "bench") await bench(VERSION, words);
else throw new Error("usage: peer.js [bench --n N --credential basic|x509 [--certificates DIR]]");
