//! What every function that reads or writes a format keeps to: DESIGN §6.7.

use signalbox_core::Value;
use signalbox_core::codes::Code;

use super::fail;
use crate::fault::HostResult;

/// Largest text that a host function gives, in bytes: as long as any string may be.
pub(super) const MAX_TEXT: usize = 4 << 20;
/// Most values that reading one text gives: far below what a cell's memory holds.
pub(super) const MAX_VALUES: usize = 250_000;

/// The text, if it is not too long.
pub(super) fn text(text: String) -> HostResult<String> {
    length(text.len())?;
    Ok(text)
}

/// Refuses a text that would be too long, before it is made.
pub(super) fn length(length: usize) -> HostResult<()> {
    if length <= MAX_TEXT {
        return Ok(());
    }
    fail(Code::LimitExceeded, format!("a text of more than {MAX_TEXT} bytes"))
}

/// Counts a value that was read, and refuses what is more than a script should have.
pub(super) fn count(values: &mut usize) -> HostResult<()> {
    *values += 1;
    if *values <= MAX_VALUES {
        return Ok(());
    }
    fail(Code::LimitExceeded, format!("more than {MAX_VALUES} values in one text"))
}

/// Refuses bytes, which `format` has no form for.
pub(super) fn no_bytes(value: &Value, format: &str) -> HostResult<()> {
    match value {
        Value::Bytes(_) => {
            let message = format!("bytes in {format}; `base64::encode` makes text of them");
            fail(Code::BadValue, message)
        }
        Value::List(items) => items.iter().try_for_each(|item| no_bytes(item, format)),
        Value::Map(map) => map.values().try_for_each(|item| no_bytes(item, format)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => Ok(()),
    }
}
