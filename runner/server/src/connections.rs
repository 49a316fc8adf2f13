//! Serving connections: HTTP/1, and no place for who says nothing.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;

/// A client that has not sent the head of its next request by then is let go: the places are few, and
/// others wait for one. It is what hyper takes by itself when it has a timer.
const HEAD: Duration = Duration::from_secs(30);

/// Serves whoever comes until `stop` resolves; then takes nobody new, and resolves when the requests
/// that are under way have their answers.
pub(crate) async fn serve(mut listener: impl Listener, router: Router, stop: impl Future) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let under_way = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let connection = tokio::select! {
            biased;
            _ = &mut stop => break,
            (connection, _) = listener.accept() => connection,
        };
        let service = TowerToHyperService::new(router.clone());
        let serving = under_way.watch(http.serve_connection(TokioIo::new(connection), service));
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!(%error, "a connection ended before its time");
            }
        });
    }
    drop(listener);
    under_way.shutdown().await;
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test of the server speaks to it")]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    /// A server whose one answer takes four times as long as a head may.
    async fn server() -> (TcpStream, oneshot::Sender<()>, JoinHandle<()>) {
        let slow = || async {
            sleep(HEAD * 4).await;
            "done"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().route("/", get(slow));
        (client, stop, tokio::spawn(serve(listener, router, stopped)))
    }

    /// What the server says until it hangs up, and how long that takes.
    async fn heard(mut client: TcpStream) -> (String, Duration) {
        let (began, mut said) = (Instant::now(), Vec::new());
        let all = timeout(HEAD * 8, client.read_to_end(&mut said)).await;
        all.expect("the server hangs up").unwrap();
        (String::from_utf8(said).unwrap(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_let_go() {
        let (client, _stop, _serving) = server().await;
        let (said, time) = heard(client).await;
        assert!(!said.contains("200"), "{said}");
        assert!(time < HEAD * 2, "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_half_a_head_is_let_go() {
        let (mut client, _stop, _serving) = server().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        let (said, time) = heard(client).await;
        assert!(!said.contains("200"), "{said}");
        assert!(time < HEAD * 2, "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_gets_it_however_long_it_takes_and_is_let_go_then() {
        let (mut client, _stop, _serving) = server().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let (said, time) = heard(client).await;
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("done"), "{said}");
        assert!(time >= HEAD * 4 && time < HEAD * 6, "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_answers_what_is_under_way() {
        let (mut client, stop, serving) = server().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        sleep(HEAD / 2).await;
        stop.send(()).unwrap();
        let (said, _) = heard(client).await;
        assert!(said.ends_with("done"), "{said}");
        serving.await.unwrap();
    }
}
