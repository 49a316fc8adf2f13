//! Pages for people: made on the server, complete without scripts. The one script only asks for the
//! page again when something happened. Addresses are relative: a proxy may put them below any path.

mod diagnostic;
mod health;
mod layout;
pub(crate) mod login;
mod overview;
mod parts;
mod run;
mod schedules;
mod shown;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use maud::Markup;

use crate::app::App;
use crate::public::Public;

/// The overview.
pub(crate) const OVERVIEW: &str = "/";
/// Every schedule.
pub(crate) const SCHEDULES: &str = "/schedules";
/// One run.
pub(crate) const RUN: &str = "/runs/{run}";
/// The script of all pages.
pub(crate) const SCRIPT: &str = "/app.js";

/// The pages and what they load.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(OVERVIEW, get(overview::overview))
        .route(SCHEDULES, get(schedules::schedules))
        .route(RUN, get(run::run))
        .route(Public::Login.path(), get(login::show).post(login::enter))
        .route(
            Public::Style.path(),
            get(async || asset("text/css", include_str!("assets/style.css"))),
        )
        .route(SCRIPT, get(async || asset("text/javascript", include_str!("assets/app.js"))))
}

/// Whether a person asks for a page, and is better served with a form than with a problem.
pub(crate) fn is_page(request: &Request) -> bool {
    let path = request.uri().path();
    let is_one = [OVERVIEW, SCHEDULES].contains(&path) || path.starts_with("/runs/");
    request.method() == Method::GET && is_one
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text)
}

fn html(page: Markup) -> Html<String> {
    Html(page.into_string())
}
