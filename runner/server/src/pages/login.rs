//! Entering the token. The browser keeps it in a cookie that no script can read and that no other
//! site's requests carry; the guard takes the cookie for reading only.

use std::fmt::Write as _;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::html;
use serde::Deserialize;

use super::layout::{Place, page};
use crate::app::App;
use crate::problem::Problem;
use crate::token::TokenDigest;

/// The cookie with the token in hexadecimal digits.
const COOKIE: &str = "signalbox_token";

/// What the form sends. No `Debug`: it would show the token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    token: String,
}

/// The form.
pub(super) async fn show() -> Response {
    let mut response = form("/login", false);
    *response.status_mut() = StatusCode::OK;
    response
}

/// The form in place of a page that needs the token, with status 401.
pub(crate) fn form(path: &str, failed: bool) -> Response {
    let root = if path.starts_with("/runs/") { "../" } else { "" };
    let body = html! {
        form.login method="post" action={ (root) "login" } {
            label for="token" { "Token" }
            input #token name="token" type="password" autocomplete="current-password" required
                autofocus;
            button { "Enter" }
            @if failed { p.error { "This is not the token." } }
        }
    };
    let page = page("Enter", Place { root, events: None }, &body);
    (StatusCode::UNAUTHORIZED, super::html(page)).into_response()
}

/// Takes the token from the form.
pub(super) async fn enter(
    State(app): State<App>,
    login: Result<Form<Login>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(login) = login.map_err(|error| Problem::bad_request(error.body_text()))?;
    let Some(token) = app.token else { return Ok(to_overview(None)) };
    if TokenDigest::of(&login.token) != token {
        return Ok(form("/login", true));
    }
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict", to_hex(&login.token));
    let cookie = HeaderValue::try_from(cookie).map_err(|error| Problem::internal(&error))?;
    Ok(to_overview(Some(cookie)))
}

fn to_overview(cookie: Option<HeaderValue>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, "./")]).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// The token that a browser kept.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|all| all.to_str().ok());
    let mut pairs = cookies.flat_map(|all| all.split(';')).filter_map(|one| one.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == COOKIE)?;
    from_hex(value.trim())
}

fn to_hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        write!(hex, "{byte:02x}").unwrap_or_default();
        hex
    })
}

fn from_hex(hex: &str) -> Option<String> {
    let bytes = hex.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_gives_back_the_token_and_never_fails() {
        let with = |cookie: String| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::try_from(cookie).unwrap());
            super::cookie(&headers)
        };
        let token = "s e;s=ame ä";
        let found = with(format!("a=b; {COOKIE}={}; c=d", to_hex(token)));
        assert_eq!(found.as_deref(), Some(token));
        for bad in ["", "=", "signalbox_token=abc", "signalbox_token=zz", "signalbox_token=ff"] {
            assert_eq!(with(bad.to_owned()), None, "{bad}");
        }
    }
}
