//! Every error code has its page, and every page its code, under the same title.

use signalbox_core::codes::Code;

use crate::finding::Finding;
use crate::tree::Tree;

const FOLDER: &str = "docs/errors/";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = Code::ALL.iter().filter_map(|code| of_code(tree, *code)).collect();
    let pages = tree.ending(".md").filter_map(|(path, _)| Some((path, path.strip_prefix(FOLDER)?)));
    let strays = pages.filter(|(_, name)| {
        !Code::ALL.iter().any(|code| name.strip_suffix(".md") == Some(code.as_str()))
    });
    let stray = |(path, _)| Finding::new(path, 1, "error-page", "is the page of no code");
    findings.extend(strays.map(stray));
    findings
}

fn of_code(tree: &Tree, code: Code) -> Option<Finding> {
    let path = format!("{FOLDER}{code}.md");
    let heading = format!("# {code}: {}", code.title());
    let what = match tree.text(&path) {
        None => format!("{code} has no page"),
        Some(text) if text.lines().next() != Some(heading.as_str()) => {
            format!("the first line must be `{heading}`")
        }
        Some(text) if text.lines().filter(|line| !line.trim().is_empty()).count() < 4 => {
            "says too little: what it means, what causes it, what to do".to_owned()
        }
        Some(_) => return None,
    };
    Some(Finding::new(&path, 1, "error-page", what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(path: &str, text: &str) -> String {
        let found = check(&Tree::from([(path, text)]));
        found.into_iter().find(|found| found.file == path).map_or(String::new(), |f| f.what)
    }

    #[test]
    fn a_code_without_a_page_is_found() {
        assert_eq!(check(&Tree::default()).len(), Code::ALL.len());
    }

    #[test]
    fn a_page_must_carry_the_title_of_its_code_and_say_something() {
        let good = "# SB0103: unknown field\n\na\n\nb\n\nc\n";
        assert_eq!(about("docs/errors/SB0103.md", good), "");
        let other = good.replace("unknown", "strange");
        assert!(about("docs/errors/SB0103.md", &other).contains("`# SB0103: unknown field`"));
        assert!(about("docs/errors/SB0103.md", "# SB0103: unknown field\n").contains("too little"));
    }

    #[test]
    fn a_page_of_no_code_is_refused() {
        assert_eq!(about("docs/errors/SB9999.md", "# SB9999: x\n"), "is the page of no code");
    }
}
