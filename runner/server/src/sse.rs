//! Server-sent events: streams that end when the server stops.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};

use crate::app::App;

/// How often a silent stream says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Something that gives events until it ends.
pub(crate) trait Feed: Send + 'static {
    /// The next event; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Event>> + Send;
}

/// The answer that hands out a feed.
pub(crate) fn stream(app: App, feed: impl Feed) -> Response {
    let events = futures_util::stream::unfold((app, feed), |(app, mut feed)| async move {
        let event = tokio::select! {
            event = feed.next() => event?,
            () = app.closing() => return None,
        };
        Some((Ok::<_, Infallible>(event), (app, feed)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// An event with JSON as its data.
pub(crate) fn event(name: &'static str, data: &impl serde::Serialize) -> Event {
    // Views always serialise; if one did not, an event without data is what remains.
    let named = Event::default().event(name);
    named.clone().json_data(data).unwrap_or(named)
}
