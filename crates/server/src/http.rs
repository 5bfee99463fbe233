//! Whether the server lives and is ready, over HTTP.
//!
//! `hyper` alone serves this: no router is needed for two paths, and its connection builder has the limit
//! on slow heads that a port in a cluster needs.
//!
//! From: a supervisor's probe. To: `200` or `503`, with the reason as text.
//! Never: touches the queue's lock.

use crate::limits::{HTTP_CONNECTION_TIMEOUT, HTTP_CONNECTIONS_MAX, HTTP_HEADER_TIMEOUT};
use crate::shared::{Health, Shared};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

type Body = http_body_util::Full<Bytes>;

/// Serves HTTP for ever.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(crate::limits::ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&shared, &request);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HTTP_HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // A peer that speaks no HTTP, too slowly or for too long is closed; that is all it needs.
            timeout(HTTP_CONNECTION_TIMEOUT, connection).await.ok();
            drop(permit);
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here");
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "alive"),
        "/readyz" => match &*shared.health.lock() {
            Health::Ready => text(StatusCode::OK, "ready"),
            Health::Loading => text(StatusCode::SERVICE_UNAVAILABLE, "stored jobs are being loaded"),
            Health::StoreFailed(reason) | Health::LoadFailed(reason) => {
                text(StatusCode::SERVICE_UNAVAILABLE, reason)
            }
            Health::Ending => text(StatusCode::SERVICE_UNAVAILABLE, "the server is about to end"),
        },
        _ => text(StatusCode::NOT_FOUND, "/livez and /readyz are served here"),
    }
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
