//! A manager under test, and what it says.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest any step of a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gearman-manager");

/// A folder with a configuration, and the manager that runs it.
pub(crate) struct Manager {
    pub(crate) folder: tempfile::TempDir,
    process: Option<Child>,
    said: Arc<Said>,
    /// Hear both streams to their end.
    listeners: Vec<JoinHandle<()>>,
    /// For each stream how many of the lines are behind the last one that a test has waited for there.
    read: [usize; 2],
}

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<Line>>,
    more: Condvar,
}

/// A line that the manager said. The two streams have an order each, and none between them.
#[derive(Debug)]
struct Line {
    at: Instant,
    stream: Stream,
    text: String,
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    /// What the manager itself says.
    Log,
    /// What its programs print.
    Output,
}

/// What a command ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Manager {
    /// Starts a manager with these programs; the keys of the manager itself are set.
    pub(crate) fn start(programs: &str) -> Self {
        Self::start_with("", programs, |_| {})
    }

    /// The same, with keys at the top of the file and files beside it.
    pub(crate) fn start_with(keys: &str, programs: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut manager = Self::idle_in(folder);
        manager.configure(keys, programs);
        manager.start_again();
        manager
    }

    /// One that is not started yet.
    fn idle_in(folder: tempfile::TempDir) -> Self {
        Self { folder, process: None, said: Arc::default(), listeners: Vec::new(), read: [0; 2] }
    }

    /// The same, in a folder that a test has made.
    pub(crate) fn start_in_folder(folder: tempfile::TempDir, keys: &str, programs: &str) -> Self {
        let mut manager = Self::idle_in(folder);
        manager.configure(keys, programs);
        manager.start_again();
        manager
    }

    /// The same, after a shell has done something before.
    pub(crate) fn start_in_folder_after(folder: tempfile::TempDir, before: &str, programs: &str) -> Self {
        let mut manager = Self::idle_in(folder);
        manager.configure("", programs);
        manager.spawn(&[], before);
        manager
    }

    /// The same, with variables in the manager's environment.
    pub(crate) fn start_in(variables: &[(&str, &str)], programs: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut manager = Self::idle_in(folder);
        manager.configure("", programs);
        manager.spawn(variables, "");
        manager
    }

    /// The same, after a shell has done something before.
    pub(crate) fn start_after(before: &str, programs: &str) -> Self {
        Self::start_in_folder_after(tempfile::tempdir().unwrap(), before, programs)
    }

    pub(crate) fn configure(&self, keys: &str, programs: &str) {
        let top = format!("socket = \"socket\"\nstate-folder = \"state\"\n{keys}\n");
        fs::write(self.path("manager.toml"), top + programs).unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.spawn(&[], "");
    }

    fn spawn(&mut self, variables: &[(&str, &str)], before: &str) {
        self.read = [self.said.lines.lock().unwrap().len(); 2];
        let mut process = Command::new("sh")
            .args(["-c", &format!("{before}\nexec \"$0\" \"$@\""), PROGRAM, "run"])
            .arg("--config")
            .arg(self.path("manager.toml"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        self.listeners = vec![
            listen(&self.said, Stream::Log, process.stderr.take().unwrap()),
            listen(&self.said, Stream::Output, process.stdout.take().unwrap()),
        ];
        self.process = Some(process);
        self.wait_for("programs");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.process.as_ref().unwrap().id()).unwrap()
    }

    /// Waits for a line, behind those of its stream that were waited for before.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_at(text).1
    }

    /// The same, with the time at which it was read.
    pub(crate) fn wait_for_at(&mut self, text: &str) -> (Instant, String) {
        let read = self.read;
        let find = |lines: &[Line]| {
            let mut unread =
                lines.iter().enumerate().filter(|(index, line)| *index >= read[line.stream as usize]);
            unread.find(|(_, line)| line.text.contains(text)).map(|(index, _)| index)
        };
        let lines = self.said.lines.lock().unwrap();
        let is_missing = |lines: &mut Vec<Line>| find(lines).is_none();
        let (lines, waited) = self.said.more.wait_timeout_while(lines, LIMIT, is_missing).unwrap();
        assert!(!waited.timed_out(), "the manager never said {text:?}, but {lines:#?}");
        let index = find(&lines).unwrap();
        let line = &lines[index];
        self.read[line.stream as usize] = index + 1;
        (line.at, line.text.clone())
    }

    /// Waits for a line, wherever it is.
    pub(crate) fn wait_for_any(&mut self, text: &str) {
        let read = std::mem::take(&mut self.read);
        self.wait_for(text);
        self.read = read;
    }

    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.times_said(text) > 0
    }

    /// In how many lines it has said this so far.
    pub(crate) fn times_said(&self, text: &str) -> usize {
        self.said.lines.lock().unwrap().iter().filter(|line| line.text.contains(text)).count()
    }

    pub(crate) fn ctl(&self, arguments: &[&str]) -> Done {
        let out = self.ctl_command(arguments).output().unwrap();
        Done {
            code: out.status.code().unwrap(),
            out: String::from_utf8(out.stdout).unwrap(),
            err: String::from_utf8(out.stderr).unwrap(),
        }
    }

    pub(crate) fn ctl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("ctl").arg("--socket").arg(self.path("socket")).args(arguments);
        command
    }

    /// One process, as `ctl status --json` has it.
    pub(crate) fn process(&self, name: &str) -> Value {
        let done = self.ctl(&["status", name, "--json"]);
        assert_eq!(done.code, 0, "{done:?}");
        let status: Value = serde_json::from_str(&done.out).unwrap();
        status["programs"][0]["processes"][0].clone()
    }

    /// The pids of a program, by place.
    pub(crate) fn pids(&self, program: &str) -> Vec<i32> {
        let done = self.ctl(&["status", program, "--json"]);
        let status: Value = serde_json::from_str(&done.out).unwrap();
        let processes = status["programs"][0]["processes"].as_array().unwrap().clone();
        processes.iter().filter_map(|it| it["pid"].as_i64()).map(|pid| i32::try_from(pid).unwrap()).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Ends the manager as nobody could: it hears nothing of it.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        self.hear_to_the_end();
    }

    /// Waits until all was heard that a manager said which has ended.
    fn hear_to_the_end(&mut self) {
        let listeners = std::mem::take(&mut self.listeners);
        wait_until("the last words are heard", || listeners.iter().all(JoinHandle::is_finished));
    }

    /// Waits until the manager has ended; its exit status.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut process = self.process.take().unwrap();
        let mut code = None;
        wait_until("the manager ends", || {
            code = process.try_wait().unwrap();
            code.is_some()
        });
        self.hear_to_the_end();
        code.and_then(|code| code.code())
    }
}

impl Drop for Manager {
    /// Ends what is left, so that a test that failed leaves nothing behind either.
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _gone = process.wait();
        }
        let state = fs::read_to_string(self.path("state/processes")).unwrap_or_default();
        for line in state.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let record = &line["spawned"];
            let pid = record["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
            if let Some(pid) = pid.filter(|pid| Some(start_of(*pid)) == record["started"].as_u64().map(Some))
            {
                let _gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

/// When a process was started, in ticks after the machine's start.
fn start_of(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn listen(said: &Arc<Said>, stream: Stream, pipe: impl Read + Send + 'static) -> JoinHandle<()> {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for text in BufReader::new(pipe).lines().map_while(Result::ok) {
            said.lines.lock().unwrap().push(Line { at: Instant::now(), stream, text });
            said.more.notify_all();
        }
    })
}

/// Waits for something that only asking shows.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there and not dead.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Whether there is a process of this number, dead or alive.
pub(crate) fn is_there(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The process that would hear of its end.
pub(crate) fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Processor time that a process has used, in hundredths of a second.
pub(crate) fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The number that a process wrote into a file, once it is there.
pub(crate) fn number_in(path: &Path) -> i32 {
    let mut number = None;
    wait_until("a process has written its number", || {
        number = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        number.is_some()
    });
    number.unwrap()
}
