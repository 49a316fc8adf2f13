//! The certificate of a TLS server: looked at whatever it is, and judged as a client of the machine
//! would judge it. Nothing is sent over the connection.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use tokio_rustls::TlsConnector;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use super::probe::Found;
use crate::effects::perform::Context;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Answers `#{ subject, issuer, names, not_before, not_after, age_days, days_left, trusted, error }`;
/// it is `ok` when it is trusted.
pub(super) async fn look(context: &Context, url: Url) -> Result<Found, Failure> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let Ok(name) = ServerName::try_from(host) else {
        return Ok(Err("no certificate can have this name".to_owned()));
    };
    let stream = match context.shared.egress.connect(&url, &["https"], &context.grants()).await? {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error.to_string())),
    };
    // It reads the machine's trusted certificates.
    let witness = tokio::task::spawn_blocking(Witness::new).await;
    let stopping = |_| Failure::transient(Code::EffectFailed, "the runner is stopping");
    let witness = Arc::new(witness.map_err(stopping)?);
    let config = match config(&witness) {
        Ok(config) => config,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let connector = TlsConnector::from(Arc::new(config));
    let connected = match connector.connect(name, stream).await {
        Ok(connected) => connected,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let first = connected.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let Some(certificate) = first.and_then(|der| Certificate::from_der(der).ok()) else {
        return Ok(Err("the server's certificate cannot be read".to_owned()));
    };
    Ok(Ok(fields(&certificate, witness.judgement(), context.shared.clock.now())))
}

fn config(witness: &Arc<Witness>) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&witness.provider));
    let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(witness) as _;
    Ok(builder
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn fields(
    certificate: &Certificate,
    judgement: Option<String>,
    now: Timestamp,
) -> Vec<(&'static str, Value)> {
    let of = certificate.tbs_certificate();
    let (begins, ends) = (moment(of.validity().not_before), moment(of.validity().not_after));
    let text = |text: String| Value::String(text);
    let days = |from: Timestamp, to: Timestamp| Value::Int((to.0 - from.0).div_euclid(DAY));
    let mut fields = vec![
        ("ok", Value::Bool(judgement.is_none())),
        ("trusted", Value::Bool(judgement.is_none())),
        ("subject", text(of.subject().to_string())),
        ("issuer", text(of.issuer().to_string())),
        ("names", Value::List(names(certificate))),
        ("not_before", text(begins.to_string())),
        ("not_after", text(ends.to_string())),
        ("age_days", days(begins, now)),
        ("days_left", days(now, ends)),
    ];
    fields.extend(judgement.map(|error| ("error", text(error))));
    fields
}

fn moment(time: Time) -> Timestamp {
    let micros = time.to_unix_duration().as_micros();
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The host names and addresses that the certificate is for.
fn names(certificate: &Certificate) -> Vec<Value> {
    let Ok(Some((_, SubjectAltName(names)))) = certificate.tbs_certificate().get_extension() else {
        return Vec::new();
    };
    let shown = names.into_iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
            let v6 = <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    });
    shown.map(Value::String).collect()
}

/// Lets every certificate through and remembers what the machine's own verifier says of it.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    own: Result<Verifier, Error>,
    said: Mutex<Option<String>>,
}

impl Witness {
    fn new() -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let own = Verifier::new(Arc::clone(&provider));
        Self { provider, own, said: Mutex::new(None) }
    }

    /// Why the certificate is not trusted; `None` when it is.
    fn judgement(&self) -> Option<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.own.as_ref().map_err(Clone::clone).and_then(|own| {
            own.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        });
        let said = judged.err().map(|error| error.to_string());
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
