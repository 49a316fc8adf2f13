//! The inputs of a run, as they stand on a command line.

use std::io::Read as _;

use serde_json::{Map, Value};
use signalbox_core::value::from_json_str;

use crate::exit::Failure;

/// Largest inputs, in bytes: DESIGN §6.7.
const MAX_INPUTS: u64 = 1 << 20;

/// Reads `name=value`; the value is JSON when it reads as JSON, else text. JSON that a flow cannot
/// take, such as an integer that does not fit, is refused and never rounded.
pub(in crate::commands) fn parse_pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("`{text}` is no input: write NAME=VALUE"))?;
    let Ok(json) = serde_json::from_str(value) else {
        return Ok((name.to_owned(), Value::String(value.to_owned())));
    };
    from_json_str(value).map_err(|error| format!("`{name}` cannot be taken: {error}"))?;
    Ok((name.to_owned(), json))
}

/// All inputs: the object of `--inputs`, with every `--input` put into it.
pub(in crate::commands) fn gather(
    whole: Option<&str>,
    pairs: &[(String, Value)],
) -> Result<Value, Failure> {
    let mut inputs = match whole {
        Some(whole) => parse_object(&read(whole)?)?,
        None => Map::new(),
    };
    inputs.extend(pairs.iter().cloned());
    Ok(Value::Object(inputs))
}

fn read(whole: &str) -> Result<String, Failure> {
    if whole == "-" {
        return read_bounded(std::io::stdin().lock(), "stdin");
    }
    let Some(path) = whole.strip_prefix('@') else { return Ok(whole.to_owned()) };
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::usage(format!("cannot read the inputs in {path}: {error}")))?;
    read_bounded(file, path)
}

fn read_bounded(source: impl std::io::Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = source.take(MAX_INPUTS + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 <= MAX_INPUTS => Ok(text),
        Ok(_) => Err(Failure::usage(format!("the inputs in {name} are over 1 MiB"))),
        Err(error) => Err(Failure::usage(format!("cannot read the inputs in {name}: {error}"))),
    }
}

fn parse_object(text: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => {
            let taken = from_json_str(text);
            taken
                .map_err(|error| Failure::usage(format!("the inputs cannot be taken: {error}")))?;
            Ok(object)
        }
        Ok(_) => Err(Failure::usage("the inputs are JSON, but no object")
            .help("write them like '{\"name\": \"value\"}'")),
        Err(error) => Err(Failure::usage(format!("the inputs are not JSON: {error}"))
            .help("write them like '{\"name\": \"value\"}', or name a file with @FILE")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_value_is_json_when_it_can_be_and_text_when_not() {
        for (text, name, value) in [
            ("n=3", "n", json!(3)),
            ("n=\"3\"", "n", json!("3")),
            ("on=true", "on", json!(true)),
            ("list=[1, 2]", "list", json!([1, 2])),
            ("text=disk is full", "text", json!("disk is full")),
            ("empty=", "empty", json!("")),
            ("url=http://a?b=c", "url", json!("http://a?b=c")),
        ] {
            assert_eq!(parse_pair(text), Ok((name.to_owned(), value)));
        }
        assert!(parse_pair("alone").is_err());
        assert!(parse_pair("=3").is_err());
        assert!(parse_pair("n=99999999999999999999").is_err(), "it would be rounded");
    }

    #[test]
    fn single_inputs_win_over_the_whole() {
        let pairs = [("b".to_owned(), json!(9))];
        let all = gather(Some(r#"{"a": 1, "b": 2}"#), &pairs).unwrap();
        assert_eq!(all, json!({ "a": 1, "b": 9 }));
        assert_eq!(gather(None, &[]).unwrap(), json!({}));
    }

    #[test]
    fn inputs_that_are_no_object_are_a_usage_error() {
        for wrong in ["[1]", "3", "{", r#"{"n": 99999999999999999999}"#, "@/does/not/exist"] {
            assert_eq!(gather(Some(wrong), &[]).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn inputs_over_their_bound_are_refused() {
        let large = vec![b' '; 1 + usize::try_from(MAX_INPUTS).unwrap()];
        assert!(read_bounded(large.as_slice(), "stdin").is_err());
        assert!(read_bounded(&large[1..], "stdin").is_ok());
    }
}
