//! The status as a table.
//!
//! From: [`Status`]. To: standard output. Never: a line that is broken by what a process wrote.

use geartrain_manager::planner::for_people;
use geartrain_manager::protocol::{ProcessStatus, ProgramStatus, Status};
use std::io::{self, Write};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

const COLUMNS: [&str; 11] =
    ["PROCESS", "STATE", "SINCE", "PID", "UPTIME", "RESTARTS", "LAST EXIT", "CPU", "MEMORY", "JOBS", "WHY"];

/// Whether a program or process is there.
pub(crate) fn has(status: &Status, what: &str) -> bool {
    status.programs.iter().any(|it| it.program == what || it.processes.iter().any(|it| it.process == what))
}

/// The status with this program or process alone.
pub(crate) fn pick(status: &Status, what: &str) -> Status {
    let mut picked = status.clone();
    picked.programs.retain(|it| it.program == what || it.processes.iter().any(|it| it.process == what));
    for program in &mut picked.programs {
        if program.program != what {
            program.processes.retain(|it| it.process == what);
        }
    }
    picked
}

pub(crate) fn print(out: &mut impl Write, status: &Status) -> io::Result<()> {
    let rows: Vec<[String; 11]> =
        status.programs.iter().flat_map(|program| program.processes.iter().map(row)).collect();
    let mut widths = COLUMNS.map(str::width);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    print_row(out, &widths, COLUMNS)?;
    for row in &rows {
        print_row(out, &widths, row.each_ref().map(String::as_str))?;
    }
    for program in &status.programs {
        notes(out, program)?;
    }
    for server in status.servers.iter().filter(|it| !it.answers) {
        let error = server.error.as_deref().unwrap_or("not asked yet");
        writeln!(out, "job server {} does not answer: {error}", server.address)?;
    }
    if status.is_ending {
        writeln!(out, "shutting down")?;
    }
    Ok(())
}

fn print_row(out: &mut impl Write, widths: &[usize; 11], cells: [&str; 11]) -> io::Result<()> {
    let mut line = String::new();
    for (width, cell) in widths.iter().zip(cells) {
        line.push_str(cell);
        line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
    }
    writeln!(out, "{}", line.trim_end())
}

fn row(process: &ProcessStatus) -> [String; 11] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let time = |seconds: f64| for_people(Duration::try_from_secs_f64(seconds.floor()).unwrap_or_default());
    let mut why = process.why.replace(char::is_control, " ");
    if let Some(next) = process.next_in_seconds {
        why = format!("{why}; next in {}", time(next.ceil()));
    }
    if let Some(beside) = &process.beside {
        why = format!("{why}; {beside}");
    }
    [
        process.process.clone(),
        process.state.clone(),
        time(process.since_seconds),
        or_dash(process.pid.map(|it| it.to_string())),
        or_dash(process.uptime_seconds.map(time)),
        process.restarts.to_string(),
        or_dash(process.last_exit.clone()).replace(char::is_control, " "),
        or_dash(process.cpu_percent.map(|it| format!("{it:.1}%"))),
        or_dash(process.memory_bytes.map(bytes)),
        or_dash(process.jobs.map(|it| it.to_string())),
        why,
    ]
}

/// What concerns a whole program, and the last words of what is held.
fn notes(out: &mut impl Write, program: &ProgramStatus) -> io::Result<()> {
    let name = &program.program;
    if program.processes.is_empty() {
        writeln!(out, "{name}: no processes, {} wanted", program.wanted)?;
    }
    if program.by_hand {
        writeln!(out, "{name}: {} processes by hand (hint: ctl scale {name} auto)", program.wanted)?;
    }
    if let Some(restart) = &program.restart {
        writeln!(out, "{name}: {}", restart.replace(char::is_control, " "))?;
    }
    for process in &program.processes {
        for line in &process.last_lines {
            writeln!(out, "{} wrote: {}", process.process, line.replace(char::is_control, " "))?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn bytes(count: u64) -> String {
    let count = count as f64;
    for (limit, unit) in [(1024.0, "KiB"), (1024.0 * 1024.0, "MiB"), (1024.0 * 1024.0 * 1024.0, "GiB")] {
        if count < limit * 1000.0 || unit == "GiB" {
            let number = count / limit;
            return if number < 10.0 { format!("{number:.1} {unit}") } else { format!("{number:.0} {unit}") };
        }
    }
    format!("{count} B")
}
