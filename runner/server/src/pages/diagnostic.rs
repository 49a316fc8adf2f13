//! Faults of files, as a compiler shows them.

use maud::{Markup, html};
use signalbox_core::diagnostic::{Diagnostic, Place, Severity};

use super::shown::shown;

/// Most faults that one page shows of one workspace; the API has all.
const MOST: usize = 50;

/// Some faults.
pub(super) fn list(diagnostics: &[Diagnostic]) -> Markup {
    html! {
        @for diagnostic in diagnostics.iter().take(MOST) { (one(diagnostic)) }
        @if diagnostics.len() > MOST {
            p.dim { "and " (diagnostics.len() - MOST) " more" }
        }
    }
}

fn one(diagnostic: &Diagnostic) -> Markup {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    html! {
        div class={ "fault " (severity) } {
            p { b { (severity) "[" (diagnostic.code) "]" } ": " (shown(&diagnostic.message)) }
            pre { (excerpt(diagnostic)) }
            @if let Some(help) = &diagnostic.help { p.help { "help: " (shown(help)) } }
        }
    }
}

/// The place and the line at fault with its mark.
fn excerpt(diagnostic: &Diagnostic) -> String {
    let mut lines = vec![format!("--> {}", location(&diagnostic.place))];
    if let Some(line) = diagnostic.source_line.as_deref().filter(|_| diagnostic.place.line > 0) {
        let number = diagnostic.place.line.to_string();
        let gutter = " ".repeat(number.len());
        let before = usize::try_from(diagnostic.place.column).unwrap_or(1).saturating_sub(1);
        // Tabs stay, so that the mark stands below what it marks.
        let indent: String =
            line.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let rest = line.chars().count().saturating_sub(before).max(1);
        let length = usize::try_from(diagnostic.place.length).unwrap_or(1).clamp(1, rest);
        let mark = "^".repeat(length);
        let label = shown(&diagnostic.label);
        let line = shown(line);
        lines.push(format!("{gutter} |\n{number} | {line}\n{gutter} | {indent}{mark} {label}"));
    }
    for label in &diagnostic.labels {
        lines.push(format!("--> {}: {}", location(&label.place), shown(&label.message)));
    }
    lines.join("\n")
}

fn location(place: &Place) -> String {
    let file = shown(&place.file);
    match (place.line, place.column) {
        (0, _) => file,
        (line, 0) => format!("{file}:{line}"),
        (line, column) => format!("{file}:{line}:{column}"),
    }
}

#[cfg(test)]
mod tests {
    use signalbox_core::codes::Code;

    use super::*;

    #[test]
    fn a_fault_is_shown_with_its_line_and_escaped() {
        let place = Place::at("a/<b>.yaml", 7, 3, 7);
        let mut fault = Diagnostic::error(Code::UnknownField, place, "unknown field `<script>`")
            .label("not a field")
            .help("did you mean `schedules`?");
        fault.source_line = Some("  scedule: <x>".to_owned());
        let page = list(&[fault]).into_string();
        assert!(page.contains("--&gt; a/&lt;b&gt;.yaml:7:3\n  |\n7 |   scedule: &lt;x&gt;\n  |   ^^^^^^^ not a field"), "{page}");
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn a_place_beyond_its_line_is_shown_without_a_fuss() {
        let mut fault =
            Diagnostic::error(Code::YamlSyntax, Place::at("a", 1, u32::MAX, u32::MAX), "x");
        fault.source_line = Some(String::new());
        assert!(list(&[fault]).into_string().contains('^'));
    }
}
