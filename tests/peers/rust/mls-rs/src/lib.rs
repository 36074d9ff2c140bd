//! mls-rs as a peer, over whichever provider of cryptography a program brings along.

mod judge;

use mls_rs::client_builder::MlsConfig;
use mls_rs::client_builder::PaddingMode;
use mls_rs::crypto::SignatureSecretKey;
use mls_rs::group::{CommitEffect, ReceivedMessage};
use mls_rs::identity::basic::BasicCredential;
use mls_rs::identity::{Credential, SigningIdentity};
use mls_rs::mls_rs_codec::MlsDecode;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::psk::{ExternalPskId, PreSharedKey};
use mls_rs::storage_provider::in_memory::InMemoryPreSharedKeyStorage;
use mls_rs::{CipherSuite, CipherSuiteProvider, CryptoProvider, ExtensionList, Group, MlsMessage};
use mls_rs_identity_x509::{CertificateChain, DerCertificate, X509CredentialValidator};
use peer_stdio::{
    Client, Commit, Identity, Lineage, Proposal, Received, Result, Settings, Stack, State, PRIVATE_EXTENSION,
};

use judge::Judge;

/// What makes a program of this library: a provider of cryptography, with its judge of certificates.
pub trait Program: Sized + Send + Sync + 'static {
    const NAME: &'static str;
    const SUITES: &'static [u16];
    type Crypto: CryptoProvider + Clone + 'static;
    type Validator: X509CredentialValidator + Send + Sync + 'static;

    fn crypto() -> Self::Crypto;
    fn validator(roots: Vec<DerCertificate>) -> Result<Self::Validator>;
}

pub struct MlsRs<P>(std::marker::PhantomData<P>);

impl<P: Program> MlsRs<P> {
    /// The whole of a program's `main`.
    pub fn run() -> std::process::ExitCode {
        peer_stdio::run(&Self(std::marker::PhantomData))
    }
}

impl<P: Program> Stack for MlsRs<P> {
    const NAME: &'static str = P::NAME;
    const VERSION: &'static str = "0.57.0";
    const SUITES: &'static [u16] = P::SUITES;

    fn client(&self, settings: Settings) -> Result<Box<dyn Client>> {
        let (provider, suite) = (P::crypto(), CipherSuite::from(settings.suite));
        let crypto = provider.cipher_suite_provider(suite).ok_or("no such cipher suite")?;
        let (credential, secret, public) = match settings.identity {
            Identity::Basic(identity) => {
                let (secret, public) =
                    crypto.signature_key_generate().map_err(|_| "no key pair can be made")?;
                let credential = Credential::Basic(BasicCredential::new(identity));
                (credential, secret, public)
            }
            Identity::X509 { certificates, mut private_key, public_key } => {
                // mls-rs keeps both halves of an Ed25519 key together.
                if suite == CipherSuite::CURVE25519_AES128 || suite == CipherSuite::CURVE25519_CHACHA {
                    private_key.extend_from_slice(&public_key);
                }
                let chain = CertificateChain::from(certificates);
                let secret = SignatureSecretKey::from(private_key);
                (Credential::X509(chain), secret, public_key.into())
            }
        };
        let roots: Vec<DerCertificate> = settings.roots.into_iter().map(Into::into).collect();
        let rules = DefaultMlsRules::new()
            .with_commit_options(
                CommitOptions::new()
                    .with_path_required(true)
                    .with_ratchet_tree_extension(true)
                    .with_single_welcome_message(true),
            )
            .with_encryption_options(EncryptionOptions::new(settings.encrypts_handshake, PaddingMode::None));
        let psks = InMemoryPreSharedKeyStorage::default();
        let client = mls_rs::Client::builder()
            .crypto_provider(provider)
            .identity_provider(Judge::<P>::new(roots)?)
            .mls_rules(rules)
            .psk_store(psks.clone())
            .extension_type(PRIVATE_EXTENSION.into())
            .signing_identity(SigningIdentity::new(credential, public), secret, suite)
            .build();
        Ok(Box::new(MlsRsClient { client, psks, group: None }))
    }
}

struct MlsRsClient<C: MlsConfig> {
    client: mls_rs::Client<C>,
    psks: InMemoryPreSharedKeyStorage,
    group: Option<Group<C>>,
}

impl<C: MlsConfig> MlsRsClient<C> {
    fn group(&mut self) -> Result<&mut Group<C>> {
        self.group.as_mut().ok_or_else(|| "not in a group".into())
    }
}

impl<C: MlsConfig> Client for MlsRsClient<C> {
    fn key_package(&mut self) -> Result<Vec<u8>> {
        let (none, none_of_leaf) = (ExtensionList::default(), ExtensionList::default());
        let message = self.client.generate_key_package_message(none, none_of_leaf, None)?;
        Ok(message.to_bytes()?)
    }

    fn create(&mut self, group_id: &[u8]) -> Result<()> {
        let (none, none_of_leaf) = (ExtensionList::default(), ExtensionList::default());
        let group = self.client.create_group_with_id(group_id.to_vec(), none, none_of_leaf, None)?;
        self.group = Some(group);
        Ok(())
    }

    fn join(&mut self, welcome: &[u8]) -> Result<()> {
        let welcome = MlsMessage::from_bytes(welcome)?;
        self.group = Some(self.client.join_group(None, &welcome, None)?.0);
        Ok(())
    }

    fn join_externally(&mut self, group_info: &[u8], replaces: Option<u32>) -> Result<Vec<u8>> {
        let mut builder = self.client.external_commit_builder()?;
        if let Some(leaf) = replaces {
            builder = builder.with_removal(leaf);
        }
        let (group, commit) = builder.build(MlsMessage::from_bytes(group_info)?)?;
        self.group = Some(group);
        Ok(commit.to_bytes()?)
    }

    fn propose_self(&mut self, group_info: &[u8]) -> Result<Vec<u8>> {
        let info = MlsMessage::from_bytes(group_info)?;
        let (none, none_of_leaf) = (ExtensionList::default(), ExtensionList::default());
        let message = self.client.external_add_proposal(&info, None, Vec::new(), none, none_of_leaf, None)?;
        Ok(message.to_bytes()?)
    }

    fn group_info(&mut self) -> Result<Vec<u8>> {
        Ok(self.group()?.group_info_message_allowing_ext_commit(true)?.to_bytes()?)
    }

    fn add_psk(&mut self, id: &[u8], value: &[u8]) -> Result<()> {
        self.psks.insert(ExternalPskId::new(id.to_vec()), PreSharedKey::new(value.to_vec()));
        Ok(())
    }

    fn propose(&mut self, proposal: Proposal) -> Result<Vec<u8>> {
        let group = self.group()?;
        let message = match proposal {
            Proposal::Add(package) => group.propose_add(MlsMessage::from_bytes(&package)?, Vec::new())?,
            Proposal::Update => group.propose_update(Vec::new())?,
            Proposal::Remove(leaf) => group.propose_remove(leaf, Vec::new())?,
            Proposal::Psk(id) => group.propose_external_psk(ExternalPskId::new(id), Vec::new())?,
            Proposal::Resumption(epoch) => group.propose_resumption_psk(epoch, Vec::new())?,
            Proposal::Extensions(list) => {
                let list = ExtensionList::mls_decode(&mut list.as_slice())?;
                group.propose_group_context_extensions(list, Vec::new())?
            }
            Proposal::ReInit(group_id) => {
                let (version, suite) = (group.protocol_version(), group.cipher_suite());
                let none = ExtensionList::default();
                group.propose_reinit(Some(group_id), version, suite, none, Vec::new())?
            }
        };
        Ok(message.to_bytes()?)
    }

    fn commit(&mut self, proposals: Vec<Proposal>) -> Result<Commit> {
        let group = self.group()?;
        let (version, suite) = (group.protocol_version(), group.cipher_suite());
        let mut builder = group.commit_builder();
        for proposal in proposals {
            builder = match proposal {
                Proposal::Add(package) => builder.add_member(MlsMessage::from_bytes(&package)?)?,
                Proposal::Remove(leaf) => builder.remove_member(leaf)?,
                Proposal::Psk(id) => builder.add_external_psk(ExternalPskId::new(id))?,
                Proposal::Resumption(epoch) => builder.add_resumption_psk(epoch)?,
                Proposal::Extensions(list) => {
                    builder.set_group_context_ext(ExtensionList::mls_decode(&mut list.as_slice())?)?
                }
                Proposal::ReInit(group_id) => {
                    builder.reinit(Some(group_id), version, suite, ExtensionList::default())?
                }
                Proposal::Update => return Err("an Update cannot be committed by its sender".into()),
            };
        }
        let output = builder.build()?;
        let welcome = output.welcome_messages().first().map(MlsMessage::to_bytes).transpose()?;
        Ok(Commit { message: output.commit_message().to_bytes()?, welcome })
    }

    fn merge(&mut self) -> Result<()> {
        self.group()?.apply_pending_commit()?;
        Ok(())
    }

    fn discard(&mut self) -> Result<()> {
        self.group()?.clear_pending_commit();
        Ok(())
    }

    fn process(&mut self, message: &[u8]) -> Result<Received> {
        match self.group()?.process_incoming_message(MlsMessage::from_bytes(message)?)? {
            ReceivedMessage::ApplicationMessage(received) => {
                Ok(Received::Application(received.data().to_vec()))
            }
            ReceivedMessage::Proposal(_) => Ok(Received::Proposal),
            ReceivedMessage::Commit(received) => Ok(match received.effect {
                CommitEffect::Removed { .. } => Received::Removed,
                _ => Received::Commit,
            }),
            _ => Err("not a message of a group".into()),
        }
    }

    fn protect(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        Ok(self.group()?.encrypt_application_message(data, Vec::new())?.to_bytes()?)
    }

    fn continue_as(&mut self, lineage: Lineage, group_id: &[u8], packages: &[Vec<u8>]) -> Result<Vec<u8>> {
        let group = self.group()?;
        let packages = packages.iter().map(|each| MlsMessage::from_bytes(each));
        let packages = packages.collect::<std::result::Result<Vec<_>, _>>()?;
        let (next, welcomes) = match lineage {
            Lineage::Branch => group.branch(group_id.to_vec(), packages, None)?,
            Lineage::ReInit => {
                let client = group.clone().get_reinit_client(None, None)?;
                client.commit(packages, ExtensionList::default(), None)?
            }
        };
        self.group = Some(next);
        Ok(welcomes.first().ok_or("no Welcome")?.to_bytes()?)
    }

    fn join_continuation(&mut self, lineage: Lineage, welcome: &[u8]) -> Result<()> {
        let (group, welcome) = (self.group()?, MlsMessage::from_bytes(welcome)?);
        let (next, _) = match lineage {
            Lineage::Branch => group.join_subgroup(&welcome, None, None)?,
            Lineage::ReInit => group.clone().get_reinit_client(None, None)?.join(&welcome, None, None)?,
        };
        self.group = Some(next);
        Ok(())
    }

    fn export(&mut self, label: &[u8], context: &[u8], length: usize) -> Result<Vec<u8>> {
        Ok(self.group()?.export_secret(label, context, length)?.as_bytes().to_vec())
    }

    fn state(&mut self) -> Result<State> {
        let group = self.group()?;
        let members = group.roster().members_iter();
        let members = members
            .map(|member| (member.index, judge::content(&member.signing_identity.credential)))
            .collect();
        Ok(State {
            epoch: group.current_epoch(),
            epoch_authenticator: group.epoch_authenticator()?.as_bytes().to_vec(),
            tree_hash: group.context().tree_hash.clone(),
            own_leaf: group.current_member_index(),
            members,
        })
    }
}
