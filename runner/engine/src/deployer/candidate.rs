//! A workspace that may go live: read and checked whole.

use std::sync::Arc;

use signalbox_core::Revision;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_workspaces::root::RootEntry;

use super::tree::Tree;
use crate::checker;
use crate::desk::Fresh;
use crate::doors::Cells;
use crate::options::Error;

/// Reads a workspace and checks everything that does not need another one.
pub(super) async fn read(
    tree: &Tree,
    entry: &RootEntry,
    revision: &Revision,
    cells: &dyn Cells,
) -> Result<Result<Fresh, Vec<Diagnostic>>, Error> {
    let folder = match tree.folder(entry.path.clone()).await? {
        Ok(folder) => Arc::new(folder),
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let draft = signalbox_workspaces::read(entry, revision, &folder);
    let (request, texts) = draft.check_request();
    let facts = checker::check(cells, request, texts).await?;
    Ok(draft.finish(facts).map(|(mut spec, warnings)| {
        spec.sources =
            folder.files.iter().map(|(path, file)| (path.clone(), file.digest)).collect();
        Fresh { spec: Arc::new(spec), warnings, folder }
    }))
}
