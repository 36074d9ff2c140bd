//! mls-rs over the system's OpenSSL.

use mls_rs_crypto_openssl::x509::X509Validator;
use mls_rs_crypto_openssl::OpensslCryptoProvider;
use mls_rs_identity_x509::DerCertificate;
use peer_mls_rs::{MlsRs, Program};
use peer_stdio::Result;

struct OpenSsl;

impl Program for OpenSsl {
    const NAME: &'static str = "mls-rs-openssl";
    const SUITES: &'static [u16] = &[1, 2, 3, 4, 5, 6, 7];
    type Crypto = OpensslCryptoProvider;
    type Validator = X509Validator;

    fn crypto() -> OpensslCryptoProvider {
        OpensslCryptoProvider::new()
    }

    fn validator(roots: Vec<DerCertificate>) -> Result<X509Validator> {
        Ok(X509Validator::new(roots)?)
    }
}

fn main() -> std::process::ExitCode {
    MlsRs::<OpenSsl>::run()
}
