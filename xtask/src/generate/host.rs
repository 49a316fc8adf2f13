//! `docs/reference/host-functions.md`: what scripts can call, with examples that the cell's tests run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use signalbox_core::host::{ALL, EffectKind, HostFunction};

const INTRODUCTION: &str = "# Host functions\n\n\
    What scripts can call besides Rhai's own functions. Every example is run as a test: what stands behind `=>` is \
    its result as JSON.\n\n\
    Each function says what it does to the world:\n\n\
    | effect | meaning |\n|---|---|\n";

const EFFECTS: [EffectKind; 4] =
    [EffectKind::Pure, EffectKind::Cheap, EffectKind::Internal, EffectKind::Outside];

pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for effect in EFFECTS {
        let (name, meaning) = describe(effect);
        // Writing to a String cannot fail.
        writeln!(page, "| {name} | {meaning} |").unwrap_or_default();
    }
    for (module, functions) in by_module() {
        match module {
            "" => page.push_str("\n## Without a module\n"),
            module => write!(page, "\n## `{module}`\n").unwrap_or_default(),
        }
        for function in functions {
            section(&mut page, function);
        }
    }
    page
}

/// The functions by the module that their names begin with; empty for those without one.
fn by_module() -> BTreeMap<&'static str, Vec<&'static HostFunction>> {
    let mut modules: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for function in ALL {
        let module = function.name.split_once("::").map_or("", |(module, _)| module);
        modules.entry(module).or_default().push(function);
    }
    modules
}

fn section(page: &mut String, function: &HostFunction) {
    let (effect, _) = describe(function.effect);
    let HostFunction { name, summary, .. } = function;
    let signatures = function.signatures.join("\n");
    let examples: Vec<_> = function
        .examples
        .iter()
        .map(|example| format!("{}\n// => {}", example.code, example.result))
        .collect();
    write!(
        page,
        "\n### `{name}`\n\n```rhai\n{signatures}\n```\n\n{summary} Effect: {effect}.\n\n\
         ```rhai\n{}\n```\n",
        examples.join("\n\n")
    )
    .unwrap_or_default();
}

/// The name of an effect, and what it means for a run.
fn describe(effect: EffectKind) -> (&'static str, &'static str) {
    match effect {
        EffectKind::Pure => {
            ("none", "the same arguments give the same result; nothing is recorded")
        }
        EffectKind::Cheap => {
            ("recorded", "the result is recorded in the run's journal, and a replay gives it again")
        }
        EffectKind::Internal => {
            ("exactly once", "it happens in the store, in the transaction that records it")
        }
        EffectKind::Outside => (
            "at least once",
            "it happens outside of the runner; it is asked for again when the runner dies before the result is recorded",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_one_section_with_its_forms_and_examples() {
        let page = page();
        for function in ALL {
            assert_eq!(page.matches(&format!("### `{}`\n", function.name)).count(), 1);
            for signature in function.signatures {
                assert!(page.contains(&format!("\n{signature}\n")), "{signature}");
            }
            for example in function.examples {
                assert!(page.contains(&format!("\n{}\n// => {}\n", example.code, example.result)));
            }
        }
    }
}
