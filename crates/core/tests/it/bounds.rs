//! No input holds the queue for long, and nothing that waits grows without a limit: see `chores.rs`.

use crate::world::Outputs;
use geartrain_core::{
    ConnId, Core, Durability, LetterHead, Limits, Moment, Now, Outcome, Record, Settings, Shelf, Shelving,
    Stored, Ticket, UnixTime,
};
use geartrain_proto::{AdminCommand, Function, GrabKind, Priority, Request, Submit, SubmitMode, Unique};
use std::time::Duration;

/// More than two portions.
const MANY: u64 = 5_000;

/// What one input may do to entries that are each a change.
const PORTION: usize = 2_048;

/// A queue with very much in it: its invariants are checked where a test says so.
struct Full {
    core: Core,
    out: Outputs,
    now: Now,
    conn: ConnId,
}

impl Full {
    fn new(limits: Limits) -> Self {
        let settings = Settings { durability: Durability::Stored, limits, ..Settings::default() };
        let mut core = Core::new(settings).unwrap();
        let conn = core.handle_connected(7, "127.0.0.1");
        let now = Now { moment: Moment::default(), unix: UnixTime::from_seconds(1_700_000_000) };
        Self { core, out: Outputs::default(), now, conn }
    }

    fn with_jobs(count: u64) -> Self {
        let mut full = Self::new(Limits::default());
        (1..=count).for_each(|number| full.load_job(number));
        full.core.handle_loaded(full.now, &mut full.out);
        full
    }

    fn with_letters(limits: Limits, count: u64) -> Self {
        let mut full = Self::new(limits);
        (1..=count).for_each(|number| full.file(number, 100));
        full.core.handle_loaded(full.now, &mut full.out);
        full
    }

    fn load_job(&mut self, number: u64) {
        let record = Record {
            number,
            place: number,
            function: b"f",
            unique: b"",
            priority: Priority::Normal,
            workload: b"w",
            reducer: None,
            not_before: 0,
            attempts: 0,
            lost: 0,
            submitted: self.now.unix,
        };
        self.core.load(self.now, Stored::Job(record), &mut self.out);
    }

    fn file(&mut self, number: u64, bytes: u64) {
        self.file_of("f", number, bytes);
    }

    fn file_of(&mut self, function: &str, number: u64, bytes: u64) {
        let (shelf, how, error) = (Shelf::Dead, Outcome::Failed, &b"error"[..]);
        let ended = UnixTime::from_millis(self.now.unix.millis() + number.cast_signed());
        let shelving = Shelving { number, shelf, ended, how, attempts: 1, error };
        let letter = Stored::Letter(LetterHead { shelving, function: function.as_bytes(), bytes });
        self.core.load(self.now, letter, &mut self.out);
    }

    /// What the command is answered with at once.
    fn ask(&mut self, conn: ConnId, line: &str) -> String {
        let command = AdminCommand::parse(line.as_bytes()).unwrap();
        self.core.handle_admin(self.now, conn, &command, &mut self.out);
        self.take_sent()
    }

    fn take_sent(&mut self) -> String {
        std::mem::take(&mut self.out.sent).into_iter().map(|(_, what)| what).collect()
    }

    fn submit(&mut self, function: &str) {
        let submit = Submit {
            function: Function::from(function),
            unique: Unique::from(""),
            priority: Priority::Normal,
            mode: SubmitMode::Background,
            reducer: None,
            workload: b"w",
        };
        self.core.handle_request(self.now, self.conn, &Request::Submit(submit), &mut self.out);
        self.commit();
        self.take_sent();
    }

    fn commit(&mut self) {
        self.core.handle_committed(self.now, Ticket::new(u64::MAX >> 1), &mut self.out);
    }

    fn pass(&mut self, seconds: u64) {
        let time = Duration::from_secs(seconds);
        self.now = Now { moment: self.now.moment.after(time), unix: self.now.unix.after(time) };
    }

    /// Does one portion; `false` when there is nothing to do.
    fn step(&mut self) -> bool {
        let is_due = self.core.poll_timeout(self.now).is_some_and(|at| at <= self.now.moment);
        if is_due {
            self.core.handle_timeout(self.now, &mut self.out);
        }
        is_due
    }

    /// Does all portions: the most changes that one of them made, and how many there were.
    fn finish(&mut self) -> (usize, usize) {
        let (mut most, mut steps) = (0, 0);
        loop {
            self.out.persisted.clear();
            if !self.step() {
                self.core.check_all();
                return (most, steps);
            }
            most = most.max(self.out.persisted.len());
            steps += 1;
        }
    }

    fn counts(&mut self) -> (u64, u64) {
        let answer = self.ask(self.conn, "dead counts {}");
        let row: serde_json::Value = serde_json::from_str(answer.lines().next().unwrap()).unwrap();
        (row["dead"].as_u64().unwrap(), row["removed"].as_u64().unwrap())
    }
}

#[test]
fn a_lowered_count_removes_letters_in_portions_and_by_the_last_rule() {
    let mut full = Full::with_letters(Limits::default(), MANY);
    let conn = full.conn;
    full.ask(conn, r#"policy set {"function":"f","values":{"dead-count":10}}"#);
    assert!(full.out.persisted.len() <= PORTION + 10, "{} changes at once", full.out.persisted.len());
    assert!((1..=PORTION as u64).contains(&full.counts().1));
    full.ask(conn, r#"policy set {"function":"f","values":{"dead-count":2000}}"#);
    let (most, steps) = full.finish();
    assert!(most <= PORTION && steps >= 2, "{most} changes in one of {steps}");
    assert_eq!(full.counts(), (2000, 3000), "the rule of now counts");
}

#[test]
fn letters_get_their_age_in_portions() {
    let mut full = Full::with_letters(Limits::default(), MANY);
    full.ask(full.conn, r#"policy set {"function":"*","values":{"dead-age":"10s"}}"#);
    assert!(full.finish().1 >= 2);
    full.now.unix = UnixTime::from_millis(full.now.unix.millis() + 20_000);
    full.finish();
    assert_eq!(full.counts(), (0, MANY));
}

#[test]
fn a_large_letter_pushes_out_few_at_once_and_all_that_are_too_many_in_the_end() {
    let mut full = Full::new(Limits::default());
    full.ask(full.conn, r#"policy set {"function":"f","values":{"dead-bytes":500000}}"#);
    full.finish();
    (1..=MANY).for_each(|number| full.file(number, 100));
    full.out.persisted.clear();
    full.file(MANY + 1, 499_900);
    assert_eq!(full.out.persisted.len(), 64);
    full.finish();
    assert_eq!(full.counts(), (2, MANY - 1));
}

#[test]
fn the_oldest_letters_of_all_functions_make_room() {
    let limits = Limits { letters_max: 3, ..Limits::default() };
    let mut full = Full::with_letters(limits, 5);
    assert_eq!(full.counts(), (3, 2));
    assert_eq!(full.out.persisted.iter().filter(|(_, op)| op == "unshelve 1").count(), 1);
    full.core.check_all();

    let limits = Limits { letters_bytes_max: 250, ..Limits::default() };
    let mut full = Full::with_letters(limits, 5);
    assert_eq!(full.counts(), (2, 3));
    full.core.check_all();
}

#[test]
fn a_long_line_gets_its_expiry_in_portions() {
    let mut full = Full::with_jobs(MANY);
    full.ask(full.conn, r#"policy set {"function":"f","values":{"expires":"10s"}}"#);
    // A job that comes meanwhile, and a rule that is set again, need no care.
    full.load_job(MANY + 1);
    full.ask(full.conn, r#"policy set {"function":"f","values":{"expires":"20s"}}"#);
    assert!(full.finish().1 >= 3);
    let after = |seconds: i64, now: Now| UnixTime::from_millis(now.unix.millis() + seconds * 1000);
    full.now.unix = after(15, full.now);
    full.finish();
    assert_eq!(full.core.jobs() as u64, MANY + 1);
    full.now.unix = after(10, full.now);
    full.finish();
    assert_eq!(full.core.jobs(), 0);
}

#[test]
fn a_raised_expiry_saves_the_jobs_that_its_sweep_has_not_come_to() {
    let mut full = Full::with_jobs(MANY);
    let conn = full.conn;
    for (values, seconds) in [("10s", 9), ("1h", 2), ("12s", 0), ("none", 3)] {
        full.commit();
        full.ask(conn, &format!(r#"policy set {{"function":"f","values":{{"expires":"{values}"}}}}"#));
        full.commit();
        assert!(full.take_sent().ends_with(".\n"), "it is in force");
        if values == "10s" {
            full.finish();
        }
        full.pass(seconds);
        full.step();
    }
    full.finish();
    assert_eq!(full.core.jobs() as u64, MANY);
}

#[test]
fn a_worker_gets_jobs_by_the_expiry_of_now() {
    let mut full = Full::with_jobs(MANY);
    let worker = full.core.handle_connected(8, "127.0.0.1");
    let can_do = Request::CanDo { function: Function::from("f") };
    full.core.handle_request(full.now, worker, &can_do, &mut full.out);
    full.ask(full.conn, r#"policy set {"function":"f","values":{"expires":"10s"}}"#);
    full.finish();
    // Looked at by grabs alone: the time comes before the sweep of what was raised.
    full.load_job(MANY + 1);
    full.ask(full.conn, r#"policy set {"function":"f","values":{"expires":"1h"}}"#);
    full.pass(11);
    for _ in 0..3_000 {
        full.core.handle_request(full.now, worker, &Request::Grab(GrabKind::Plain), &mut full.out);
    }
    assert_eq!((full.out.assigned.len(), full.core.jobs() as u64), (3_000, MANY + 1));
    full.finish();
    // And one that was lowered ends those that its sweep has not come to.
    full.ask(full.conn, r#"policy set {"function":"f","values":{"expires":"5s"}}"#);
    full.core.handle_request(full.now, worker, &Request::Grab(GrabKind::Plain), &mut full.out);
    assert_eq!(full.out.assigned.len(), 3_000, "all the others waited longer");
}

#[test]
fn a_raised_age_saves_the_letters_that_its_sweep_has_not_come_to() {
    let mut full = Full::with_letters(Limits::default(), MANY);
    full.ask(full.conn, r#"policy set {"function":"f","values":{"dead-age":"10s"}}"#);
    full.finish();
    full.ask(full.conn, r#"policy set {"function":"f","values":{"dead-age":"1h"}}"#);
    full.pass(20);
    full.finish();
    assert_eq!(full.counts(), (MANY, 0));
    full.pass(3_600);
    full.finish();
    assert_eq!(full.counts(), (0, MANY));
}

#[test]
fn letters_are_looked_at_only_where_what_is_kept_changed() {
    let mut full = Full::with_letters(Limits::default(), MANY);
    (1..=3).for_each(|number| full.file_of("g", MANY + number, 100));
    full.finish();
    let mut portions = |function: &str, values: &str| {
        full.ask(full.conn, &format!(r#"policy set {{"function":"{function}","values":{{{values}}}}}"#));
        let removed = full.counts().1;
        (full.finish().1, removed)
    };
    assert_eq!(portions("f", r#""dead-count":4000"#), (2, 1000), "the letters of f, by and by");
    assert_eq!(portions("f", r#""paused":true"#), (0, 1000));
    assert_eq!(portions("*", r#""attempts":3"#), (0, 1000));
    assert_eq!(portions("g", r#""dead-count":1"#), (0, 1002), "a name is looked at alone");
    assert_eq!(portions("f*", r#""dead-age":"1h""#), (1, 1002));
    assert_eq!(portions("f*", r#""expires":"1h""#), (0, 1002));
    assert_eq!(portions("*f", r#""dead-age":"2h""#), (1, 1002));
    assert_eq!(portions("f*", r#""expires":"2h""#), (1, 1002), "of two patterns the later counts");
    full.pass(2 * 3_600);
    full.finish();
    assert_eq!(full.counts(), (1, MANY + 2));
}

#[test]
fn names_that_are_set_while_letters_are_looked_at_are_all_looked_at() {
    let mut full = Full::with_letters(Limits::default(), MANY);
    for (index, name) in (0..).zip(["a", "b", "y", "z"]) {
        (1..=3).for_each(|number| full.file_of(name, MANY + index * 3 + number, 100));
    }
    full.finish();
    for name in ["f", "a", "b", "z"] {
        full.ask(full.conn, &format!(r#"policy set {{"function":"{name}","values":{{"dead-count":1}}}}"#));
    }
    full.finish();
    assert_eq!(full.counts(), (7, MANY + 5));
}

#[test]
fn a_function_is_dropped_with_its_jobs_in_portions() {
    let mut full = Full::with_jobs(MANY);
    full.out.persisted.clear();
    assert_eq!(full.ask(full.conn, "drop function f force"), "", "the answer is held");
    assert_eq!(full.out.persisted.len(), PORTION);
    assert_eq!(full.finish(), (PORTION, 2));
    assert_eq!(full.take_sent(), "OK\r\n");
    assert_eq!((full.core.jobs(), full.ask(full.conn, "status")), (0, ".\n".to_owned()));
}

#[test]
fn a_short_line_is_dropped_at_once_beside_a_long_one() {
    let mut full = Full::with_jobs(MANY);
    full.submit("g");
    full.submit("g");
    assert_eq!(full.ask(full.conn, "drop function g force"), "OK\r\n");
    assert_eq!(full.core.jobs() as u64, MANY);
    full.core.check_all();
}

#[test]
fn a_function_that_gets_a_worker_while_it_is_dropped_stays() {
    let mut full = Full::with_jobs(MANY);
    assert_eq!(full.ask(full.conn, "drop function f force"), "");
    let worker = full.core.handle_connected(8, "127.0.0.1");
    let can_do = Request::CanDo { function: Function::from("f") };
    full.core.handle_request(full.now, worker, &can_do, &mut full.out);
    full.finish();
    assert_eq!(full.take_sent(), "ERR there are still connected workers or executing clients\r\n");
    assert_eq!(full.core.jobs() + PORTION, 5_000, "a portion was cancelled");
}

#[test]
fn commands_of_all_connections_that_wait_for_the_store_have_a_limit() {
    let mut full = Full::with_letters(Limits::default(), 1);
    let list = "dead list {}";
    for number in 0..128 {
        let conn = if number % 16 == 0 { full.core.handle_connected(8, "127.0.0.1") } else { full.conn };
        full.conn = conn;
        assert_eq!(full.ask(conn, list), "");
    }
    let other = full.core.handle_connected(9, "127.0.0.1");
    let refusal = full.ask(other, list);
    assert!(
        refusal.starts_with("{\"error\":\"128 commands of all connections wait for the store"),
        "{refusal}"
    );
    assert_eq!(full.out.reads.len(), 128);
    let (ticket, ..) = full.out.reads.remove(0);
    full.core.handle_read_end(full.now, ticket, Ok(()), &mut full.out);
    full.take_sent();
    assert_eq!(full.ask(other, list), "", "there is room again");
}

#[test]
fn answers_that_wait_for_the_disk_have_a_limit() {
    let mut full = Full::new(Limits::default());
    let conn = full.conn;
    let pause = r#"policy set {"function":"f","values":{"paused":true}}"#;
    for _ in 0..65_536 {
        full.ask(conn, pause);
    }
    let refusal = full.ask(conn, pause);
    assert!(
        refusal.starts_with("{\"error\":\"65536 commands of all connections wait for the disk"),
        "{refusal}"
    );
    for looks in [r#"explain {"function":"f"}"#, "dead counts {}", "schedule list {}"] {
        let answer = full.ask(conn, looks);
        assert!(!answer.is_empty() && !answer.contains("wait for the disk"), "{looks}: {answer}");
    }
    let last = full.out.persisted.last().unwrap().0;
    full.core.handle_committed(full.now, last, &mut full.out);
    full.take_sent();
    assert_eq!(full.ask(conn, pause), "");
    assert_ne!(full.out.persisted.last().unwrap().0, last);
}

#[test]
fn changes_of_schedules_are_answered_without_the_workload() {
    let mut full = Full::new(Limits::default());
    let (conn, workload) = (full.conn, "w".repeat(100_000));
    let add =
        format!(r#"schedule add {{"name":"s","when":"@hourly","function":"f","workload":"{workload}"}}"#);
    full.ask(conn, &add);
    full.ask(conn, r#"schedule run {"name":"s"}"#);
    for word in ["pause", "resume"] {
        full.ask(conn, &format!("schedule {word} {{\"name\":\"s\"}}"));
    }
    full.core.handle_committed(full.now, Ticket::new(u64::MAX >> 1), &mut full.out);
    let answers = full.take_sent();
    assert_eq!(answers.matches("\"name\":\"s\"").count(), 4, "{answers:.1000}");
    assert!(answers.len() < 4_000, "{} bytes", answers.len());
    assert!(full.ask(conn, r#"schedule show {"name":"s"}"#).contains(&workload));
}
