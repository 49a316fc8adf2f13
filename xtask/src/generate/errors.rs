//! `docs/reference/errors.md`: the index of the error codes.

use std::fmt::Write as _;

use signalbox_core::codes::Code;

/// The hundreds of the codes, as `codes.rs` groups them.
const GROUPS: [(&str, &str); 7] = [
    ("SB01", "Manifests and flows"),
    ("SB02", "Scripts"),
    ("SB03", "The contract between workspaces"),
    ("SB04", "The tree and its source"),
    ("SB05", "Runs"),
    ("SB06", "Requests"),
    ("SB07", "The runner and its machine"),
];

pub(crate) fn page() -> String {
    let mut page = "# Error codes\n\n\
        Whatever an operator meets carries one of these codes: in the output of `validate` and `sync`, in a \
        problem document of the API, in the error of a run, in the log. `signalbox explain CODE` prints the \
        page of a code.\n"
        .to_owned();
    for (prefix, title) in GROUPS {
        // Writing to a String cannot fail.
        write!(page, "\n## {title}\n\n| code | meaning |\n|---|---|\n").unwrap_or_default();
        for code in Code::ALL.iter().filter(|code| code.as_str().starts_with(prefix)) {
            writeln!(page, "| [{code}](../errors/{code}.md) | {} |", code.title())
                .unwrap_or_default();
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        let page = page();
        for code in Code::ALL {
            assert_eq!(page.matches(&format!("[{code}]")).count(), 1, "{code}");
        }
    }
}
