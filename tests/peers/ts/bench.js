// ts-mls measures itself, in the same steps as `rust/stdio/src/bench.rs`.

import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Client } from "./client.js";

const SUITE = 2;
const WARMING_COMMITS = 20;
const RECEIVERS = 4;
const APPLICATION_MESSAGES = 200;
const MESSAGE = new Uint8Array(1024).fill(7);

function parse(words) {
  const options = { "--credential": "basic" };
  for (let index = 0; index < words.length; index += 2) options[words[index]] = words[index + 1];
  const n = Number(options["--n"]);
  if (!Number.isInteger(n) || n < 4) throw new Error("--n must be at least 4");
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

function warmingLeaves(n) {
  const chosen = [];
  let state = 1n;
  while (chosen.length < Math.min(WARMING_COMMITS, n - 3)) {
    state = (state * 1_103_515_245n + 12_345n) & 0x7fff_ffffn;
    const leaf = Number((state >> 8n) % BigInt(n));
    if (![0, Math.floor(n / 2), n - 1].includes(leaf) && !chosen.includes(leaf)) chosen.push(leaf);
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
  const runs = n <= 100 ? 10 : 2;

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
  const warmers = warmingLeaves(n).map((leaf) => clients[leaf]);
  for (const warmer of warmers) await timed(times, () => warmer.join(welcome));
  print("join", times, welcome.length);
  if (warmers.length > 0) {
    line({ operation: "memory", bytes: Math.max(0, Math.round((heapBytes() - before) / warmers.length)) });
  }

  const log = [];
  const seen = new Map();
  const catchUp = async (client) => {
    for (let index = seen.get(client) ?? 0; index < log.length; index++) await client.process(log[index]);
    seen.set(client, log.length);
  };
  const receivers = [receiver, ...warmers.slice(0, RECEIVERS)];
  const measure = async (name, proposals) => {
    const [created, processed] = [[], []];
    let message;
    for (let run = 0; run < runs; run++) {
      if (run > 0) founder.discard();
      ({ message } = await timed(created, () => founder.commit(proposals)));
    }
    founder.merge();
    for (const client of receivers) {
      await catchUp(client);
      await timed(processed, () => client.process(message));
      seen.set(client, log.length + 1);
    }
    log.push(message);
    print(`${name}_create`, created, message.length);
    print(`${name}_process`, processed, message.length);
  };

  await measure("flat_update", []);
  for (const warmer of [...warmers.slice(RECEIVERS), ...warmers.slice(0, RECEIVERS)]) {
    await catchUp(warmer);
    const { message } = await warmer.commit([]);
    warmer.merge();
    await founder.process(message);
    log.push(message);
    seen.set(warmer, log.length);
  }
  await measure("warm_update", []);
  const newcomer = await Client.create(settings(options, n));
  await measure("warm_add", [{ type: "add", keyPackage: await newcomer.keyPackage() }]);
  await measure("warm_remove", [{ type: "remove", leaf: n - 1 }]);

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
