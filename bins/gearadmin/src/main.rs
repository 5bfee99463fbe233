//! Administration of Gearman job servers.
//!
//! From: the command line and `GEARMAN_SERVERS`. To: commands, and their replies on standard output.
//! Never: prints a cut reply as if it were whole; exits 0 when a server could not be reached or refused.

mod arguments;
mod generate;
mod output;
mod steer;

use anyhow::{Context, bail};
use arguments::Arguments;
use clap::Parser;
use clap::error::ErrorKind;
use geartrain_client::{
    ClientError, Connection, ConnectionLimits, ReplyLimits, SERVERS_VARIABLE, ServerAddress, TextCommand,
    parse_port,
};
use output::{Form, PrintError};
use std::io::{self, Write};
use std::process::ExitCode;

/// Wrong usage, or a server that could not be reached or understood.
const EXIT_FAILED: u8 = 1;
/// A server refused, or a requeue stopped.
const EXIT_REFUSED: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&geartrain_client::chain(error.as_ref()));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Help is data, wrong usage is talk; its exit status is 1, as the reference's.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().is_ok();
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked_for && printed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) }
}

fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if let Some(what) = arguments.generate {
        generate::generate(what).context("cannot write to standard output")?;
        return Ok(0);
    }
    if arguments.ssl {
        bail!("--ssl is refused: this build has no TLS (hint: ask the server over loopback or a tunnel)");
    }
    let commands = arguments.commands()?;
    if let Some(action) = &arguments.action {
        if !commands.is_empty() {
            bail!("an action and a command are given (hint: give one of them)");
        }
        return steer::run(arguments, servers(arguments)?, action);
    }
    if commands.is_empty() {
        bail!("no action given (hint: --status; --help lists all)");
    }
    let servers = servers(arguments)?;
    let form = match (arguments.json, servers.len()) {
        (true, _) => Form::Json,
        (false, 0 | 1) => Form::Plain,
        (false, _) => Form::PlainWithServer,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut failed, mut refused) = (false, false);
    for server in &servers {
        for command in &commands {
            match ask(arguments, &mut out, form, server, command) {
                Ok(()) => {}
                Err(PrintError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(EXIT_FAILED);
                }
                Err(error @ PrintError::Output(_)) => return Err(error.into()),
                Err(PrintError::Client(error)) => {
                    out.flush().context("cannot write to standard output")?;
                    let by_server = matches!(error, ClientError::Refused { .. });
                    say_of(servers.len(), server, &error);
                    refused |= by_server;
                    failed |= !by_server;
                    if !by_server {
                        break;
                    }
                }
            }
        }
    }
    Ok(if failed {
        EXIT_FAILED
    } else if refused {
        EXIT_REFUSED
    } else {
        0
    })
}

/// Each command has a connection of its own, so that what follows one reply never looks like the next.
fn ask(
    arguments: &Arguments,
    out: &mut impl Write,
    form: Form,
    server: &ServerAddress,
    command: &TextCommand,
) -> Result<(), PrintError> {
    let silence = arguments.silence();
    let limits = ConnectionLimits {
        connect: silence.min(ConnectionLimits::default().connect),
        write: silence,
        ..ConnectionLimits::default()
    };
    let mut connection = Connection::open(server, &limits)?;
    let limits = ReplyLimits { silence, reply_bytes_max: arguments.reply_bytes_max };
    let mut reply = connection.ask(command, limits)?;
    output::print(out, form, server, command, &mut reply)
}

/// The servers of `--host`, else of the environment, else the one on this machine.
fn servers(arguments: &Arguments) -> anyhow::Result<Vec<ServerAddress>> {
    let port = parse_port(&arguments.port).context("cannot use --port")?;
    if !arguments.host.is_empty() {
        let list = arguments.host.join(",");
        return ServerAddress::parse_list(&list, port).context("cannot use --host");
    }
    match std::env::var(SERVERS_VARIABLE) {
        Ok(list) if !list.trim().is_empty() => ServerAddress::parse_list(&list, port)
            .with_context(|| format!("cannot use the variable {SERVERS_VARIABLE}")),
        _ => Ok(vec![ServerAddress::Tcp { host: "localhost".to_owned(), port }]),
    }
}

fn say_of(servers: usize, server: &ServerAddress, error: &ClientError) {
    // All other errors name their server themselves.
    if servers > 1 && matches!(error, ClientError::Refused { .. }) {
        say(&format!("{server}: {error}"));
    } else {
        say(&error.to_string());
    }
}

/// Speaks to the person; a closed standard error is no reason to fail otherwise.
fn say(text: &str) {
    let _unheard = writeln!(io::stderr(), "Error: {text}");
}
