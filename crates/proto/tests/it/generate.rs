//! Packets and lines of any content that the protocol can carry.
//!
//! Everything is owned, since a strategy cannot lend; [`RequestParts::with`] lends it as a packet.

use geartrain_proto::{
    Calendar, ClientId, Function, GrabKind, Handle, Priority, Reducer, Request, Response, Status, Submit,
    SubmitMode, Unique,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// How many shapes of request [`RequestParts::with`] knows.
const REQUEST_SHAPES: usize = 29;
/// How many shapes of response [`ResponseParts::with`] knows.
const RESPONSE_SHAPES: usize = 17;

/// What requests are made of.
#[derive(Debug, Clone)]
pub(crate) struct RequestParts {
    shape: usize,
    function: Vec<u8>,
    unique: Vec<u8>,
    handle: Vec<u8>,
    words: [Vec<u8>; 5],
    number: i64,
    rest: Vec<u8>,
}

/// Bytes without a NUL: what may stand before another part.
fn part(len_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..=len_max)
}

/// Any bytes: what may stand last.
fn rest() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

pub(crate) fn request() -> impl Strategy<Value = RequestParts> {
    let words = [part(8), part(8), part(8), part(64), part(8)];
    (0..REQUEST_SHAPES, part(40), part(64), part(63), words, any::<i64>(), rest()).prop_map(
        |(shape, function, unique, handle, words, number, rest)| RequestParts {
            shape,
            function,
            unique,
            handle,
            words,
            number,
            rest,
        },
    )
}

impl RequestParts {
    /// One of every shape of request, with content that shows in every part.
    pub(crate) fn one_of_each() -> Vec<RequestParts> {
        (0..REQUEST_SHAPES)
            .map(|shape| RequestParts {
                shape,
                function: b"reverse".to_vec(),
                unique: b"u-1".to_vec(),
                handle: b"H:host:1".to_vec(),
                words: [b"1".into(), b"2".into(), b"3".into(), b"4".into(), b"5".into()],
                number: 1_800_000_000,
                rest: b"work\0load\n".to_vec(),
            })
            .collect()
    }

    pub(crate) fn request(&self) -> Request<'_> {
        let function = Function::new(&self.function);
        let unique = Unique::new(&self.unique);
        let handle = Handle::new(&self.handle);
        let [w0, w1, w2, w3, w4] = &self.words;
        let submit = |priority, mode, reducer| {
            Request::Submit(Submit { function, unique, priority, mode, reducer, workload: &self.rest })
        };
        let reducer = Some(Reducer { name: w3, aggregate: w4 });
        match self.shape {
            0 => Request::CanDo { function },
            1 => Request::CantDo { function },
            2 => Request::CanDoTimeout { function, timeout_ms: self.number.unsigned_abs() >> 1 },
            3 => Request::ResetAbilities,
            4 => Request::PreSleep,
            5 => Request::Grab(GrabKind::Plain),
            6 => Request::Grab(GrabKind::Unique),
            7 => Request::Grab(GrabKind::All),
            8 => Request::WorkStatus { handle, numerator: w0, denominator: w1 },
            9 => Request::WorkComplete { handle, result: &self.rest },
            10 => Request::WorkFail { handle },
            11 => Request::WorkException { handle, exception: &self.rest },
            12 => Request::WorkData { handle, data: &self.rest },
            13 => Request::WorkWarning { handle, warning: &self.rest },
            14 => Request::GetStatus { handle },
            15 => Request::GetStatusUnique { unique },
            16 => Request::Echo { data: &self.rest },
            17 => Request::Option { name: w0 },
            18 => Request::SetClientId { id: ClientId::new(&self.rest) },
            19 => Request::AllYours,
            20 => Request::SubmitSched {
                function,
                unique,
                calendar: Calendar { minute: w0, hour: w1, day: w2, month: w3, weekday: w4 },
                workload: &self.rest,
            },
            21 => submit(Priority::Normal, SubmitMode::Epoch(self.number), None),
            22 => submit(Priority::Normal, SubmitMode::Foreground, reducer),
            23 => submit(Priority::Normal, SubmitMode::Background, reducer),
            24 => submit(Priority::Normal, SubmitMode::Foreground, None),
            25 => submit(Priority::High, SubmitMode::Foreground, None),
            26 => submit(Priority::Low, SubmitMode::Foreground, None),
            27 => submit(Priority::High, SubmitMode::Background, None),
            _ => submit(Priority::Low, SubmitMode::Background, None),
        }
    }

    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.request().encode(&mut bytes);
        bytes
    }
}

/// What responses are made of.
#[derive(Debug, Clone)]
pub(crate) struct ResponseParts {
    shape: usize,
    handle: Vec<u8>,
    function: Vec<u8>,
    unique: Vec<u8>,
    reducer: Vec<u8>,
    status: Status,
    clients: u32,
    rest: Vec<u8>,
}

pub(crate) fn response() -> impl Strategy<Value = ResponseParts> {
    let status = any::<(bool, bool, u32, u32)>();
    (0..RESPONSE_SHAPES, part(63), part(40), part(64), part(64), status, any::<u32>(), rest()).prop_map(
        |(shape, handle, function, unique, reducer, status, clients, rest)| {
            let (known, running, numerator, denominator) = status;
            let status = Status { known, running, numerator, denominator };
            ResponseParts { shape, handle, function, unique, reducer, status, clients, rest }
        },
    )
}

impl ResponseParts {
    pub(crate) fn response(&self) -> Response<'_> {
        let handle = Handle::new(&self.handle);
        let function = Function::new(&self.function);
        let unique = Unique::new(&self.unique);
        let rest = self.rest.as_slice();
        match self.shape {
            0 => Response::Noop,
            1 => Response::JobCreated { handle },
            2 => Response::NoJob,
            3 => Response::JobAssign { handle, function, workload: rest },
            4 => Response::JobAssignUniq { handle, function, unique, workload: rest },
            5 => Response::JobAssignAll { handle, function, unique, reducer: &self.reducer, workload: rest },
            6 => Response::WorkStatus { handle, numerator: &self.unique, denominator: rest },
            7 => Response::WorkComplete { handle, result: rest },
            8 => Response::WorkFail { handle },
            9 => Response::WorkException { handle, exception: rest },
            10 => Response::WorkData { handle, data: rest },
            11 => Response::WorkWarning { handle, warning: rest },
            12 => Response::StatusRes { handle, status: self.status },
            13 => Response::StatusResUnique { unique, status: self.status, clients: self.clients },
            14 => Response::Echo { data: rest },
            15 => Response::Option { name: rest },
            _ => Response::Error { code: &self.handle, text: rest },
        }
    }
}

/// Text lines, with their line feed: commands of the grammar, near misses and plain noise. None announces its length.
pub(crate) fn line() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"status".to_vec()),
        Just(b"show".to_vec()),
        Just(b"JOBS".to_vec()),
        Just(b"unique".to_vec()),
        Just(b"cancel".to_vec()),
        Just(b"job".to_vec()),
        Just(b"create".to_vec()),
        Just(b"drop".to_vec()),
        Just(b"function".to_vec()),
        Just(b"force".to_vec()),
        Just(b"maxqueue".to_vec()),
        Just(b"12".to_vec()),
        Just(b"-1".to_vec()),
        vec(any::<u8>().prop_filter("no line feed", |byte| *byte != b'\n'), 0..12),
    ];
    let line = vec(word, 1..7).prop_map(|words| {
        let mut line = words.join(&b' ');
        // A line that begins with a NUL is a packet.
        if line.first().is_none_or(|byte| *byte == 0) {
            line.insert(0, b'x');
        }
        line.push(b'\n');
        line
    });
    line.prop_filter("a number as third word is a length", |line| {
        let third = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).nth(2);
        !third.is_some_and(|word| word[0].is_ascii_digit())
    })
}
