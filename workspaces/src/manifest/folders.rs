//! Where a workspace keeps its flows.

use signalbox_core::codes::Code;

use crate::faults::Faults;
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::root::{check_path, is_inside};

/// The folder of a workspace that names none.
pub(super) fn usual() -> Vec<(String, Option<Mark>)> {
    vec![("flows".to_owned(), None)]
}

/// `flow_folders`, each with its place in the file.
pub(super) fn read(fields: &Fields<'_>, faults: &mut Faults) -> Vec<(String, Option<Mark>)> {
    if fields.get("flow_folders").is_none() {
        return usual();
    }
    let mut folders: Vec<(String, Option<Mark>)> = Vec::new();
    for item in fields.list("flow_folders", faults) {
        let Some(text) = fields::text(item, "flow_folders", faults) else { continue };
        if let Err(reason) = check_path(text) {
            let message = format!("`{}` is not a folder's path: it {reason}", fields::shown(text));
            faults.error(Code::InvalidValue, item.mark, message);
        } else if let Some((other, _)) =
            folders.iter().find(|(other, _)| is_inside(text, other) || is_inside(other, text))
        {
            let message = format!("`{text}` and `{other}` overlap");
            faults.error(Code::InvalidValue, item.mark, message);
        } else {
            folders.push((text.to_owned(), Some(item.mark)));
        }
    }
    folders
}
