use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};

/// A certificate for the names of a test, and the CA that it is from.
pub struct Certificate {
    folder: PathBuf,
    /// What Chromium knows the certificate's key by.
    pub key_digest: String,
}

impl Certificate {
    pub fn write(folder: &Path, names: &[&str]) -> Self {
        let ca_key = KeyPair::generate().expect("a key");
        let mut ca = CertificateParams::new([]).expect("parameters");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of another name than the certificate, which would else be taken for one that signed itself.
        ca.distinguished_name.push(DnType::CommonName, "Test CA");
        let ca_certificate = ca.self_signed(&ca_key).expect("a certificate");
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let certificate = CertificateParams::new(names)
            .expect("names")
            .signed_by(&key, &issuer)
            .expect("a certificate");
        for (file, text) in [
            ("ca.pem", ca_certificate.pem()),
            ("certificate.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            fs::write(folder.join(file), text).expect("a file");
        }
        Self {
            folder: folder.to_owned(),
            key_digest: STANDARD.encode(Sha256::digest(key.subject_public_key_info())),
        }
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Puts a certificate in its place that is its own CA, as `openssl req -x509` makes them.
    pub fn sign_itself(&self, names: &[&str]) {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut its_own = CertificateParams::new(names).expect("names");
        its_own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = its_own.self_signed(&key).expect("a certificate").pem();
        for (file, text) in [
            ("ca.pem", &certificate),
            ("certificate.pem", &certificate),
            ("key.pem", &key.serialize_pem()),
        ] {
            fs::write(self.folder.join(file), text).expect("a file");
        }
    }
}
