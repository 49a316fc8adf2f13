//! Loose objects whose file is not whole.
//!
//! Up to 1.9.7 libgit2 does not return from reading a loose object whose file is cut off behind its
//! header (libgit2 pull request 7346), which is what a power cut during `git commit` can leave. So
//! the file is read to its end here first, with a bound, and only then by libgit2.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use flate2::read::ZlibDecoder;
use git2::Oid;

use crate::Error;

/// Largest object that is read to its end; larger ones are over every bound of the tree policy and
/// only their header is looked at.
const MAX_CHECKED: u64 = 128 << 20;

/// Refuses an object whose loose file in `objects` is cut off or damaged. One without a loose file
/// is in a pack, or missing, which libgit2 tells.
pub(crate) fn check(objects: &Path, id: Oid) -> Result<(), Error> {
    let name = id.to_string();
    let (folder, rest) = name.split_at(2);
    let file = objects.join(folder).join(rest);
    let Ok(file) = File::open(file) else { return Ok(()) };
    let mut content = ZlibDecoder::new(file).take(MAX_CHECKED);
    match io::copy(&mut content, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) => {
            let reason = format!("its file is cut off or damaged: {error}");
            Err(Error::Corrupt { object: name, reason })
        }
    }
}
