//! A stack measures itself: bytes in, bytes out, as an application would call it.
//!
//! Leaf 0 founds the group and adds N-1 in one commit (*flat*); 20 chosen leaves and leaf N/2 join. Once the
//! flat update is measured the chosen ones make an empty commit each (*warm*). What is created is measured
//! several times and discarded all but once, so that each operation meets the tree of its name; what is left
//! is processed by leaf N/2 and some of the chosen. Handshake messages are PublicMessages.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::{Client, Identity, Proposal, Result, Settings, Stack};

const SUITE: u16 = 2;
const WARMING_COMMITS: usize = 20;
/// So many of the chosen leaves process what is measured, beside leaf N/2.
const RECEIVERS: usize = 4;
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
            Some(n) if n >= 4 => Ok(Self { n, credentials }),
            _ => Err("--n must be at least 4".into()),
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

/// Who makes the tree warm: at most 20 leaves, neither the founder nor the receiver nor the last, who is
/// removed. The same on every run and for every stack: a linear congruential sequence.
fn warming_leaves(n: usize) -> Vec<usize> {
    let (mut chosen, mut state) = (Vec::new(), 1_usize);
    while chosen.len() < WARMING_COMMITS.min(n - 3) {
        state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        let leaf = (state >> 8) % n;
        if ![0, n / 2, n - 1].contains(&leaf) && !chosen.contains(&leaf) {
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

/// Somebody who takes in the commits of `Group::log`, and how many of them so far.
struct Member {
    client: Box<dyn Client>,
    seen: usize,
}

/// The founder, who creates; those who process; and every commit since they joined.
struct Group<'a, S: Stack> {
    report: &'a Report<S>,
    founder: Box<dyn Client>,
    receivers: Vec<Member>,
    log: Vec<Vec<u8>>,
}

impl<S: Stack> Group<'_, S> {
    /// Measure a commit of these proposals on both sides. It stays in the group.
    fn measure(&mut self, name: &str, runs: usize, proposals: impl Fn() -> Vec<Proposal>) -> Result<()> {
        let (mut created, mut processed, mut message) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..runs {
            if run > 0 {
                self.founder.discard()?;
            }
            let list = proposals();
            message = timed(&mut created, || self.founder.commit(list))?.message;
        }
        self.founder.merge()?;
        for receiver in &mut self.receivers {
            catch_up(receiver, &self.log)?;
            timed(&mut processed, || receiver.client.process(&message))?;
            receiver.seen += 1;
        }
        self.report.print(&format!("{name}_create"), &mut created, message.len());
        self.report.print(&format!("{name}_process"), &mut processed, message.len());
        self.log.push(message);
        Ok(())
    }

    /// Let a member make an empty commit.
    fn commit_by(&mut self, member: &mut Member) -> Result<()> {
        catch_up(member, &self.log)?;
        let message = member.client.commit(Vec::new())?.message;
        member.client.merge()?;
        member.seen += 1;
        self.founder.process(&message)?;
        self.log.push(message);
        Ok(())
    }

    fn messages(&mut self) -> Result<()> {
        let (mut sealed, mut opened, mut bytes) = (Vec::new(), Vec::new(), 0);
        for _ in 0..APPLICATION_MESSAGES {
            let message = timed(&mut sealed, || self.founder.protect(&MESSAGE))?;
            timed(&mut opened, || self.receivers[0].client.process(&message))?;
            bytes = message.len();
        }
        self.report.print("app_encrypt_1k", &mut sealed, bytes);
        self.report.print("app_decrypt_1k", &mut opened, bytes);
        Ok(())
    }
}

fn catch_up(member: &mut Member, log: &[Vec<u8>]) -> Result<()> {
    for message in &log[member.seen..] {
        member.client.process(message)?;
        member.seen += 1;
    }
    Ok(())
}

/// Measure everything for one N and print a line for each operation.
pub fn bench<S: Stack>(stack: &S, words: &[String]) -> Result<()> {
    let Arguments { n, credentials } = Arguments::parse(words)?;
    let report = Report::<S> { stack: std::marker::PhantomData, n, credential: credentials.name() };
    let runs = if n <= 1000 { 10 } else { 3 };

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
    for leaf in warming_leaves(n) {
        let mut client = take(leaf)?;
        timed(&mut times, || client.join(&welcome))?;
        warmers.push(Member { client, seen: 0 });
    }
    report.print("join", &mut times, welcome.len());
    if !warmers.is_empty() {
        let bytes = resident_bytes()?.saturating_sub(before) / warmers.len();
        report.line(json!({ "operation": "memory", "bytes": bytes }));
    }

    let mut early = warmers.split_off(warmers.len().min(RECEIVERS));
    let mut receivers = vec![Member { client: receiver, seen: 0 }];
    receivers.append(&mut warmers);
    let mut group = Group { report: &report, founder, receivers, log: Vec::new() };
    group.measure("flat_update", runs, Vec::new)?;
    for member in &mut early {
        group.commit_by(member)?;
    }
    drop(early);
    for index in 1..group.receivers.len() {
        let mut member = group.receivers.remove(index);
        group.commit_by(&mut member)?;
        group.receivers.insert(index, member);
    }
    group.measure("warm_update", runs, Vec::new)?;

    let newcomer = stack.client(credentials.settings(n)?)?.key_package()?;
    group.measure("warm_add", runs, || vec![Proposal::Add(newcomer.clone())])?;
    let last = u32::try_from(n - 1)?;
    group.measure("warm_remove", runs, || vec![Proposal::Remove(last)])?;
    group.messages()
}
