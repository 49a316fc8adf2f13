//! Inputs to begin with.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// An input to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed(pub Vec<u8>);

/// Words that are worth trying: a comparison of texts tells libFuzzer nothing.
const WORD: std::ops::RangeInclusive<usize> = 3..=24;
/// Most words of a target.
const MAX_WORDS: usize = 2_000;

impl Seed {
    /// Writes seeds as files `seed-NUMBER`, and their words as the dictionary `words` beside the folder.
    pub fn write_all(seeds: &[Self], folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut words = BTreeSet::new();
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:04}")), &seed.0)?;
            words.extend(seed.words());
        }
        let mut dictionary = String::new();
        for word in words.into_iter().take(MAX_WORDS) {
            writeln!(dictionary, "\"{word}\"").map_err(io::Error::other)?;
        }
        std::fs::write(folder.with_extension("words"), dictionary)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let text = str::from_utf8(&self.0).unwrap_or_default();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-@.:/$".contains(c)));
        words.filter(|word| WORD.contains(&word.len()))
    }
}

/// The files with one of these endings below a folder of the repository, in a fixed order.
pub(crate) fn files(repository: &Path, folder: &str, endings: &[&str]) -> Vec<Seed> {
    let mut found = Vec::new();
    let mut open = vec![repository.join(folder)];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of the repository");
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.into_iter().map(|path| Seed(std::fs::read(path).expect("a file"))).collect()
}

/// Texts as seeds.
pub(crate) fn texts<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Vec<Seed> {
    texts.into_iter().map(|text| Seed(text.as_ref().to_vec())).collect()
}
