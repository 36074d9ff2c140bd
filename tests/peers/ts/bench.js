// ts-mls measures itself, in the same steps as `rust/stdio/src/bench.rs`.

import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Client } from "./client.js";

const SUITE = 2;
const WARMING_COMMITS = 20;
const APPLICATION_MESSAGES = 200;
const MESSAGE = new Uint8Array(1024).fill(7);

function parse(words) {
  const options = { "--credential": "basic" };
  for (let index = 0; index < words.length; index += 2) options[words[index]] = words[index + 1];
  const n = Number(options["--n"]);
  if (!Number.isInteger(n) || n < 3) throw new Error("--n must be at least 3");
  return { n, credential: options["--credential"], folder: options["--certificates"] };
}

function settings({ credential, folder }, index) {
  const common = { suite: SUITE, encryptsHandshake: false, credential };
  if (credential === "basic") {
    return { ...common, identity: new TextEncoder().encode(`client ${index}`) };
  }
  const read = (name) => Uint8Array.from(readFileSync(join(folder, name)));
  const certificate = read(`leaf-${index}.der`);
  const key = createPrivateKey({ key: Buffer.from(read(`leaf-${index}.key`)), format: "der", type: "pkcs8" });
  const { d } = key.export({ format: "jwk" });
  const { x, y } = new X509Certificate(certificate).publicKey.export({ format: "jwk" });
  const part = (text) => Buffer.from(text, "base64url");
  return {
    ...common,
    certificates: [certificate, read("intermediate.der")],
    privateKey: Uint8Array.from(part(d)),
    publicKey: Uint8Array.from(Buffer.concat([Buffer.of(4), part(x), part(y)])),
    roots: [read("ca.der")],
  };
}

function chosenLeaves(n, receiver, wanted) {
  const chosen = [];
  let state = 1n;
  while (chosen.length < Math.min(wanted, n - 2)) {
    state = (state * 1_103_515_245n + 12_345n) & 0x7fff_ffffn;
    const leaf = Number((state >> 8n) % BigInt(n));
    if (leaf !== 0 && leaf !== receiver && !chosen.includes(leaf)) chosen.push(leaf);
  }
  return chosen;
}

async function timed(times, action) {
  const start = process.hrtime.bigint();
  const result = await action();
  times.push(Number(process.hrtime.bigint() - start) / 1e6);
  return result;
}

function heapBytes() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** Measure everything for one N and print a line for each operation. */
export async function bench(version, words) {
  const options = parse(words);
  const { n, credential } = options;
  const runs = n <= 100 ? 10 : 3;

  const line = (fields) =>
    console.log(JSON.stringify({ peer: "ts-mls", version, suite: SUITE, credential, n, ...fields }));
  const print = (operation, times, bytes) => {
    times.sort((a, b) => a - b);
    const median_ms = times[Math.floor(times.length / 2)];
    line({ operation, median_ms, min_ms: times[0], runs: times.length, bytes });
  };

  const clients = [];
  const adds = [];
  for (let index = 0; index < n; index++) {
    const client = await Client.create(settings(options, index));
    if (index > 0) adds.push({ type: "add", keyPackage: await client.keyPackage() });
    clients.push(client);
  }
  const [founder] = clients;
  const receiver = clients[Math.floor(n / 2)];
  await founder.found(new TextEncoder().encode("bench"));
  let times = [];
  const { welcome } = await timed(times, () => founder.commit(adds));
  founder.merge();
  print("bulk_add", times, welcome.length);

  times = [];
  await timed(times, () => receiver.join(welcome));
  const before = heapBytes();
  const warmers = chosenLeaves(n, Math.floor(n / 2), WARMING_COMMITS).map((leaf) => clients[leaf]);
  for (const warmer of warmers) await timed(times, () => warmer.join(welcome));
  print("join", times, welcome.length);
  if (warmers.length > 0) {
    line({ operation: "memory", bytes: Math.max(0, Math.round((heapBytes() - before) / warmers.length)) });
  }

  const log = [];
  const commit = async (into, proposals) => {
    const { message } = await timed(into.created, () => founder.commit(proposals));
    founder.merge();
    await timed(into.processed, () => receiver.process(message));
    into.bytes = message.length;
    log.push(message);
  };
  const fresh = () => ({ created: [], processed: [], bytes: 0 });
  const printBoth = (name, { created, processed, bytes }) => {
    print(`${name}_create`, created, bytes);
    print(`${name}_process`, processed, bytes);
  };
  const updates = async (name) => {
    const into = fresh();
    for (let run = 0; run < runs; run++) await commit(into, []);
    printBoth(name, into);
  };

  await updates("flat_update");
  for (const warmer of warmers) {
    for (const message of log) await warmer.process(message);
    const { message } = await warmer.commit([]);
    await founder.process(message);
    await receiver.process(message);
    log.push(message);
  }
  await updates("warm_update");

  const [removed, added] = [fresh(), fresh()];
  for (let run = 0; run < runs; run++) {
    const newcomer = await Client.create(settings(options, n - 1));
    const keyPackage = await newcomer.keyPackage();
    await commit(removed, [{ type: "remove", leaf: n - 1 }]);
    await commit(added, [{ type: "add", keyPackage }]);
  }
  printBoth("warm_add", added);
  printBoth("warm_remove", removed);

  const [sealed, opened] = [[], []];
  let bytes = 0;
  for (let index = 0; index < APPLICATION_MESSAGES; index++) {
    const message = await timed(sealed, () => founder.protect(MESSAGE));
    await timed(opened, () => receiver.process(message));
    bytes = message.length;
  }
  print("app_encrypt_1k", sealed, bytes);
  print("app_decrypt_1k", opened, bytes);
}
