//! Places for what the contract check finds: it sees workspaces, which do not hold their files.

use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::source::Folder;

use crate::faults::{self, Faults};
use crate::mark::Mark;
use crate::root::{WORKSPACE_FILE, is_inside};
use crate::yaml::{self, Node, Tree};

/// Gives diagnostics of the contract check that name files of a folder their source line, and
/// those that name its workspace file as a whole the line of what they are about.
pub fn locate(diagnostics: &mut Vec<Diagnostic>, folder: &Folder) {
    let path = format!("{}/{WORKSPACE_FILE}", folder.path);
    let file = folder.files.get(WORKSPACE_FILE);
    let tree = file.and_then(|file| yaml::parse(&file.content, &mut Faults::of(path.as_str())));
    for diagnostic in diagnostics.iter_mut() {
        let whole = diagnostic.place.line == 0 && diagnostic.place.file == path;
        let mark = tree.as_ref().filter(|_| whole).and_then(|tree| find(tree, &diagnostic.message));
        if let Some(Mark { line, column, length }) = mark {
            diagnostic.place = Place::at(path.as_str(), line, column, length);
        }
    }
    faults::finish(diagnostics, |path| {
        let inside = is_inside(path, &folder.path);
        let below = path.get(folder.path.len() + 1..).filter(|_| inside)?;
        folder.files.get(below).map(|file| &*file.content)
    });
}

/// A message about a declaration begins "`name` in `field`", possibly with more fields on the way
/// out; `name` is looked for below the last field that the file has.
fn find(tree: &Node, message: &str) -> Option<Mark> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let name = quoted.next()?;
    let Tree::Map(fields) = &tree.tree else { return None };
    let field = quoted.find_map(|field| fields.iter().find(|entry| entry.key == field))?;
    let bare = name.split_once('@').map_or(name, |(name, _)| name);
    mark_of(&field.node, name).or_else(|| mark_of(&field.node, bare))
}

fn mark_of(node: &Node, name: &str) -> Option<Mark> {
    match &node.tree {
        Tree::Text(text) => (text.text == name).then_some(node.mark),
        Tree::List(items) => items.iter().find_map(|item| mark_of(item, name)),
        Tree::Map(entries) => entries.iter().find_map(|entry| {
            if entry.key == name { Some(entry.mark) } else { mark_of(&entry.node, name) }
        }),
        _ => None,
    }
}
