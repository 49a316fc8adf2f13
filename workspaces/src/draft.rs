//! A workspace's folder, read as far as it can be without the script check.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::catalog::{Flow, Health, Kind, LiteralCall, Workspace};
use signalbox_core::check::{CheckRequest, CheckScript, Facts, FoundCall, ScriptCode, ScriptKind};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::handler::{Event, Handler};
use signalbox_core::ids::{FlowName, Revision};
use signalbox_core::source::{Folder, SourceFile};
use signalbox_core::value;

use crate::calendars;
use crate::faults::{self, Faults, near};
use crate::fields;
use crate::flow::{self, Context, Parsed};
use crate::handlers::Scope;
use crate::manifest::{self, Manifest};
use crate::root::{RootEntry, WORKSPACE_FILE};
use crate::sources::{self, Imports};
use crate::sub_flows;
use crate::yaml;

/// What the scripts call, by the name of each in the check request: whether it is a flow of the
/// workspace itself, and the call.
type Calls = BTreeMap<String, Vec<(bool, LiteralCall)>>;

/// A workspace that waits for the facts about its scripts.
#[derive(Debug)]
pub struct Draft {
    workspace: Workspace,
    /// The names, in the check request, of what each flow runs.
    runs: BTreeMap<FlowName, BTreeSet<String>>,
    request: CheckRequest,
    texts: BTreeMap<String, String>,
    faults: Vec<Diagnostic>,
    /// For source lines.
    files: BTreeMap<String, SourceFile>,
}

/// Reads a workspace's folder: everything that can be said without running the script check.
pub fn read(entry: &RootEntry, revision: &Revision, folder: &Folder) -> Draft {
    let (manifest, mut faults) = read_manifest(entry, folder);
    let calendars = calendars::read(folder, &mut faults);
    let run_time = entry.grants.limits.run_time;
    let context = Context { folder, run_time, calendars: &calendars };
    let mut flows = read_flows(&manifest, &context, &mut faults);
    check_named_flows(&manifest, &flows, &context, &mut faults);
    check_webhooks(&manifest, &flows, &context, &mut faults);
    let handled = resolve_handlers(entry.kind, &manifest, &mut flows, &context, &mut faults);
    let (texts, unreadable) = sources::gather(folder);
    faults.extend(unreadable);
    let request = CheckRequest {
        scripts: scripts(&flows, &texts, &context),
        secrets: manifest.secrets.iter().cloned().collect(),
        connectors: manifest.connectors.keys().cloned().collect(),
    };
    let runs = flows.iter().map(|(name, parsed)| {
        let code = parsed.code.iter().map(|script| script.name.clone());
        (name.clone(), code.chain(parsed.scripts.iter().cloned()).collect())
    });
    Draft {
        runs: runs.collect(),
        request,
        workspace: Workspace {
            on_call_failure: handled.on_call_failure,
            health: handled.health,
            calendars: calendars
                .into_iter()
                .filter_map(|(name, read)| Some((name, read?)))
                .collect(),
            ..assemble(entry, revision, folder, manifest, flows, &texts)
        },
        texts,
        faults,
        files: folder.files.clone(),
    }
}

fn read_manifest(entry: &RootEntry, folder: &Folder) -> (Manifest, Vec<Diagnostic>) {
    let Some(file) = folder.files.get(WORKSPACE_FILE) else {
        return (Manifest::default(), Vec::new());
    };
    let mut faults = Faults::of(format!("{}/{WORKSPACE_FILE}", folder.path));
    let manifest = yaml::parse(&file.content, &mut faults)
        .inspect(|node| manifest::check_grants(node, &entry.grants, &mut faults))
        .map(|node| manifest::read(&node, entry.kind, &mut faults));
    (manifest.unwrap_or_default(), faults.into_list())
}

fn read_flows(
    manifest: &Manifest,
    context: &Context<'_>,
    faults: &mut Vec<Diagnostic>,
) -> BTreeMap<FlowName, Parsed> {
    let mut flows: BTreeMap<FlowName, Parsed> = BTreeMap::new();
    for (folder, mark) in &manifest.flow_folders {
        let mut found = false;
        for (path, file) in &context.folder.files {
            let below = path.strip_prefix(folder.as_str()).and_then(|rest| rest.strip_prefix('/'));
            let Some(below) = below else { continue };
            found = true;
            let Some((name, kind)) = below.rsplit_once('.') else { continue };
            let parsed = match kind {
                "yaml" | "yml" => {
                    let (parsed, mut list) = flow::parse(path, &file.content, context);
                    faults.append(&mut list);
                    parsed
                }
                "rhai" => Some(flow::bare(path)),
                _ => continue,
            };
            insert(&mut flows, name, path, parsed, (context, faults));
        }
        if let (false, Some(mark)) = (found, mark) {
            let mut at = Faults::of(context.full(WORKSPACE_FILE));
            at.error(Code::FileMissing, *mark, format!("the workspace has no folder `{folder}`"));
            faults.append(&mut at.into_list());
        }
    }
    flows
}

fn insert(
    flows: &mut BTreeMap<FlowName, Parsed>,
    name: &str,
    path: &str,
    parsed: Option<Parsed>,
    (context, faults): (&Context<'_>, &mut Vec<Diagnostic>),
) {
    let place = Place::file(context.full(path));
    let name: FlowName = match name.parse() {
        Ok(name) => name,
        Err(error) => {
            let message = format!("`{}` cannot be the name of a flow", fields::shown(name));
            faults.push(Diagnostic::error(Code::InvalidName, place, message).help(error.rule));
            return;
        }
    };
    // A flow that cannot be read is still there for those who name it.
    let parsed = parsed.unwrap_or_else(|| flow::unreadable(path));
    if let Some(first) = flows.get(&name) {
        let message = format!("a second file defines the flow `{name}`");
        let first = Place::file(context.full(&first.flow.file));
        let fault = Diagnostic::error(Code::DuplicateFlow, place, message);
        faults.push(fault.second(first, "first defined here"));
    } else {
        flows.insert(name, parsed);
    }
}

fn check_named_flows(
    manifest: &Manifest,
    flows: &BTreeMap<FlowName, Parsed>,
    context: &Context<'_>,
    faults: &mut Vec<Diagnostic>,
) {
    let mut at = Faults::of(context.full(WORKSPACE_FILE));
    for (name, mark) in manifest.named_flows.iter().filter(|(name, _)| !flows.contains_key(name)) {
        let help = near(name.as_str(), flows.keys().map(FlowName::as_str));
        let message = format!("the workspace has no flow `{name}`");
        at.error_with_help(Code::UnknownReference, *mark, message, help);
    }
    faults.append(&mut at.into_list());
}

/// What is handled for a workspace as a whole.
#[derive(Debug, Default)]
struct Handled {
    on_call_failure: Vec<FlowName>,
    health: Option<Health>,
}

/// Gives every flow its handlers. Answers those of the workspace as a whole.
fn resolve_handlers(
    kind: Kind,
    manifest: &Manifest,
    flows: &mut BTreeMap<FlowName, Parsed>,
    context: &Context<'_>,
    faults: &mut Vec<Diagnostic>,
) -> Handled {
    let schemas = flows.iter().map(|(name, parsed)| (name.clone(), parsed.flow.inputs.clone()));
    let (uses, groups) = (&manifest.uses, &manifest.groups);
    let scope = Scope { kind, uses, schemas: schemas.collect(), groups };
    let workspace_file = context.full(WORKSPACE_FILE);
    let mut at = Faults::of(workspace_file.as_str());
    let mut handled = Handled::default();
    scope.check_groups(&mut at);
    for named in &manifest.handlers {
        let found = scope.find(named, &mut at);
        let flows = found.iter().flat_map(Handler::each).filter_map(|handler| match handler {
            Handler::Flow(flow) if named.event == Event::CallFailure => Some(flow.clone()),
            Handler::Flow(_) | Handler::Service(_) | Handler::All(_) => None,
        });
        handled.on_call_failure.extend(flows);
    }
    let health = manifest.health.as_ref();
    handled.health = health.map(|health| scope.health(health, &workspace_file, &mut at));
    faults.append(&mut at.into_list());
    for (name, parsed) in flows {
        let file = context.full(&parsed.flow.file);
        let mut at = Faults::of(file.as_str());
        scope.resolve_own(name, &parsed.handlers, &mut parsed.flow, (&file, &mut at));
        scope.resolve_usual(name, &manifest.handlers, &mut parsed.flow, &workspace_file);
        if let Some(absence) = &parsed.absence {
            let failure = parsed.flow.handlers.failure.as_ref();
            let (absence, calls) = scope.absence(name, absence, failure, (&file, &mut at));
            parsed.flow.absence = Some(absence);
            parsed.flow.calls.extend(calls);
        }
        faults.append(&mut at.into_list());
    }
    handled
}

/// Whether what each webhook's `inputs` say fits its flow, as far as it can be said.
fn check_webhooks(
    manifest: &Manifest,
    flows: &BTreeMap<FlowName, Parsed>,
    context: &Context<'_>,
    faults: &mut Vec<Diagnostic>,
) {
    let mut at = Faults::of(context.full(WORKSPACE_FILE));
    for (name, webhook) in &manifest.webhooks {
        let known = webhook.inputs.as_ref().and_then(flow::literal_inputs);
        let (Some(known), Some(parsed)) = (known, flows.get(&webhook.flow)) else { continue };
        let given = known.iter().map(|(name, value)| (name.as_str(), value.as_ref()));
        let unfit = parsed.flow.inputs.faults(given);
        let told: Vec<_> = unfit.iter().map(|f| format!("`{}` {}", f.input, f.message)).collect();
        if let (false, Some(mark)) = (told.is_empty(), manifest.webhook_marks.get(name)) {
            let message =
                format!("`{}` does not take these inputs: {}", webhook.flow, told.join("; "));
            at.error(Code::InputsDoNotFit, *mark, message);
        }
    }
    faults.append(&mut at.into_list());
}

/// Everything to check: the code in flow files, and every script file once, as what it is most.
fn scripts(
    flows: &BTreeMap<FlowName, Parsed>,
    texts: &BTreeMap<String, String>,
    context: &Context<'_>,
) -> Vec<CheckScript> {
    let called: BTreeSet<_> = flows.values().flat_map(|parsed| &parsed.scripts).collect();
    let files = texts.keys().map(|path| CheckScript {
        name: path.clone(),
        file: context.full(path),
        origin: (1, 1),
        kind: if called.contains(path) { ScriptKind::Script } else { ScriptKind::Library },
        sees: Vec::new(),
        code: ScriptCode::Source(path.clone()),
    });
    flows.values().flat_map(|parsed| parsed.code.iter().cloned()).chain(files).collect()
}

fn assemble(
    entry: &RootEntry,
    revision: &Revision,
    folder: &Folder,
    manifest: Manifest,
    flows: BTreeMap<FlowName, Parsed>,
    texts: &BTreeMap<String, String>,
) -> Workspace {
    let digest = |path: &String| folder.files.get(path).map(|file| (path.clone(), file.digest));
    Workspace {
        name: entry.name.clone(),
        kind: entry.kind,
        path: folder.path.clone(),
        revision: revision.clone(),
        tree: folder.tree.clone(),
        config_hash: entry.config_hash,
        about: manifest::merge(manifest.about, &entry.about),
        grants: entry.grants.clone(),
        env: manifest.env,
        secrets: manifest.secrets,
        connectors: manifest.connectors,
        exports: manifest.exports,
        may_start: manifest.may_start,
        accepts: manifest.accepts,
        uses: manifest.uses,
        webhooks: manifest.webhooks,
        on_call_failure: Vec::new(),
        health: None,
        isolation: manifest.isolation,
        flows: flows.into_iter().map(|(name, parsed)| (name, parsed.flow)).collect(),
        sources: texts.keys().filter_map(digest).collect(),
        calendars: BTreeMap::new(),
    }
}

impl Draft {
    /// What the script check is to be asked, and the texts of every script and library by path
    /// from the workspace's folder.
    pub fn check_request(&self) -> (CheckRequest, Vec<(String, String)>) {
        let texts = self.texts.iter().map(|(path, text)| (path.clone(), text.clone()));
        (self.request.clone(), texts.collect())
    }

    /// Puts the facts in. With the workspace come the warnings.
    ///
    /// # Errors
    /// Every fault of every file, sorted by file, line and column, each with its source line. A
    /// script without facts is a fault.
    pub fn finish(
        mut self,
        facts: Vec<Facts>,
    ) -> Result<(Workspace, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut imports = Imports::default();
        let mut calls = Calls::new();
        self.take(facts, &mut imports, &mut calls);
        self.check_cycles(&imports);
        for (name, flow) in &mut self.workspace.flows {
            let begin = self.runs.get(name).into_iter().flatten().map(String::as_str);
            complete(flow, &imports.reach(begin), &self.texts, &calls);
        }
        self.faults.extend(sub_flows::faults(&self.workspace.flows));
        let Self { workspace, mut faults, files, .. } = self;
        let inside = |path: &str| {
            let below = path.strip_prefix(workspace.path.as_str())?.strip_prefix('/')?;
            files.get(below).map(|file| &*file.content)
        };
        faults::finish(&mut faults, inside);
        if faults.iter().any(Diagnostic::is_error) { Err(faults) } else { Ok((workspace, faults)) }
    }

    fn take(&mut self, facts: Vec<Facts>, imports: &mut Imports, calls: &mut Calls) {
        let mut waiting: BTreeMap<&str, &CheckScript> =
            self.request.scripts.iter().map(|script| (script.name.as_str(), script)).collect();
        for found in facts {
            let Some(script) = waiting.remove(found.name.as_str()) else { continue };
            let told = found.diagnostics.iter().any(|fault| fault.code == Code::UnknownImport);
            for missing in found.imports.iter().filter(|path| !self.texts.contains_key(*path)) {
                if !told {
                    let message = format!("the workspace has no `{}`", fields::shown(missing));
                    let place = Place::file(script.file.clone());
                    self.faults.push(Diagnostic::error(Code::UnknownImport, place, message));
                }
            }
            self.faults.extend(found.diagnostics);
            let known = found.imports.into_iter().filter(|path| self.texts.contains_key(path));
            imports.add(&found.name, known);
            let of = found.calls.into_iter();
            let of = of.map(|call| (call.own, literal_call(call, &script.file)));
            calls.entry(found.name).or_default().extend(of);
        }
        // A check that was lost says so at the script it was at; what came behind is not at fault.
        let lost = self.faults.iter().any(|fault| fault.code == Code::CheckLost);
        for script in waiting.into_values().filter(|_| !lost) {
            let place = Place::at(script.file.clone(), script.origin.0, script.origin.1, 1);
            let message = "the code was not checked";
            self.faults.push(Diagnostic::error(Code::CheckLost, place, message));
        }
    }

    fn check_cycles(&mut self, imports: &Imports) {
        for cycle in imports.cycles() {
            let Some(first) = cycle.first() else { continue };
            let message = format!("{} → {first} leads back", cycle.join(" → "));
            let place = Place::file(format!("{}/{first}", self.workspace.path));
            self.faults.push(Diagnostic::error(Code::ImportCycle, place, message));
        }
    }
}

/// What a flow can reach, and the calls that can be seen there.
fn complete(
    flow: &mut Flow,
    reach: &BTreeSet<String>,
    texts: &BTreeMap<String, String>,
    calls: &Calls,
) {
    flow.plan.sources = reach.iter().filter(|path| texts.contains_key(*path)).cloned().collect();
    for (own, call) in reach.iter().filter_map(|name| calls.get(name)).flatten() {
        let list = if *own { &mut flow.starts } else { &mut flow.calls };
        list.push(call.clone());
    }
    let key = |call: &LiteralCall| (call.file.clone(), call.line, call.column, call.target.clone());
    flow.calls.sort_by_key(key);
    flow.starts.sort_by_key(key);
}

fn literal_call(call: FoundCall, file: &str) -> LiteralCall {
    let known = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| value::decode(&bytes).ok());
    let inputs = call
        .inputs
        .map(|inputs| inputs.into_iter().map(|(key, bytes)| (key, known(bytes))).collect());
    LiteralCall {
        target: call.target,
        inputs,
        file: file.to_owned(),
        line: call.line,
        column: call.column,
        handles: None,
        tells: None,
    }
}
