//! `docs/reference/bounds.md`: what is bounded, by how much, and what to do about it.

use std::fmt::Write as _;

use signalbox_core::bounds::{ALL, Bound};

const INTRODUCTION: &str = "# Bounds\n\n\
    Everything that a workspace can make grow has a bound. Just below it is taken; beyond it the run, the request or \
    the push fails with an error that names the bound. Nothing is cut silently: only a log is cut, with a mark.\n\n\
    | what | at most | beyond it | what to do | `limits` |\n|---|---|---|---|---|\n";

const END: &str = "\nWhere the last column names a field, `grants.limits` of the workspace in the root manifest \
    changes the bound. The others are the same for everybody: each is far below the memory of a cell, which is the \
    wall behind them. Two more fields of `limits` bound time and width: `run_time` (30 min; \
    [SB0502](../errors/SB0502.md)) and `concurrency` (16 runs side by side; more wait).\n\n\
    A schedule whose slot finds the queue full records the slot as skipped, with the reason `limit_exceeded`.\n";

pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for Bound { what, most, code, help, limit } in ALL {
        let code = code.map_or_else(
            || "cut, with a mark".to_owned(),
            |code| format!("[{code}](../errors/{code}.md)"),
        );
        let limit = limit.map_or_else(String::new, |limit| format!("`{limit}`"));
        // Writing to a String cannot fail.
        writeln!(page, "| {what} | {most} | {code} | {help} | {limit} |").unwrap_or_default();
    }
    page.push_str(END);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_has_one_row() {
        let page = page();
        for bound in ALL {
            assert_eq!(page.matches(&format!("\n| {} |", bound.what)).count(), 1, "{}", bound.what);
        }
    }
}
