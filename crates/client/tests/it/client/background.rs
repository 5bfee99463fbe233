//! Jobs that are left to the server, and asked for.

use super::support::{Server, Side, TestWorker, on_both_servers, until, within_limit};
use geartrain_client::{Client, JobError, JobHandle};
use std::process::Command;
use std::time::{Duration, SystemTime};

on_both_servers![
    a_background_job_is_known_until_it_ends,
    a_job_is_asked_for_by_its_unique,
    a_job_for_later_waits_and_one_for_earlier_runs,
    a_background_job_needs_nobody_to_wait,
];

fn a_background_job_is_known_until_it_ends(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let first = client.job("hold", "1").background().await.unwrap();
        assert_eq!(worker.holds(), b"1");
        let second = client.job("hold", "2").background().await.unwrap();

        let status = client.status(&second).await.unwrap();
        assert!(status.is_known && !status.is_running, "{status:?}");
        assert_eq!(status.progress(), None);
        let mut status = client.status(&first).await.unwrap();
        assert!(status.is_known && status.is_running, "{status:?}");
        // The server may hear of the progress after the worker has told this test that it sent it.
        while status.numerator == 0 {
            status = client.status(&first).await.unwrap();
        }
        assert_eq!((status.numerator, status.denominator, status.progress()), (1, 4, Some(0.25)));

        // From another connection, by a handle that was text in between.
        let other = server.client();
        let text = serde_json::to_string(&first).unwrap();
        let handle: JobHandle = serde_json::from_str(&text).unwrap();
        assert_eq!(other.status(&handle).await.unwrap(), status);

        worker.let_go();
        assert_eq!(worker.holds(), b"2");
        let status = other.status(&handle).await.unwrap();
        assert!(!status.is_known && !status.is_running, "{status:?}");
        worker.let_go();
    });
}

/// Names the handle for the process that asks, and that it is the one that asks.
const HANDLE: &str = "GEARTRAIN_TEST_HANDLE";

/// The same test is both processes: the second is given a handle, and says what it learns of the job.
#[test]
fn a_handle_is_asked_for_in_another_process() {
    if let Ok(text) = std::env::var(HANDLE) {
        let handle: JobHandle = text.parse().unwrap();
        let client = Client::new(&handle.server().to_string()).unwrap();
        let status = within_limit(client.status(&handle)).unwrap();
        assert!(status.is_known && !status.is_running, "{status:?}");
        println!("the job waits");
        return;
    }
    for side in [Side::Ours, Side::Reference] {
        let server = Server::start(side);
        let handle = within_limit(server.client().job("later", "").background()).unwrap();
        let asked = Command::new(std::env::current_exe().unwrap())
            .args(["client::background::a_handle_is_asked_for_in_another_process", "--exact", "--nocapture"])
            .env(HANDLE, handle.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8(asked.stdout).unwrap();
        assert!(asked.status.success() && said.contains("the job waits"), "{side:?}: {said}");
    }
}

fn a_job_is_asked_for_by_its_unique(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        assert!(!client.status_of_unique("hold", "u").await.unwrap().is_known);
        let job = client.job("hold", "w").unique("u").start().await.unwrap();
        worker.holds();
        let status = client.status_of_unique("hold", "u").await.unwrap();
        assert!(status.is_known && status.is_running, "{status:?}");
        assert_eq!(status.clients, Some(1));
        worker.let_go();
        job.result().await.unwrap();
    });
}

fn a_job_for_later_waits_and_one_for_earlier_runs(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let later = SystemTime::now() + Duration::from_secs(3600);
        let later = client.job("hold", "later").not_before(later).background().await.unwrap();
        let earlier = SystemTime::now() - Duration::from_secs(3600);
        client.job("hold", "earlier").not_before(earlier).background().await.unwrap();
        assert_eq!(worker.holds(), b"earlier");
        worker.let_go();
        let status = client.status(&later).await.unwrap();
        assert!(status.is_known && !status.is_running, "{status:?}");

        let urgent =
            client.job("hold", "").not_before(SystemTime::now()).priority(geartrain_client::Priority::High);
        let urgent = urgent.background().await.unwrap_err();
        assert!(matches!(urgent, JobError::Invalid(_)), "{urgent}");
    });
}

fn a_background_job_needs_nobody_to_wait(side: Side) {
    let server = Server::start(side);
    within_limit(async {
        let client = server.client();
        client.job("reverse", "abc").background().await.unwrap();
        drop(client);
        until("the client has left", || server.connections() == 0).await;
    });
    assert_eq!(server.status("reverse").0, 1, "the job is there");
    let worker = TestWorker::start(&server);
    super::support::wait_until("the job is done", || server.status("reverse").0 == 0);
    drop(worker);
}
