//! A part of a JSON text, found without making values of the rest: a body of 25 MiB costs its own
//! bytes and no more.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The text of what stands at a path: keys of maps, indices of lists. The whole is checked to be
/// JSON. A key that is given twice counts as its last.
pub(super) fn pick(
    text: &str,
    path: &[String],
) -> Result<Option<Box<RawValue>>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = Pick(path).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

struct Pick<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Option<Box<RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        match self.0.split_first() {
            None => Box::<RawValue>::deserialize(from).map(Some),
            Some((first, rest)) => from.deserialize_any(Inside { first, rest }),
        }
    }
}

struct Inside<'p> {
    first: &'p str,
    rest: &'p [String],
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = Option<Box<RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == self.first {
                found = map.next_value_seed(Pick(self.rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let wanted: Option<usize> = self.first.parse().ok();
        for at in 0_usize.. {
            if wanted == Some(at) {
                let Some(found) = list.next_element_seed(Pick(self.rest))? else { break };
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(found);
            }
            if list.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(text: &str, path: &str) -> Option<String> {
        let path: Vec<_> = path.split('.').filter(|p| !p.is_empty()).map(str::to_owned).collect();
        pick(text, &path).unwrap().map(|raw| raw.get().to_owned())
    }

    #[test]
    fn a_part_is_found_by_keys_and_indices() {
        let text = r#" { "a": [1, {"b": 2.50}], "c\u0064": "x", "n": null } "#;
        assert_eq!(picked(text, "a.1.b").as_deref(), Some("2.50"));
        assert_eq!(picked(text, "a").as_deref(), Some(r#"[1, {"b": 2.50}]"#));
        assert_eq!(picked(text, "cd").as_deref(), Some(r#""x""#));
        assert_eq!(picked(text, "n").as_deref(), Some("null"));
        assert_eq!(picked("[7]", "").as_deref(), Some("[7]"));
        for missing in ["b", "a.2", "a.x", "a.1.b.c", "n.x", "cd.0"] {
            assert_eq!(picked(text, missing), None, "{missing}");
        }
        assert_eq!(picked(r#"{"a":1,"a":2}"#, "a").as_deref(), Some("2"));
    }

    #[test]
    fn what_is_no_json_is_refused_wherever_it_breaks() {
        for bad in ["", "{", r#"{"a":1"#, r#"{"a":1} x"#, r#"{"b":[1,}"#, "nope"] {
            assert!(pick(bad, &["a".to_owned()]).is_err(), "{bad}");
            assert!(pick(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_body_of_any_depth_is_survived() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let found = pick(&deep, &["0".to_owned(), "0".to_owned()]).unwrap().unwrap();
        assert_eq!(found.get().len(), deep.len() - 4);
        assert!(crate::value::from_json_str(found.get()).is_err());
    }
}
