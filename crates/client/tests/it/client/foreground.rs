//! Jobs that somebody waits for.

use super::support::{Server, Side, TestWorker, client_of, on_both_servers, told, within_limit};
use geartrain_client::{JobError, JobEvent, Json, MsgPack, Priority};

on_both_servers![
    a_job_comes_back_with_its_result,
    large_workloads_and_results_arrive_whole,
    what_happens_to_a_job_comes_in_order,
    a_job_that_fails_says_so_and_why,
    jobs_with_one_unique_run_once_and_all_get_the_result,
    urgent_jobs_come_first,
    a_reducer_reaches_the_worker,
    a_refused_job_says_what_the_server_said,
    an_echo_comes_back,
    values_go_and_come_as_json_and_messagepack,
    over_several_connections_many_tasks_share_a_client,
];

fn a_job_comes_back_with_its_result(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        assert_eq!(client.job("reverse", "abc").run().await.unwrap(), "cba");
        assert_eq!(client.job("reverse", "").await.unwrap(), "");
        assert_eq!(client.job("reverse", &b"\0\xff"[..]).await.unwrap(), &b"\xff\0"[..]);
    });
}

fn large_workloads_and_results_arrive_whole(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    let workload: Vec<u8> = (0..5_000_000_u32).map(|at| at.to_be_bytes()[2]).collect();
    let expected: Vec<u8> = workload.iter().rev().copied().collect();
    within_limit(async {
        let client = server.client();
        let large = client.job("reverse", workload).run();
        let small = client.job("reverse", "ab").run();
        let (large, small) = tokio::join!(large, small);
        assert!(large.unwrap() == expected, "the large result differs");
        assert_eq!(small.unwrap(), "ba");
        assert_eq!(client.job("data", "40").await.unwrap().len(), 40 * 65_536);
    });
}

fn what_happens_to_a_job_comes_in_order(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let mut job = client.job("talk", "").start().await.unwrap();
        assert_eq!(job.handle().server().to_string(), server.address());
        assert!(job.handle().handle().as_bytes().starts_with(b"H:"));
        let mut events = Vec::new();
        while let Some(event) = job.next().await {
            events.push(event.unwrap());
        }
        let expected = [
            JobEvent::Data("one,".into()),
            JobEvent::Warning("careful".into()),
            JobEvent::Status { numerator: 1, denominator: 2 },
            JobEvent::Data("two,".into()),
            JobEvent::Complete("end".into()),
        ];
        assert_eq!(events, expected);
        assert!(job.next().await.is_none(), "the end is lasting");

        assert_eq!(client.job("talk", "").run().await.unwrap(), "one,two,end");
        let mut job = client.job("talk", "").start().await.unwrap();
        assert_eq!(job.next().await.unwrap().unwrap(), JobEvent::Data("one,".into()));
        assert_eq!(job.result().await.unwrap(), "two,end");
    });
}

fn a_job_that_fails_says_so_and_why(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let failed = client.job("fail", "").run().await.unwrap_err();
        let handle = failed.handle().unwrap().to_string();
        assert_eq!(failed.to_string(), format!("{handle} failed, without a reason"));

        let thrown = client.job("throw", "no such\0photo").run().await.unwrap_err();
        let JobError::Exception { handle, exception } = &thrown else { panic!("{thrown:?}") };
        assert_eq!(exception, "no such\0photo");
        assert_eq!(thrown.to_string(), format!("{handle} failed: no such\0photo"));

        let mut job = client.job("throw", "x").start().await.unwrap();
        assert!(matches!(job.next().await, Some(Err(JobError::Exception { .. }))));
        assert!(job.next().await.is_none());
        assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba", "the connection goes on");
    });
}

fn jobs_with_one_unique_run_once_and_all_get_the_result(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let (one, other) = (server.client(), server.client());
        let job = |client: &geartrain_client::Client| client.job("hold", "w").unique("u").start();
        // Two over one connection, of which the server sends each report once for each, and one over another.
        let (first, second, third) =
            (job(&one).await.unwrap(), job(&one).await.unwrap(), job(&other).await.unwrap());
        assert_eq!(first.handle(), second.handle());
        assert_eq!(first.handle(), third.handle());
        worker.let_go();
        for job in [first, second, third] {
            assert_eq!(job.result().await.unwrap(), "held:w");
        }
        assert_eq!(worker.holds(), b"w");
        assert_eq!(server.status("hold").0, 0, "the job ran once");
    });
}

fn urgent_jobs_come_first(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let job = |workload: &'static str| client.job("hold", workload);
        let mut jobs = vec![job("first").start().await.unwrap()];
        assert_eq!(worker.holds(), b"first");
        for (priority, workload) in
            [(Priority::Low, "low"), (Priority::Normal, "normal"), (Priority::High, "high")]
        {
            jobs.push(job(workload).priority(priority).start().await.unwrap());
        }
        let order: Vec<Vec<u8>> = (0..3)
            .map(|_| {
                worker.let_go();
                worker.holds()
            })
            .collect();
        worker.let_go();
        assert_eq!(order, [b"high".to_vec(), b"normal".to_vec(), b"low".to_vec()]);
        for job in jobs {
            job.result().await.unwrap();
        }
    });
}

fn a_reducer_reaches_the_worker(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let described = client.job("describe", "x").unique("u1").reducer("sum").run().await.unwrap();
        assert_eq!(described, "u1 reduced by sum");
        assert_eq!(client.job("describe", "x").unique("u2").run().await.unwrap(), "u2");
    });
}

fn a_refused_job_says_what_the_server_said(side: Side) {
    let server = Server::start(side);
    within_limit(async {
        let client = server.client();
        client.job("narrow", "1").background().await.unwrap();
        assert_eq!(server.ask("maxqueue narrow 1", "\n"), "OK\r\n");
        let refused = client.job("narrow", "2").run().await.unwrap_err();
        assert_eq!(told(&refused, &[&server]), "127.0.0.1:PORT refused it: QUEUE_ERROR: Job queue is full");
        let refused = client.job("narrow", "2").background().await.unwrap_err();
        assert!(matches!(refused, JobError::Refused { .. }), "{refused}");

        let long = client.job("f", "").unique([b'u'; 65]).run().await.unwrap_err();
        assert_eq!(
            long.to_string(),
            "it cannot be sent: the unique is 65 bytes long, over the limit of 63 bytes"
        );
        let timed = client.job("f", "").not_before(std::time::SystemTime::now()).run().await.unwrap_err();
        assert!(matches!(timed, JobError::Invalid(_)), "{timed}");
    });
}

fn an_echo_comes_back(side: Side) {
    let server = Server::start(side);
    within_limit(async {
        let client = server.client();
        let address = client.servers().next().unwrap().clone();
        assert_eq!(client.echo(&address, b"a\0b").await.unwrap(), &b"a\0b"[..]);
        assert_eq!(client.echo(&address, b"").await.unwrap(), "");
        let elsewhere = geartrain_client::ServerAddress::parse("elsewhere.example", 4730).unwrap();
        let unknown = client.echo(&elsewhere, b"").await.unwrap_err();
        assert!(matches!(unknown, JobError::UnknownServer { .. }), "{unknown}");
    });
}

#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Resize {
    photo: String,
    widths: Vec<u32>,
}

fn values_go_and_come_as_json_and_messagepack(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    let resize = Resize { photo: "p1".to_owned(), widths: vec![100, 70_000] };
    within_limit(async {
        let client = server.client();
        let text = client.job("echo", Json(&resize)).run().await.unwrap();
        assert_eq!(text, r#"{"photo":"p1","widths":[100,70000]}"#);
        let Json(back): Json<Resize> = client.job("echo", Json(&resize)).run_as().await.unwrap();
        assert_eq!(back, resize);
        let job = client.job("echo", MsgPack(&resize)).start().await.unwrap();
        let MsgPack(back): MsgPack<Resize> = job.result_as().await.unwrap();
        assert_eq!(back, resize);
        assert_eq!(client.job("echo", "text").run_as::<String>().await.unwrap(), "text");

        let other = client.job("echo", Json(7)).run_as::<Json<Resize>>().await.unwrap_err();
        assert_eq!(
            other.to_string(),
            "the result is not the JSON expected: invalid type: integer `7`, expected struct Resize at line 1 column 1"
        );
        let other = client.job("echo", "").run_as::<MsgPack<Resize>>().await.unwrap_err();
        assert!(matches!(other, JobError::Value { what: "result", .. }), "{other}");
        // A value without a form in JSON.
        let none = Json(std::collections::BTreeMap::from([(vec![1_u8], 1)]));
        let refused = client.job("echo", none).background().await.unwrap_err();
        let text = "the workload cannot be written as JSON: key must be a string";
        assert_eq!(refused.to_string(), text);
    });
}

fn over_several_connections_many_tasks_share_a_client(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let client = client_of(&[&server]).connections(3).build().unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|number: u32| {
            let client = client.clone();
            runtime.spawn(async move {
                for round in 0..10 {
                    let workload = format!("{number} {round}");
                    let expected: String = workload.chars().rev().collect();
                    assert_eq!(client.job("reverse", workload).run().await.unwrap(), expected);
                }
            })
        })
        .collect();
    within_limit(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    // The worker's, and those of the client.
    assert_eq!(server.connections(), 1 + 3);
}
