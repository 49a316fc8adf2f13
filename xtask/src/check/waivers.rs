//! Exceptions: a line in `xtask/waivers.toml` with its reason. One that waives nothing is a
//! finding itself, so that the list only ever shrinks by itself.

use serde::Deserialize;
use toml::Spanned;

use crate::finding::Finding;
use crate::tree::Tree;

const FILE: &str = "xtask/waivers.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waivers {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiver {
    file: Spanned<String>,
    rule: String,
    reason: String,
}

/// Takes the waived findings out and adds what is wrong with the waivers. Sorted by place.
pub(crate) fn apply(tree: &Tree, mut findings: Vec<Finding>) -> Vec<Finding> {
    let text = tree.text(FILE).unwrap_or_default();
    let waivers = match toml::from_str::<Waivers>(text) {
        Ok(waivers) => waivers.waiver,
        Err(error) => {
            findings.push(Finding::new(FILE, 1, "waiver", error.message()));
            Vec::new()
        }
    };
    let mut faults = Vec::new();
    for waiver in waivers {
        let line = text[..waiver.file.span().start].lines().count().max(1);
        let before = findings.len();
        findings.retain(|found| found.file != *waiver.file.get_ref() || found.rule != waiver.rule);
        if findings.len() == before {
            faults.push(Finding::new(FILE, line, "waiver", "waives nothing any more: remove it"));
        }
        if waiver.reason.trim().is_empty() {
            faults.push(Finding::new(FILE, line, "waiver", "gives no reason"));
        }
    }
    findings.extend(faults);
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(waivers: &str, findings: &[Finding]) -> Vec<String> {
        let tree = Tree::from([(FILE, waivers)]);
        apply(&tree, findings.to_vec()).iter().map(ToString::to_string).collect()
    }

    const GOOD: &str = "[[waiver]]\nfile = \"a.rs\"\nrule = \"file-lines\"\nreason = \"a table\"\n";

    #[test]
    fn a_waiver_takes_out_its_finding_and_no_other() {
        let waived = Finding::new("a.rs", 1, "file-lines", "long");
        let other = Finding::new("b.rs", 1, "file-lines", "long");
        assert_eq!(left(GOOD, &[other, waived]), ["b.rs:1: long [file-lines]"]);
    }

    #[test]
    fn a_stale_waiver_is_a_finding_on_its_line() {
        let text = format!("# why\n\n{GOOD}");
        let stale = "xtask/waivers.toml:4: waives nothing any more: remove it [waiver]";
        assert_eq!(left(&text, &[]), [stale]);
    }

    #[test]
    fn a_waiver_without_a_reason_is_refused() {
        let waived = Finding::new("a.rs", 1, "file-lines", "long");
        let text = GOOD.replace("a table", " ");
        assert_eq!(left(&text, std::slice::from_ref(&waived)).len(), 1);
        let missing = GOOD.replace("reason", "because");
        assert_eq!(left(&missing, &[waived]).len(), 2, "the finding stays, the file is at fault");
    }
}
