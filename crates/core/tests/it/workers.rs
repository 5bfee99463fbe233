//! The command about workers.

use crate::world::World;
use geartrain_core::Settings;
use geartrain_proto::SubmitMode::Background;
use geartrain_proto::{ClientId, Request};
use serde_json::json;
use std::time::Duration;

#[test]
fn workers_are_listed_with_what_they_can_do_and_what_they_run() {
    let mut world = World::new(Settings::default());
    let (asker, other) = (world.connect(), world.connect());
    let worker = world.core.handle_connected_from(7, "127.0.0.1", Some(40_000));
    world.request(worker, &Request::SetClientId { id: ClientId::from("resizer") });
    world.can_do(worker, "f");
    world.can_do(worker, "g");
    world.can_do(other, "g");
    world.submit(asker, "f", "", Background);
    world.grab(worker);
    world.request(other, &Request::PreSleep);
    let (rows, _) = world.command(asker, "workers list");
    let (rows, worker, sleeping) = (&rows[..], &rows[1], &rows[0]);
    let row = json!({
        "descriptor": 7, "address": "127.0.0.1", "port": 40_000, "client-id": "resizer", "sleep": "awake",
        "functions": ["g", "f"], "running": ["H:localhost:1"], "failures": 0,
    });
    assert_eq!(*worker, row);
    assert_eq!((&sleeping["sleep"], sleeping.get("port")), (&json!("sleeping"), None));
    assert_eq!(rows[2..], [json!({})], "who is able to do nothing is no worker");
}

#[test]
fn a_worker_that_fails_what_others_complete_is_listed_as_suspended() {
    let mut world = World::new(Settings { bad_worker_after: 1, ..Settings::default() });
    let (client, bad, good) = (world.connect(), world.connect(), world.connect());
    for (conn, id) in [(bad, "bad"), (good, "good")] {
        world.request(conn, &Request::SetClientId { id: ClientId::from(id) });
        world.can_do(conn, "f");
    }
    world.submit(client, "f", "", Background);
    world.grab(bad);
    world.request(bad, &Request::ResetAbilities);
    world.can_do(bad, "f");
    world.grab(good);
    world.complete(good, "H:localhost:1");
    world.advance(Duration::from_secs(10));
    let (rows, _) = world.command(client, "workers list");
    assert_eq!((&rows[0]["failures"], &rows[0]["suspended-ms"]), (&json!(1), &json!(50_000)));
    assert_eq!(rows[1].get("suspended-ms"), None);
    // A job that only a suspended worker could do says so.
    world.close(good);
    world.submit(client, "f", "", Background);
    let (rows, _) = world.command(client, r#"explain {"handle":"H:localhost:2"}"#);
    assert_eq!(rows[0]["findings"][0]["reason"], "suspended");
    let text = rows[0]["findings"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("\"127.0.0.1 bad\" gets some again in 50 s"), "{text}");
    assert_eq!(rows[0].get("starts-in-ms"), None);
}

#[test]
fn workers_come_in_pages_and_each_once() {
    let mut world = World::new(Settings::default());
    let asker = world.connect();
    let workers: Vec<_> = (0..1200).map(|_| world.core.handle_connected(7, "127.0.0.1")).collect();
    for worker in &workers {
        let can_do = Request::CanDo { function: geartrain_proto::Function::from("f") };
        world.core.handle_request(world.now, *worker, &can_do, &mut world.out);
    }
    let (mut after, mut pages, mut listed) = (0, 0, 0);
    loop {
        let (rows, _) = world.command(asker, &format!(r#"workers list {{"after":{after}}}"#));
        listed += rows.len() - 1;
        pages += 1;
        // One that was listed goes, and does not make another one be left out.
        if pages == 1 {
            world.close(workers[0]);
        }
        match rows.last().unwrap()["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((pages, listed), (3, 1200));
}
