use super::*;
use crate::{ConnectionLimits, ServerAddress};
use geartrain_proto::command::{Changed, DeadGroups, JobsList};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

/// A server that answers each line with the next of `replies`, in pieces of one byte, and hands back the lines.
fn server(replies: &'static [&'static str]) -> (ServerAddress, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut asked = Vec::new();
        for reply in replies {
            asked.push(lines.next().unwrap().unwrap());
            // The client may leave before the end of what it refuses.
            let _sent = reply.bytes().try_for_each(|byte| writer.write_all(&[byte]));
        }
        asked.extend(lines.map_while(Result::ok));
        asked
    });
    (ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port }, asked)
}

fn ask(replies: &'static [&'static str], command: Command) -> (Result<Vec<String>, String>, Vec<String>) {
    let (address, asked) = server(replies);
    let mut connection = Connection::open(&address, &ConnectionLimits::default()).unwrap();
    let mut rows = connection.ask_pages(command, ReplyLimits::default()).unwrap();
    let mut all = Vec::new();
    let outcome = loop {
        match rows.next_row() {
            Ok(Some(row)) => all.push(String::from_utf8(row.to_vec()).unwrap()),
            Ok(None) => break Ok(all),
            Err(error) => break Err(error.to_string().replace(&address.to_string(), "SERVER")),
        }
    };
    drop(connection);
    (outcome, asked.join().unwrap())
}

fn groups() -> Command {
    Command::DeadGroups(Box::default())
}

#[test]
fn pages_follow_each_other_to_the_last() {
    let replies = &["{\"a\":1}\n{\"next\":7}\n.\n", "{\"next\":9}\n.\n", "{\"next\":1,\"a\":2}\r\n{}\n.\n"];
    let (rows, asked) = ask(replies, groups());
    assert_eq!(rows, Ok(vec!["{\"a\":1}".to_owned(), "{\"next\":1,\"a\":2}".to_owned()]));
    let line = |after| Command::DeadGroups(Box::new(DeadGroups { after })).to_line();
    assert_eq!(asked, [line(0), line(7), line(9)]);
}

#[test]
fn a_reply_without_rows_or_page_is_whole() {
    for reply in [&["{}\n.\n"][..], &[".\n"]] {
        assert_eq!(ask(reply, groups()).0, Ok(vec![]));
    }
}

#[test]
fn what_goes_wrong_is_said() {
    for (replies, expected) in [
        (&["{\"error\":\"no such job\"}\n.\n"][..], "no such job"),
        (&["ERR LINE_TOO_LONG x\r\n"], "LINE_TOO_LONG x"),
        (
            &["ERR UNKNOWN_COMMAND Unknown+server+command\r\n"],
            "SERVER does not know this command: UNKNOWN_COMMAND Unknown+server+command (hint: is it gearmand \
             of Geartrain?)",
        ),
        (&["what?\n"], "SERVER sent a line that is no row of JSON (hint: is it gearmand of Geartrain?)"),
        (&["{\"next\":4}\n.\n", "{\"next\":4}\n.\n"], "SERVER sent a page that is followed by itself, at 4"),
        (
            &["\0RES\0\0\0\u{6}\0\0\0\0"],
            "SERVER does not speak the protocol: a packet came in place of text (hint: is it a Gearman server?)",
        ),
    ] {
        assert_eq!(ask(replies, groups()).0, Err(expected.to_owned()));
    }
}

#[test]
fn an_error_leaves_the_connection_for_the_next_command() {
    let (address, asked) =
        server(&["{\"error\":\"no\"}\n.\n", "{\"matched\":3,\"changed\":2}\n{}\n.\n", "{\"x\":1}\n.\n"]);
    let mut connection = Connection::open(&address, &ConnectionLimits::default()).unwrap();
    let command = Command::JobsList(Box::<JobsList>::default());
    connection.send_typed(&[command.clone(), command.clone(), command]).unwrap();
    let refused = connection.typed_reply(ReplyLimits::default()).next_typed::<Changed>();
    assert_eq!(refused.unwrap_err().to_string(), "no");
    let rows: Result<Vec<Changed>, _> = connection.typed_reply(ReplyLimits::default()).typed().collect();
    assert_eq!(rows.unwrap(), [Changed { matched: 3, changed: 2 }]);
    let other: Result<Vec<Changed>, _> = connection.typed_reply(ReplyLimits::default()).typed().collect();
    let error = other.unwrap_err().to_string();
    assert!(error.contains("sent a row of another kind: missing field `matched`"), "{error}");
    drop(connection);
    asked.join().unwrap();
}

#[test]
fn a_reply_without_an_end_ends_at_its_limit() {
    let (address, asked) = server(&["{\"a\":1}\n{\"a\":2}\n"]);
    let mut connection = Connection::open(&address, &ConnectionLimits::default()).unwrap();
    let limits = ReplyLimits { silence: std::time::Duration::from_millis(50), reply_bytes_max: 8 };
    let mut rows = connection.ask_typed(&groups(), limits).unwrap();
    assert_eq!(rows.next_row().unwrap(), Some(&b"{\"a\":1}"[..]));
    let error = rows.next_row().unwrap_err().to_string();
    assert!(
        error.ends_with("sent a reply over the limit of 8 bytes (hint: raise reply-bytes-max)"),
        "{error}"
    );
    drop(connection);
    asked.join().unwrap();
}
