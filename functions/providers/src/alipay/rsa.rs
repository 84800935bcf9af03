//! RSA2 as Alipay calls it: SHA-256 with RSA, PKCS #1 v1.5 (RFC 8017, section 8.2), in base64. The keys are read at the
//! start, in the forms that Alipay's own tool writes.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, PublicEncryptingKey};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use data_encoding::BASE64;

/// What requests are signed with.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// Reads a private key of 2,048 bits or more: PKCS #8 or PKCS #1, as PEM or as its base64 alone.
    pub fn parse(text: &str) -> Option<Self> {
        let der = der(text)?;
        KeyPair::from_pkcs8(&der).or_else(|_| KeyPair::from_der(&der)).ok().map(Self)
    }

    /// The signature of a text.
    pub fn sign(&self, text: &str) -> Option<String> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        // This padding is not random; the library takes a source of it all the same.
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(BASE64.encode(&signature))
    }
}

impl fmt::Debug for SigningKey {
    /// Nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(not shown)")
    }
}

/// What Alipay's signatures are verified with.
#[derive(Clone)]
pub struct VerifyingKey(Arc<ParsedPublicKey>);

impl VerifyingKey {
    /// Reads a public key of 2,048 bits or more: `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7), as PEM or as its base64
    /// alone.
    pub fn parse(text: &str) -> Option<Self> {
        let der = der(text)?;
        // The key for verifying takes any length until it is used; this one does not.
        PublicEncryptingKey::from_der(&der).ok()?;
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).ok().map(|key| Self(Arc::new(key)))
    }

    /// Whether this is the key's signature of these bytes.
    pub fn verifies(&self, bytes: &[u8], signature: &str) -> bool {
        let signature = BASE64.decode(signature.as_bytes());
        signature.is_ok_and(|signature| self.0.verify_sig(bytes, &signature).is_ok())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey")
    }
}

fn der(text: &str) -> Option<Vec<u8>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let base64: String = lines.flat_map(str::chars).filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(base64.as_bytes()).ok().filter(|der| !der.is_empty())
}
