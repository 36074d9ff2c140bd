//! A stack measures itself: bytes in, bytes out, as an application would call it.
//!
//! Leaf 0 founds the group and adds N-1 in one commit (*flat*); leaf N/2 and 20 others join. After the
//! flat updates the others make an empty commit each (*warm*). Handshake messages are PublicMessages.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::{Client, Identity, Proposal, Result, Settings, Stack};

const SUITE: u16 = 2;
const WARMING_COMMITS: usize = 20;
const APPLICATION_MESSAGES: usize = 200;
const MESSAGE: [u8; 1024] = [7; 1024];

/// Where the identities of a run come from.
enum Credentials {
    Basic,
    X509(PathBuf),
}

impl Credentials {
    fn settings(&self, index: usize) -> Result<Settings> {
        let (identity, roots) = match self {
            Self::Basic => (Identity::Basic(format!("client {index}").into_bytes()), Vec::new()),
            Self::X509(folder) => {
                let certificate = read(folder, &format!("leaf-{index}.der"))?;
                let identity = Identity::X509 {
                    private_key: p256_scalar(&read(folder, &format!("leaf-{index}.key"))?)?,
                    public_key: p256_point(&certificate)?,
                    certificates: vec![certificate, read(folder, "intermediate.der")?],
                };
                (identity, vec![read(folder, "ca.der")?])
            }
        };
        Ok(Settings { suite: SUITE, identity, roots, encrypts_handshake: false })
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::X509(_) => "x509",
        }
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn after<'a>(data: &'a [u8], prefix: &[u8], length: usize) -> Option<&'a [u8]> {
    let start = data.windows(prefix.len()).position(|window| window == prefix)? + prefix.len();
    data.get(start..start + length)
}

/// The uncompressed point in a certificate: after the OID of P-256 and the header of the bit string.
fn p256_point(certificate: &[u8]) -> Result<Vec<u8>> {
    let prefix = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00];
    Ok(after(certificate, &prefix, 65).ok_or("no P-256 key in the certificate")?.to_vec())
}

/// The private scalar in a PKCS#8 key: an ECPrivateKey of version 1 begins with it.
fn p256_scalar(key: &[u8]) -> Result<Vec<u8>> {
    let prefix = [0x02, 0x01, 0x01, 0x04, 0x20];
    Ok(after(key, &prefix, 32).ok_or("no P-256 private key")?.to_vec())
}

struct Arguments {
    n: usize,
    credentials: Credentials,
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self> {
        let (mut n, mut credential, mut folder) = (None, "basic", None);
        for pair in words.chunks(2) {
            match pair {
                [name, value] if name == "--n" => n = Some(value.parse()?),
                [name, value] if name == "--credential" => credential = value,
                [name, value] if name == "--certificates" => folder = Some(PathBuf::from(value)),
                _ => return Err(format!("cannot read the argument {}", pair[0]).into()),
            }
        }
        let credentials = match credential {
            "basic" => Credentials::Basic,
            "x509" => Credentials::X509(folder.ok_or("--credential x509 needs --certificates")?),
            other => return Err(format!("no such credential: {other}").into()),
        };
        match n {
            Some(n) if n >= 3 => Ok(Self { n, credentials }),
            _ => Err("--n must be at least 3".into()),
        }
    }
}

struct Report<S: Stack> {
    stack: std::marker::PhantomData<S>,
    n: usize,
    credential: &'static str,
}

impl<S: Stack> Report<S> {
    fn print(&self, operation: &str, times: &mut [Duration], bytes: usize) {
        times.sort_unstable();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        self.line(json!({
            "operation": operation,
            "median_ms": milliseconds(times[times.len() / 2]),
            "min_ms": milliseconds(times[0]),
            "runs": times.len(),
            "bytes": bytes,
        }));
    }

    fn line(&self, mut fields: Value) {
        for (name, value) in [
            ("peer", json!(S::NAME)),
            ("version", json!(S::VERSION)),
            ("suite", json!(SUITE)),
            ("credential", json!(self.credential)),
            ("n", json!(self.n)),
        ] {
            fields[name] = value;
        }
        println!("{fields}");
    }
}

fn timed<T>(times: &mut Vec<Duration>, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = action()?;
    times.push(start.elapsed());
    Ok(result)
}

/// The same pseudo-random choice on every run and for every peer: a linear congruential sequence.
fn chosen_leaves(n: usize, receiver: usize, wanted: usize) -> Vec<usize> {
    let (mut chosen, mut state) = (Vec::new(), 1_usize);
    while chosen.len() < wanted.min(n.saturating_sub(2)) {
        state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        let leaf = (state >> 8) % n;
        if leaf != 0 && leaf != receiver && !chosen.contains(&leaf) {
            chosen.push(leaf);
        }
    }
    chosen
}

fn resident_bytes() -> Result<usize> {
    let statistics = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = statistics.split(' ').nth(1).ok_or("no resident size")?.parse()?;
    Ok(pages * 4096)
}

/// The two members that are measured, and every commit since the second joined.
struct Pair<'a, S: Stack> {
    report: &'a Report<S>,
    founder: Box<dyn Client>,
    receiver: Box<dyn Client>,
    log: Vec<Vec<u8>>,
}

/// Times of one operation on both sides, and the size of its last commit.
#[derive(Default)]
struct Times {
    created: Vec<Duration>,
    processed: Vec<Duration>,
    bytes: usize,
}

impl<S: Stack> Pair<'_, S> {
    fn commit(&mut self, times: &mut Times, proposals: Vec<Proposal>) -> Result<()> {
        let commit = timed(&mut times.created, || self.founder.commit(proposals))?;
        self.founder.merge()?;
        timed(&mut times.processed, || self.receiver.process(&commit.message))?;
        times.bytes = commit.message.len();
        self.log.push(commit.message);
        Ok(())
    }

    fn updates(&mut self, runs: usize, name: &str) -> Result<()> {
        let mut times = Times::default();
        for _ in 0..runs {
            self.commit(&mut times, Vec::new())?;
        }
        self.print(name, times);
        Ok(())
    }

    fn print(&self, name: &str, mut times: Times) {
        self.report.print(&format!("{name}_create"), &mut times.created, times.bytes);
        self.report.print(&format!("{name}_process"), &mut times.processed, times.bytes);
    }

    /// Let another member, which has seen nothing since it joined, make an empty commit.
    fn commit_by(&mut self, mut other: Box<dyn Client>) -> Result<()> {
        for message in &self.log {
            other.process(message)?;
        }
        let message = other.commit(Vec::new())?.message;
        self.founder.process(&message)?;
        self.receiver.process(&message)?;
        self.log.push(message);
        Ok(())
    }

    fn messages(&mut self) -> Result<()> {
        let (mut sealed, mut opened, mut bytes) = (Vec::new(), Vec::new(), 0);
        for _ in 0..APPLICATION_MESSAGES {
            let message = timed(&mut sealed, || self.founder.protect(&MESSAGE))?;
            timed(&mut opened, || self.receiver.process(&message))?;
            bytes = message.len();
        }
        self.report.print("app_encrypt_1k", &mut sealed, bytes);
        self.report.print("app_decrypt_1k", &mut opened, bytes);
        Ok(())
    }
}

/// Measure everything for one N and print a line for each operation.
pub fn bench<S: Stack>(stack: &S, words: &[String]) -> Result<()> {
    let Arguments { n, credentials } = Arguments::parse(words)?;
    let report = Report::<S> { stack: std::marker::PhantomData, n, credential: credentials.name() };
    let runs = if n <= 100 { 20 } else { 5 };

    let mut clients = Vec::with_capacity(n);
    let mut packages = Vec::with_capacity(n);
    for index in 0..n {
        let mut client = stack.client(credentials.settings(index)?)?;
        if index > 0 {
            packages.push(client.key_package()?);
        }
        clients.push(Some(client));
    }
    let mut take = |leaf: usize| clients[leaf].take().ok_or("a leaf was chosen twice");
    let mut founder = take(0)?;
    founder.create(b"bench")?;

    let mut times = Vec::new();
    let mut welcome = Vec::new();
    for run in 0..if n <= 1000 { 3 } else { 1 } {
        if run > 0 {
            founder.discard()?;
        }
        let adds = packages.iter().cloned().map(Proposal::Add).collect();
        let commit = timed(&mut times, || founder.commit(adds))?;
        welcome = commit.welcome.ok_or("no Welcome")?;
    }
    founder.merge()?;
    report.print("bulk_add", &mut times, welcome.len());

    let mut times = Vec::new();
    let mut receiver = take(n / 2)?;
    timed(&mut times, || receiver.join(&welcome))?;
    let before = resident_bytes()?;
    let mut warmers = Vec::new();
    for leaf in chosen_leaves(n, n / 2, WARMING_COMMITS) {
        let mut client = take(leaf)?;
        timed(&mut times, || client.join(&welcome))?;
        warmers.push(client);
    }
    report.print("join", &mut times, welcome.len());
    if !warmers.is_empty() {
        let bytes = resident_bytes()?.saturating_sub(before) / warmers.len();
        report.line(json!({ "operation": "memory", "bytes": bytes }));
    }

    let mut pair = Pair { report: &report, founder, receiver, log: Vec::new() };
    pair.updates(runs, "flat_update")?;
    for warmer in warmers {
        pair.commit_by(warmer)?;
    }
    pair.updates(runs, "warm_update")?;

    // In turns, so that the tree keeps its size: the last member goes, and comes back to the same leaf. One
    // and the same member, since every removal blanks a path that nobody fills again.
    let (mut removed, mut added) = (Times::default(), Times::default());
    for _ in 0..runs {
        let package = stack.client(credentials.settings(n - 1)?)?.key_package()?;
        pair.commit(&mut removed, vec![Proposal::Remove(u32::try_from(n - 1)?)])?;
        pair.commit(&mut added, vec![Proposal::Add(package)])?;
    }
    pair.print("warm_add", added);
    pair.print("warm_remove", removed);
    pair.messages()
}
