//! What may cross the border between a script and the rest: values and names within their bounds,
//! without a secret in them.

/// Largest inputs or result of a run, and value of the state.
pub(crate) use signalbox_core::bounds::VALUE as MAX_VALUE;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::{Value, secret as marker, value};

/// Longest name of a value of the state, in bytes.
const MAX_STATE_NAME: usize = 200;

/// Refuses a name that the state cannot have.
pub(crate) fn check_state_name(name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > MAX_STATE_NAME || marker::has_marker(name) {
        let message = format!("a name in the state has 1 to {MAX_STATE_NAME} bytes");
        return Err(Failure::permanent(Code::BadValue, message));
    }
    Ok(())
}

/// Refuses bytes that are no value, too large, or carry the marker of a secret.
pub(crate) fn check_value(bytes: &[u8], limit: usize, what: &str) -> Result<(), Failure> {
    if bytes.len() > limit {
        let message = format!("{what} has {} bytes; the bound is {limit}", bytes.len());
        return Err(Failure::permanent(Code::LimitExceeded, message));
    }
    let value = value::decode(bytes)
        .map_err(|error| Failure::permanent(Code::BadValue, format!("{what}: {error}")))?;
    refuse_markers(&value, what)
}

/// Refuses a value that carries the marker of a secret.
pub(crate) fn refuse_markers(value: &Value, what: &str) -> Result<(), Failure> {
    let mut found = false;
    value.each_text(&mut |text| found |= marker::has_marker(text));
    if found {
        let message = format!(
            "{what} has a secret in it; secrets go into header values and connector fields only"
        );
        return Err(Failure::permanent(Code::SecretMisused, message));
    }
    Ok(())
}
