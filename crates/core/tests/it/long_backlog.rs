//! A backlog that was long and is gone leaves a queue like any other.

use crate::world::Outputs;
use geartrain_core::{Core, Now, Settings};
use geartrain_proto::{Function, GrabKind, Handle, Priority, Request, Submit, SubmitMode, Unique};

#[test]
fn jobs_are_found_while_a_backlog_grows_drains_and_grows_again() {
    let mut core = Core::new(Settings::default()).unwrap();
    let (client, worker) = (core.handle_connected(3, "client"), core.handle_connected(4, "worker"));
    let (function, now) = (Function::from("f"), Now::default());
    let mut out = Outputs::default();
    core.handle_request(now, worker, &Request::CanDo { function }, &mut out);
    let mut number = 0;
    for count in [70_000, 3, 70_000] {
        for _ in 0..count {
            number += 1;
            let unique = format!("unique-{number}");
            let submit = Submit {
                function,
                unique: Unique::from(unique.as_str()),
                priority: Priority::Normal,
                mode: SubmitMode::Background,
                reducer: None,
                workload: b"workload",
            };
            // The second one joins the first.
            core.handle_request(now, client, &Request::Submit(submit), &mut out);
            core.handle_request(now, client, &Request::Submit(submit), &mut out);
            let handle = format!("JOB_CREATED H:localhost:{number}");
            let sent: Vec<String> = out.sent.drain(..).map(|(_, what)| what).collect();
            assert_eq!(sent, [handle.clone(), handle]);
        }
        assert_eq!(core.jobs(), count);
        core.check_all();
        for done in number - count + 1..=number {
            core.handle_request(now, worker, &Request::Grab(GrabKind::Plain), &mut out);
            let handle = format!("H:localhost:{done}");
            let sent: Vec<String> = out.sent.drain(..).map(|(_, what)| what).collect();
            assert_eq!(sent, [format!("JOB_ASSIGN {handle} f")]);
            let handle = Handle::from(handle.as_str());
            core.handle_request(now, worker, &Request::WorkComplete { handle, result: b"" }, &mut out);
            assert!(out.sent.is_empty(), "{:?}", out.sent);
        }
        assert_eq!(core.jobs(), 0);
        core.check_all();
    }
}
