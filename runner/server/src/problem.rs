//! Requests that fail, as `application/problem+json`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::inputs::Fault;
use utoipa::ToSchema;

/// The media type of every problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a client may try again what was too much.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The error code; decides the status.
    pub(crate) code: Code,
    /// What happened, for people.
    detail: String,
    /// Faults of single inputs.
    faults: Vec<Fault>,
    /// Faults of files.
    diagnostics: Vec<Diagnostic>,
    /// Whether the same request may succeed later.
    passing: bool,
    /// How a client is asked to prove who it is, when not by the token.
    challenge: Option<&'static str>,
}

/// A problem, as clients see it (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// `urn:signalbox:error:` and the code.
    r#type: String,
    /// What the code means.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// The error code, `SB....`; `signalbox explain` says more.
    code: &'static str,
    /// What happened.
    detail: String,
    /// Faults of single inputs, when they are why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<InputFault>,
    /// Faults of files, when they are why: `code, severity, message, file, line, column, help`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<serde_json::Value>,
}

/// What is wrong with one input.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputFault {
    /// The input; empty when the inputs as a whole are meant.
    input: String,
    /// What is wrong.
    message: String,
}

impl Problem {
    /// A problem with a code and what happened.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            faults: vec![],
            diagnostics: vec![],
            passing: false,
            challenge: None,
        }
    }

    /// A request that cannot be read.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// Something that is not there.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    /// A fault of Signalbox itself; the reason goes to the log.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "failed to answer a request");
        Self::new(Code::Internal, "the runner's log says more")
    }

    /// Adds faults of files.
    pub(crate) fn with_diagnostics(self, diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, ..self }
    }

    /// Says how to prove who one is, when it is not by the token.
    pub(crate) fn challenge(self, challenge: Option<&'static str>) -> Self {
        Self { challenge, ..self }
    }

    /// The status of the answer.
    fn status(&self) -> StatusCode {
        match self.code {
            Code::BadRequest | Code::InvalidName | Code::InvalidValue | Code::BadValue => {
                StatusCode::BAD_REQUEST
            }
            Code::Unauthorized | Code::SenderUnproven => StatusCode::UNAUTHORIZED,
            Code::ForbiddenOrigin => StatusCode::FORBIDDEN,
            Code::NotFound | Code::UnknownWorkspace | Code::UnknownFlow => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::InvalidInputs => StatusCode::UNPROCESSABLE_ENTITY,
            Code::QueueFull | Code::RateLimited | Code::WebhookRate => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Code::SourceUnreachable | Code::WebhookRunFailed => StatusCode::BAD_GATEWAY,
            Code::Starting | Code::ShuttingDown | Code::WebhookUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ if self.passing => StatusCode::SERVICE_UNAVAILABLE,
            Code::StoreFailed | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            // Whatever else is refused is refused by what is live or by the state of a thing.
            _ => StatusCode::CONFLICT,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ProblemBody {
            r#type: format!("urn:signalbox:error:{}", self.code),
            title: self.code.title(),
            status: status.as_u16(),
            code: self.code.as_str(),
            detail: self.detail,
            faults: self
                .faults
                .into_iter()
                .map(|Fault { input, message }| InputFault { input, message })
                .collect(),
            diagnostics: self.diagnostics.iter().map(Diagnostic::to_json).collect(),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match status {
            StatusCode::UNAUTHORIZED => {
                let usual = if self.code == Code::SenderUnproven { "Webhook" } else { "Bearer" };
                let challenge = HeaderValue::from_static(self.challenge.unwrap_or(usual));
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            _ => {}
        }
        response
    }
}

impl From<signalbox_store::Error> for Problem {
    fn from(error: signalbox_store::Error) -> Self {
        signalbox_engine::Error::from(error).into()
    }
}

impl From<signalbox_engine::Error> for Problem {
    fn from(error: signalbox_engine::Error) -> Self {
        use signalbox_engine::Error;
        use signalbox_store::Error as Store;

        let code = error.code();
        match error {
            Error::Refused(refused) => {
                Self { faults: refused.faults, ..Self::new(code, refused.message) }
            }
            Error::Store(Store::NotFound(what)) => Self::not_found(format!("there is no {what}")),
            Error::Store(Store::Full) => Self {
                passing: true,
                ..Self::new(code, "no space is left on the runner's disk; nothing accepted is lost")
            },
            Error::Stopping | Error::Store(Store::Closed) => {
                Self::new(Code::ShuttingDown, "the runner is stopping")
            }
            Error::Source(error) => Self::new(code, format!("failed to {error}")),
            Error::Store(_) | Error::Host { .. } => Self { code, ..Self::internal(&error) },
        }
    }
}

impl From<signalbox_core::value::DecodeError> for Problem {
    fn from(error: signalbox_core::value::DecodeError) -> Self {
        Self::internal(&error)
    }
}
