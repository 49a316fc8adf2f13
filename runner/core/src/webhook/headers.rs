//! The headers of a request, however its server keeps them.

/// The headers of a request.
pub trait Headers {
    /// Every value under a name, whatever the case of its letters, in order; `None` for one that
    /// is no plain text.
    fn all<'h>(&'h self, name: &str) -> Box<dyn Iterator<Item = Option<&'h str>> + 'h>;

    /// The value of a header that is given once, as text.
    fn once<'h>(&'h self, name: &str) -> Option<&'h str> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (Some(value), None) => value,
            _ => None,
        }
    }
}

/// Names and values.
impl Headers for &[(&str, &str)] {
    fn all<'h>(&'h self, name: &str) -> Box<dyn Iterator<Item = Option<&'h str>> + 'h> {
        let name = name.to_owned();
        let named = self.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(&name));
        Box::new(named.map(|(_, value)| Some(*value)))
    }
}
