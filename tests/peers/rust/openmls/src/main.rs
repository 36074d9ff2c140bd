//! OpenMLS with its RustCrypto provider as a peer; one provider, thus one store, a client.

use openmls::messages::proposals::{PreSharedKeyProposal, Proposal as MlsProposal, ProposalOrRefType};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _, VLBytes};
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, Credential, CredentialType, CredentialWithKey, ExtensionType,
    Extensions, GroupId, JoinProposal, KeyPackage, KeyPackageIn, LeafNodeIndex, LeafNodeParameters, MlsGroup,
    MlsGroupCreateConfig, MlsGroupJoinConfig, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsProvider,
    ProcessedMessageContent, Propose, ProtocolVersion, StagedWelcome, WireFormatPolicy,
    PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::{MemoryStorage, OpenMlsRustCrypto};
use peer_stdio::{
    Client, Commit, Identity, Proposal, Received, Result, Settings, Stack, State, PRIVATE_EXTENSION,
};

/// Of so many of the last epochs they are kept, and of so many the keys of late messages.
const RESUMPTION_PSKS: usize = 8;
const PAST_EPOCHS: usize = 2;

struct OpenMls;

struct OpenMlsClient {
    provider: OpenMlsRustCrypto,
    suite: Ciphersuite,
    signer: SignatureKeyPair,
    identity: CredentialWithKey,
    policy: WireFormatPolicy,
    group: Option<MlsGroup>,
}

impl Stack for OpenMls {
    const NAME: &'static str = "openmls";
    const VERSION: &'static str = "0.9.2";
    const SUITES: &'static [u16] = &[1, 2, 3];

    fn client(&self, settings: Settings) -> Result<Box<dyn Client>> {
        let suite = Ciphersuite::try_from(settings.suite).map_err(|_| "no such cipher suite")?;
        let provider = OpenMlsRustCrypto::default();
        let scheme = suite.signature_algorithm();
        let (credential, signer) = match settings.identity {
            Identity::Basic(identity) => {
                (BasicCredential::new(identity).into(), SignatureKeyPair::new(scheme)?)
            }
            // OpenMLS carries X.509 credentials and leaves their judgement to the application.
            Identity::X509 { certificates, private_key, public_key } => {
                let chain: Vec<VLBytes> = certificates.into_iter().map(Into::into).collect();
                let mut content = Vec::new();
                for certificate in &chain {
                    certificate.tls_serialize(&mut content)?;
                }
                (
                    Credential::new(CredentialType::X509, content),
                    SignatureKeyPair::from_raw(scheme, private_key, public_key),
                )
            }
        };
        let identity = CredentialWithKey { credential, signature_key: signer.public().into() };
        let policy = match settings.encrypts_handshake {
            true => PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
            false => PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
        };
        Ok(Box::new(OpenMlsClient { provider, suite, signer, identity, policy, group: None }))
    }
}

fn capabilities(suite: Ciphersuite) -> Capabilities {
    let credentials = [CredentialType::Basic, CredentialType::X509];
    let extensions = [ExtensionType::Unknown(PRIVATE_EXTENSION)];
    Capabilities::new(None, Some(&[suite]), Some(&extensions), None, Some(&credentials))
}

/// What tells clients apart: the basic identity, or the end entity's certificate.
fn who(credential: &Credential) -> Result<Vec<u8>> {
    let mut content = credential.serialized_content();
    match credential.credential_type() {
        CredentialType::X509 => Ok(VLBytes::tls_deserialize(&mut content)?.into()),
        _ => Ok(content.to_vec()),
    }
}

fn body(message: &[u8]) -> Result<MlsMessageBodyIn> {
    Ok(MlsMessageIn::tls_deserialize_exact(message)?.extract())
}

impl OpenMlsClient {
    fn group(&mut self) -> Result<&mut MlsGroup> {
        self.group.as_mut().ok_or_else(|| "not in a group".into())
    }

    fn join_config(&self) -> MlsGroupJoinConfig {
        MlsGroupJoinConfig::builder()
            .wire_format_policy(self.policy)
            .use_ratchet_tree_extension(true)
            .number_of_resumption_psks(RESUMPTION_PSKS)
            .max_past_epochs(PAST_EPOCHS)
            .build()
    }

    fn key_package_of(&self, message: &[u8]) -> Result<KeyPackage> {
        match body(message)? {
            MlsMessageBodyIn::KeyPackage(package) => self.validated(package),
            _ => Err("no KeyPackage".into()),
        }
    }

    fn validated(&self, package: KeyPackageIn) -> Result<KeyPackage> {
        Ok(package.validate(self.provider.crypto(), ProtocolVersion::Mls10)?)
    }

    fn psk_id(&self, id: Vec<u8>) -> Result<PreSharedKeyId> {
        let psk = Psk::External(ExternalPsk::new(id));
        Ok(PreSharedKeyId::new(self.suite, self.provider.rand(), psk)?)
    }

    /// OpenMLS exports no type for it, but reads it (RFC 9420 §8.4): type, usage, group and epoch.
    fn resumption_id(&self, epoch: u64) -> Result<PreSharedKeyId> {
        const RESUMPTION_APPLICATION: [u8; 2] = [2, 1];
        let group_id = self.group.as_ref().ok_or("not in a group")?.group_id();
        let mut encoded = RESUMPTION_APPLICATION.to_vec();
        group_id.tls_serialize(&mut encoded)?;
        encoded.extend_from_slice(&epoch.to_be_bytes());
        let psk = Psk::tls_deserialize_exact(encoded)?;
        Ok(PreSharedKeyId::new(self.suite, self.provider.rand(), psk)?)
    }

    fn fresh_key_package(&self) -> Result<KeyPackage> {
        let bundle = KeyPackage::builder().leaf_node_capabilities(capabilities(self.suite)).build(
            self.suite,
            &self.provider,
            &self.signer,
            self.identity.clone(),
        )?;
        Ok(bundle.into_key_package())
    }
}

impl Client for OpenMlsClient {
    fn key_package(&mut self) -> Result<Vec<u8>> {
        Ok(MlsMessageOut::from(self.fresh_key_package()?).to_bytes()?)
    }

    fn create(&mut self, group_id: &[u8]) -> Result<()> {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(self.suite)
            .wire_format_policy(self.policy)
            .capabilities(capabilities(self.suite))
            .use_ratchet_tree_extension(true)
            .number_of_resumption_psks(RESUMPTION_PSKS)
            .max_past_epochs(PAST_EPOCHS)
            .build();
        let group = MlsGroup::new_with_group_id(
            &self.provider,
            &self.signer,
            &config,
            GroupId::from_slice(group_id),
            self.identity.clone(),
        )?;
        self.group = Some(group);
        Ok(())
    }

    fn join(&mut self, welcome: &[u8]) -> Result<()> {
        let MlsMessageBodyIn::Welcome(welcome) = body(welcome)? else {
            return Err("no Welcome".into());
        };
        let staged = StagedWelcome::new_from_welcome(&self.provider, &self.join_config(), welcome, None)?;
        self.group = Some(staged.into_group(&self.provider)?);
        Ok(())
    }

    fn join_externally(&mut self, group_info: &[u8], replaces: Option<u32>) -> Result<Vec<u8>> {
        let MlsMessageBodyIn::GroupInfo(info) = body(group_info)? else {
            return Err("no GroupInfo".into());
        };
        // OpenMLS finds the old appearance by itself, by its signature key.
        let _ = replaces;
        let leaf = LeafNodeParameters::builder().with_capabilities(capabilities(self.suite)).build();
        let (group, bundle) = MlsGroup::external_commit_builder()
            .with_config(self.join_config())
            .build_group(&self.provider, info, self.identity.clone())?
            .leaf_node_parameters(leaf)
            .load_psks(self.provider.storage())?
            .build(self.provider.rand(), self.provider.crypto(), &self.signer, |_| true)?
            .finalize(&self.provider)?;
        self.group = Some(group);
        Ok(bundle.into_commit().to_bytes()?)
    }

    fn propose_self(&mut self, group_info: &[u8]) -> Result<Vec<u8>> {
        let MlsMessageBodyIn::GroupInfo(info) = body(group_info)? else {
            return Err("no GroupInfo".into());
        };
        let (package, group_id) = (self.fresh_key_package()?, info.group_id().clone());
        let message = JoinProposal::new::<MemoryStorage>(package, group_id, info.epoch(), &self.signer)?;
        Ok(message.to_bytes()?)
    }

    fn group_info(&mut self) -> Result<Vec<u8>> {
        let group = self.group.as_ref().ok_or("not in a group")?;
        Ok(group.export_group_info(self.provider.crypto(), &self.signer, true)?.to_bytes()?)
    }

    fn add_psk(&mut self, id: &[u8], value: &[u8]) -> Result<()> {
        self.psk_id(id.to_vec())?.store(&self.provider, value)?;
        Ok(())
    }

    fn propose(&mut self, proposal: Proposal) -> Result<Vec<u8>> {
        let propose = match proposal {
            Proposal::Add(package) => Propose::Add(self.key_package_of(&package)?),
            Proposal::Update => Propose::Update(LeafNodeParameters::default()),
            Proposal::Remove(leaf) => Propose::Remove(leaf),
            Proposal::Psk(id) => Propose::PreSharedKey(self.psk_id(id)?),
            Proposal::Resumption(epoch) => Propose::PreSharedKey(self.resumption_id(epoch)?),
            Proposal::Extensions(list) => {
                Propose::GroupContextExtensions(Extensions::tls_deserialize_exact(list)?)
            }
            Proposal::ReInit(_) => return Err("OpenMLS makes no ReInit".into()),
        };
        let group = self.group.as_mut().ok_or("not in a group")?;
        let reference = ProposalOrRefType::Reference;
        let (message, _) = group.propose(&self.provider, &self.signer, propose, reference)?;
        Ok(message.to_bytes()?)
    }

    fn commit(&mut self, proposals: Vec<Proposal>) -> Result<Commit> {
        let (mut adds, mut removes, mut psks) = (Vec::new(), Vec::new(), Vec::new());
        let mut extensions = None;
        for proposal in proposals {
            match proposal {
                Proposal::Add(package) => adds.push(self.key_package_of(&package)?),
                Proposal::Remove(leaf) => removes.push(LeafNodeIndex::new(leaf)),
                Proposal::Psk(id) => psks.push(self.psk_id(id)?),
                Proposal::Resumption(epoch) => psks.push(self.resumption_id(epoch)?),
                Proposal::Extensions(list) => {
                    extensions = Some(Extensions::tls_deserialize_exact(list)?);
                }
                Proposal::ReInit(_) => return Err("OpenMLS makes no ReInit".into()),
                Proposal::Update => return Err("an Update cannot be committed by its sender".into()),
            }
        }
        let group = self.group.as_mut().ok_or("not in a group")?;
        let psks = psks.into_iter().map(PreSharedKeyProposal::new).map(Box::new);
        let mut builder = group.commit_builder();
        if let Some(list) = extensions {
            builder = builder.propose_group_context_extensions(list)?;
        }
        let bundle = builder
            .consume_proposal_store(true)
            .force_self_update(true)
            .propose_adds(adds)
            .propose_removals(removes)
            .add_proposals(psks.map(MlsProposal::PreSharedKey))
            .load_psks(self.provider.storage())?
            .build(self.provider.rand(), self.provider.crypto(), &self.signer, |_| true)?
            .stage_commit(&self.provider)?;
        let (message, welcome, _) = bundle.into_messages();
        let welcome = welcome.map(|each| each.to_bytes()).transpose()?;
        Ok(Commit { message: message.to_bytes()?, welcome })
    }

    fn merge(&mut self) -> Result<()> {
        let group = self.group.as_mut().ok_or("not in a group")?;
        Ok(group.merge_pending_commit(&self.provider)?)
    }

    fn discard(&mut self) -> Result<()> {
        let group = self.group.as_mut().ok_or("not in a group")?;
        Ok(group.clear_pending_commit(self.provider.storage())?)
    }

    fn process(&mut self, message: &[u8]) -> Result<Received> {
        let group = self.group.as_mut().ok_or("not in a group")?;
        let message = MlsMessageIn::tls_deserialize_exact(message)?.try_into_protocol_message()?;
        match group.process_message(&self.provider, message)?.into_content() {
            ProcessedMessageContent::ApplicationMessage(data) => Ok(Received::Application(data.into_bytes())),
            ProcessedMessageContent::ProposalMessage(proposal)
            | ProcessedMessageContent::ExternalJoinProposalMessage(proposal) => {
                group.store_pending_proposal(self.provider.storage(), *proposal)?;
                Ok(Received::Proposal)
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                group.merge_staged_commit(&self.provider, *staged)?;
                Ok(if group.is_active() { Received::Commit } else { Received::Removed })
            }
            _ => Err("a message of our own".into()),
        }
    }

    fn protect(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let group = self.group.as_mut().ok_or("not in a group")?;
        Ok(group.create_message(&self.provider, &self.signer, data)?.to_bytes()?)
    }

    fn export(&mut self, label: &[u8], context: &[u8], length: usize) -> Result<Vec<u8>> {
        let group = self.group.as_ref().ok_or("not in a group")?;
        let label = std::str::from_utf8(label)?;
        Ok(group.export_secret(self.provider.crypto(), label, context, length)?)
    }

    fn state(&mut self) -> Result<State> {
        let group = self.group()?;
        Ok(State {
            epoch: group.epoch().as_u64(),
            epoch_authenticator: group.epoch_authenticator().as_slice().to_vec(),
            tree_hash: group.public_group().group_context().tree_hash().to_vec(),
            own_leaf: group.own_leaf_index().u32(),
            members: group
                .members()
                .map(|member| Ok((member.index.u32(), who(&member.credential)?)))
                .collect::<Result<_>>()?,
        })
    }
}

fn main() -> std::process::ExitCode {
    peer_stdio::run(&OpenMls)
}
