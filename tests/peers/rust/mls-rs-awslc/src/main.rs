//! mls-rs over AWS-LC.

use mls_rs_core::crypto::SignaturePublicKey;
use mls_rs_core::time::MlsTime;
use mls_rs_crypto_awslc::x509::CertificateValidator;
use mls_rs_crypto_awslc::{AwsLcCryptoError, AwsLcCryptoProvider};
use mls_rs_identity_x509::{CertificateChain, DerCertificate, X509CredentialValidator};
use peer_mls_rs::{MlsRs, Program};
use peer_stdio::Result;

struct AwsLc;

/// The provider's validator cannot be shared between threads, so one is made for each chain.
struct Roots(Vec<DerCertificate>);

impl X509CredentialValidator for Roots {
    type Error = AwsLcCryptoError;

    fn validate_chain(
        &self,
        chain: &CertificateChain,
        time: Option<MlsTime>,
    ) -> std::result::Result<SignaturePublicKey, AwsLcCryptoError> {
        CertificateValidator::new_der(&self.0)?.validate(chain, time)
    }
}

impl Program for AwsLc {
    const NAME: &'static str = "mls-rs-awslc";
    const SUITES: &'static [u16] = &[1, 2, 3, 5, 7];
    type Crypto = AwsLcCryptoProvider;
    type Validator = Roots;

    fn crypto() -> AwsLcCryptoProvider {
        AwsLcCryptoProvider::new()
    }

    fn validator(roots: Vec<DerCertificate>) -> Result<Roots> {
        Ok(Roots(roots))
    }
}

fn main() -> std::process::ExitCode {
    MlsRs::<AwsLc>::run()
}
