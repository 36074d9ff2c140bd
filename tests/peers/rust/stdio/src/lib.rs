//! A stack of MLS as a program: what each must be able to do, and the two ways to talk to it.
//!
//! Without arguments a program reads one JSON request a line and answers each with one line
//! (`serve`); with `bench` it measures itself (`bench`). Bytes travel as hexadecimal digits.

mod bench;
mod hex;
mod request;
mod serve;

/// An error is told to the other side in words and changes nothing else.
pub type Error = Box<dyn std::error::Error>;
pub type Result<T> = std::result::Result<T, Error>;

/// Who a client is. The private key is in its raw form; a basic client makes its own.
pub enum Identity {
    Basic(Vec<u8>),
    X509 { certificates: Vec<Vec<u8>>, private_key: Vec<u8>, public_key: Vec<u8> },
}

/// What decides about a client for its life.
pub struct Settings {
    pub suite: u16,
    pub identity: Identity,
    /// DER certificates that other clients' chains may end in.
    pub roots: Vec<Vec<u8>>,
    /// Whether handshake messages go out as PrivateMessage.
    pub encrypts_handshake: bool,
}

/// A proposal as the driver names it.
pub enum Proposal {
    Add(Vec<u8>),
    Update,
    Remove(u32),
    /// An external PSK, by its id.
    Psk(Vec<u8>),
    /// The resumption PSK of one of the group's epochs.
    Resumption(u64),
    /// New GroupContext extensions: an encoded `Extension extensions<V>`.
    Extensions(Vec<u8>),
    /// The end of the group, for one of that id in the same suite and without extensions.
    ReInit(Vec<u8>),
}

/// How a new group goes on from an old one (RFC 9420 §11.2, §11.3).
#[derive(Clone, Copy)]
pub enum Lineage {
    ReInit,
    Branch,
}

pub struct Commit {
    pub message: Vec<u8>,
    pub welcome: Option<Vec<u8>>,
}

/// What a received message was.
pub enum Received {
    Application(Vec<u8>),
    Proposal,
    /// The next epoch has begun.
    Commit,
    /// The commit removed this client.
    Removed,
}

pub struct State {
    pub epoch: u64,
    pub epoch_authenticator: Vec<u8>,
    pub tree_hash: Vec<u8>,
    pub own_leaf: u32,
    /// Leaf index and encoded credential content of each member, by index.
    pub members: Vec<(u32, Vec<u8>)>,
}

/// A type of extension that every client supports, whatever it may mean.
pub const PRIVATE_EXTENSION: u16 = 0xf001;

/// One client in at most one group. All messages are encoded MLSMessages.
pub trait Client {
    fn key_package(&mut self) -> Result<Vec<u8>>;
    fn create(&mut self, group_id: &[u8]) -> Result<()>;
    fn join(&mut self, welcome: &[u8]) -> Result<()>;
    /// Join by an external commit, in the place of the leaf `replaces` if there is one.
    fn join_externally(&mut self, group_info: &[u8], replaces: Option<u32>) -> Result<Vec<u8>>;
    /// Propose oneself from outside (RFC 9420 §12.1.8); `join` takes the Welcome that follows.
    fn propose_self(&mut self, group_info: &[u8]) -> Result<Vec<u8>>;
    fn group_info(&mut self) -> Result<Vec<u8>>;
    fn add_psk(&mut self, id: &[u8], value: &[u8]) -> Result<()>;
    fn propose(&mut self, proposal: Proposal) -> Result<Vec<u8>>;
    /// A pending commit of these proposals and of all received ones; always with a path.
    fn commit(&mut self, proposals: Vec<Proposal>) -> Result<Commit>;
    fn merge(&mut self) -> Result<()>;
    fn discard(&mut self) -> Result<()>;
    fn process(&mut self, message: &[u8]) -> Result<Received>;
    fn protect(&mut self, data: &[u8]) -> Result<Vec<u8>>;
    /// Leave the group for a new one that continues it, with the clients of these KeyPackages; the Welcome.
    fn continue_as(&mut self, lineage: Lineage, group_id: &[u8], packages: &[Vec<u8>]) -> Result<Vec<u8>> {
        let _ = (lineage, group_id, packages);
        Err("this stack has no such groups".into())
    }
    /// Leave the group for one that continues it.
    fn join_continuation(&mut self, lineage: Lineage, welcome: &[u8]) -> Result<()> {
        let _ = (lineage, welcome);
        Err("this stack has no such groups".into())
    }
    fn export(&mut self, label: &[u8], context: &[u8], length: usize) -> Result<Vec<u8>>;
    fn state(&mut self) -> Result<State>;
}

/// A stack: where clients come from.
pub trait Stack {
    const NAME: &'static str;
    const VERSION: &'static str;
    const SUITES: &'static [u16];
    fn client(&self, settings: Settings) -> Result<Box<dyn Client>>;
}

/// The whole of a program's `main`.
pub fn run<S: Stack>(stack: &S) -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        None => serve::serve(stack),
        Some("bench") => bench::bench(stack, &arguments[1..]),
        Some(_) => Err("usage: PROGRAM [bench --n N --credential basic|x509 [--certificates DIR]]".into()),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", S::NAME);
            std::process::ExitCode::FAILURE
        }
    }
}
