//! The authentication service: any basic credential, and X.509 chains that end in a given root.

use std::fmt;
use std::sync::Arc;

use mls_rs::error::IntoAnyError;
use mls_rs::identity::{Credential, CredentialType, SigningIdentity};
use mls_rs::time::MlsTime;
use mls_rs::{ExtensionList, IdentityProvider};
use mls_rs_core::identity::MemberValidationContext;
use mls_rs_identity_x509::{DerCertificate, X509CredentialValidator};
use peer_stdio::Result;

use crate::Program;

pub struct Judge<P: Program>(Arc<P::Validator>);

impl<P: Program> Judge<P> {
    pub fn new(roots: Vec<DerCertificate>) -> Result<Self> {
        Ok(Self(Arc::new(P::validator(roots)?)))
    }

    fn judge(&self, identity: &SigningIdentity, time: Option<MlsTime>) -> std::result::Result<(), Refused> {
        match &identity.credential {
            Credential::Basic(_) => Ok(()),
            Credential::X509(chain) => {
                let key = self.0.validate_chain(chain, time).map_err(|error| {
                    Refused(format!("certificate chain refused: {}", error.into_any_error()))
                })?;
                if key == identity.signature_key {
                    return Ok(());
                }
                Err(Refused("the certificate's key is not the leaf's".to_owned()))
            }
            _ => Err(Refused("credential type not supported".to_owned())),
        }
    }
}

impl<P: Program> Clone for Judge<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What follows the type in an encoded credential that tells clients apart: identity or end entity.
pub fn content(credential: &Credential) -> Vec<u8> {
    match credential {
        Credential::Basic(basic) => basic.identifier.clone(),
        Credential::X509(chain) => chain.leaf().map(|leaf| leaf.to_vec()).unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[derive(Debug)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl IntoAnyError for Refused {
    fn into_dyn_error(self) -> std::result::Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

impl<P: Program> IdentityProvider for Judge<P> {
    type Error = Refused;

    fn validate_member(
        &self,
        identity: &SigningIdentity,
        time: Option<MlsTime>,
        _context: MemberValidationContext<'_>,
    ) -> std::result::Result<(), Refused> {
        self.judge(identity, time)
    }

    fn validate_external_sender(
        &self,
        identity: &SigningIdentity,
        time: Option<MlsTime>,
        _extensions: Option<&ExtensionList>,
    ) -> std::result::Result<(), Refused> {
        self.judge(identity, time)
    }

    fn identity(
        &self,
        identity: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> std::result::Result<Vec<u8>, Refused> {
        Ok(content(&identity.credential))
    }

    fn valid_successor(
        &self,
        old: &SigningIdentity,
        new: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> std::result::Result<bool, Refused> {
        Ok(content(&old.credential) == content(&new.credential))
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::BASIC, CredentialType::X509]
    }
}
