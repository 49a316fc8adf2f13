//! Which server is spoken to, and as whom.

use std::path::{Path, PathBuf};

use reqwest::Url;

use crate::exit::{Exit, Failure};

/// Which server is spoken to.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Connect {
    /// Address of the runner
    #[arg(
        long,
        value_name = "URL",
        env = "SIGNALBOX_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8742"
    )]
    pub(crate) server: String,
    /// File that holds the token; or put the token itself into `SIGNALBOX_TOKEN`
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_TOKEN_FILE", hide_env_values = true)]
    pub(crate) token_file: Option<PathBuf>,
}

pub(super) fn parse_server(text: &str) -> Result<Url, Failure> {
    let wrong = || {
        Failure::usage(format!("`{text}` is not the address of a runner"))
            .help("write it like http://127.0.0.1:8742")
    };
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|_| wrong())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
    if usable { Ok(url) } else { Err(wrong()) }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

pub(super) fn read_token(file: &Path) -> Result<String, Failure> {
    let broken = |why: String| {
        Failure::new(
            Exit::Configuration,
            format!("cannot read the token in {}: {why}", file.display()),
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| broken(error.to_string()))?;
    match text.trim() {
        "" => Err(broken("the file is empty".to_owned())),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_scheme_is_http_and_nonsense_is_usage() {
        assert_eq!(parse_server("127.0.0.1:8742").unwrap().as_str(), "http://127.0.0.1:8742/");
        assert_eq!(parse_server("https://box.lan/sb").unwrap().path(), "/sb");
        for wrong in ["", "ftp://a", "http://", "http://a:port"] {
            assert_eq!(parse_server(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn loopback_is_recognised_in_all_its_forms() {
        for (url, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost:1", true),
            ("http://10.0.0.1:1", false),
            ("http://localhost.evil.example", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }
}
