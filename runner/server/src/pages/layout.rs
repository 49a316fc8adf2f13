//! What all pages have in common.

use maud::{DOCTYPE, Markup, html};

/// Where a page stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// From the page to the root: empty or `../`.
    pub(super) root: &'a str,
    /// Events that make the page old, from the root; `None` when nothing can.
    pub(super) events: Option<&'a str>,
}

/// A whole page.
pub(super) fn page(title: &str, place: Place<'_>, body: &Markup) -> Markup {
    let Place { root, events } = place;
    let events = events.map(|events| format!("{root}{events}"));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="dark light";
                title { (title) " · Signalbox" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href={ (root) "style.css" };
                @if events.is_some() {
                    script type="module" src={ (root) "app.js" } {}
                }
            }
            body data-events=[events] {
                header {
                    a.brand href={ (root) "." } { "Signalbox" }
                    a href={ (root) "schedules" } { "Schedules" }
                }
                main { (body) }
            }
        }
    }
}
