//! A client or worker that says exactly what a test wants, byte by byte.

use geartrain_proto::{PacketKind, Request, Response};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for anything; a test that reaches it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    pub(crate) fn send(&mut self, requests: &[Request<'_>]) {
        self.send_bytes(&encode(requests));
    }

    /// The next packet.
    pub(crate) fn packet(&mut self) -> (PacketKind, Vec<u8>) {
        let mut header = [0; 12];
        self.stream.read_exact(&mut header).expect("a packet comes");
        assert_eq!(&header[..4], b"\0RES");
        let kind = u32::from_be_bytes(header[4..8].try_into().unwrap());
        let len = u32::from_be_bytes(header[8..].try_into().unwrap());
        let mut body = vec![0; len as usize];
        self.stream.read_exact(&mut body).expect("the whole packet comes");
        (PacketKind::from_wire(kind).expect("a kind of the protocol"), body)
    }

    /// The body of the next packet, which has to be of this kind.
    pub(crate) fn body_of(&mut self, expected: PacketKind) -> Vec<u8> {
        let (kind, body) = self.packet();
        assert_eq!(kind, expected, "with body {}", body.escape_ascii());
        body
    }

    /// The first part of the next packet, which has to be of this kind.
    pub(crate) fn first_part_of(&mut self, expected: PacketKind) -> Vec<u8> {
        let body = self.body_of(expected);
        body.split(|byte| *byte == 0).next().unwrap().to_vec()
    }

    /// The next packet has to be this one.
    pub(crate) fn expect(&mut self, response: &Response<'_>) {
        let mut expected = Vec::new();
        response.encode(&mut expected);
        let mut got = vec![0; expected.len()];
        self.stream.read_exact(&mut got).expect("a packet comes");
        assert!(got == expected, "got {}, not {response:?}", got.escape_ascii());
    }

    /// The next text line, its line feed included.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a line comes");
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// The lines of a listing, up to its dot.
    pub(crate) fn listing(&mut self, command: &str) -> Vec<String> {
        self.send_bytes(format!("{command}\r\n").as_bytes());
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if line == ".\n" {
                return lines;
            }
            lines.push(line.trim_end_matches('\n').to_owned());
        }
    }

    /// The server has nothing more to say and closes; a reset counts as well.
    pub(crate) fn expect_end(&mut self) {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => {}
            Ok(_) => panic!("the server sends {byte:?} instead of closing"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }

    /// Nothing comes within this time.
    pub(crate) fn expect_silence(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut byte = [0];
        let read = self.stream.read(&mut byte);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match read {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => panic!("expected silence, got {other:?}"),
        }
    }

    pub(crate) fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The server serves this connection.
    pub(crate) fn expect_alive(&mut self) {
        self.send(&[Request::Echo { data: b"alive?" }]);
        self.expect(&Response::Echo { data: b"alive?" });
    }
}

/// The packets, one behind the other.
pub(crate) fn encode(requests: &[Request<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    requests.iter().for_each(|request| request.encode(&mut bytes));
    bytes
}

/// A submit without a unique.
pub(crate) fn submit<'a>(
    function: &'a str,
    mode: geartrain_proto::SubmitMode,
    workload: &'a [u8],
) -> Request<'a> {
    Request::Submit(geartrain_proto::Submit {
        function: function.into(),
        unique: "".into(),
        priority: geartrain_proto::Priority::Normal,
        mode,
        reducer: None,
        workload,
    })
}
