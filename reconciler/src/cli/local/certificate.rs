//! Whether the hub answers over TLS, and by which certificate. It is made on the
//! hub itself, so there is nobody to vouch for it: it is taken as it is, and its
//! fingerprint told to the person who will be asked by a browser.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature as tls12, verify_tls13_signature as tls13,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};
use sha2::{Digest, Sha256};

use crate::cli::failure::Failed;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// What is read of an answer, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Asks a server for a page; gives the fingerprint of its certificate when the
/// answer is 200.
pub(super) fn answers(address: SocketAddr, path: &str) -> Result<Option<String>, Failed> {
    let seen =
        Arc::new(Seen { provider: Arc::new(ring::default_provider()), told: Mutex::default() });
    let config = ClientConfig::builder_with_provider(seen.provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::from(address.ip()))?;
    let stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let mut stream = StreamOwned::new(connection, stream);
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    // A server may end the connection without a word; what it said counts.
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).ok();
    let head = String::from_utf8_lossy(&answer).into_owned();
    let is_well = head.split_whitespace().nth(1) == Some("200");
    let told = seen.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(told.filter(|_| is_well))
}

/// Takes any certificate, and remembers the fingerprint of the last.
#[derive(Debug)]
struct Seen {
    provider: Arc<CryptoProvider>,
    told: Mutex<Option<String>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let digest = Sha256::digest(own.as_ref());
        let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes.join(":"));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls12(message, own, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls13(message, own, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
