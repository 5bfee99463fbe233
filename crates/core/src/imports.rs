//! What was taken in from exports: so that an import that is repeated doubles nothing.
//!
//! From: `import`, which remembers each job by the queue that it comes from and its number there.
//! To: one document for every [`CHUNK`] numbers of a queue. Never: forgets, since nobody knows when the same
//! file comes again.

use crate::core::Core;
use crate::outbox::Outbox;
use crate::persist::{Document, DocumentKind, Op};
use geartrain_proto::command::CommandError;
use std::collections::BTreeMap;

/// Numbers that are remembered together.
const CHUNK: u64 = 4096;

/// Chunks that are remembered, all queues together: 512 MiB.
const CHUNKS_MAX: usize = 1_000_000;

/// Name of the document that says which queue this is.
const SELF: &[u8] = b"self";

type Bits = Box<[u64; 64]>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    queue_id: Option<u64>,
    chunks: BTreeMap<(Box<str>, u64), Bits>,
}

impl Imports {
    /// What tells this queue from every other one; 0 until the first export.
    pub(crate) fn queue_id(&self) -> u64 {
        self.queue_id.unwrap_or(0)
    }

    pub(crate) fn has(&self, origin: &str, number: u64) -> bool {
        let (chunk, word, bit) = position(number);
        let bits = self.chunks.get(&(origin.into(), chunk));
        bits.and_then(|bits| bits.get(word)).is_some_and(|word| word & bit != 0)
    }

    /// Whether one more can be remembered.
    ///
    /// # Errors
    /// When it cannot.
    pub(crate) fn check_room(&self, origin: &str, number: u64) -> Result<(), CommandError> {
        let (chunk, ..) = position(number);
        if self.chunks.len() >= CHUNKS_MAX && !self.chunks.contains_key(&(origin.into(), chunk)) {
            return Err(CommandError::new(format!(
                "import: parts of {CHUNKS_MAX} exports were taken in, which is the limit (hint: start a new queue)"
            )));
        }
        Ok(())
    }

    /// Takes a document back in; whether it could be read.
    pub(crate) fn load(&mut self, name: &[u8], body: &[u8]) -> bool {
        let text = std::str::from_utf8(body).unwrap_or_default().trim_matches('"');
        if name == SELF {
            self.queue_id = u64::from_str_radix(text, 16).ok();
            return self.queue_id.is_some();
        }
        let name = std::str::from_utf8(name).ok().and_then(|name| name.rsplit_once('/'));
        let parsed =
            name.and_then(|(origin, chunk)| Some((origin, chunk.parse::<u64>().ok()?, parse(text)?)));
        let Some((origin, chunk, bits)) = parsed else { return false };
        self.chunks.insert((origin.into(), chunk), bits);
        true
    }
}

/// The chunk of a number, the word in it, and the bit in that.
fn position(number: u64) -> (u64, usize, u64) {
    let within = number % CHUNK;
    (number / CHUNK, (within / 64) as usize, 1 << (within % 64))
}

/// The bits as a JSON string: each word as 16 hexadecimal digits.
fn format(bits: &Bits) -> String {
    let words: String = bits.iter().map(|word| format!("{word:016x}")).collect();
    format!("\"{words}\"")
}

fn parse(text: &str) -> Option<Bits> {
    let mut bits = Box::new([0; 64]);
    let (words, rest) = text.as_bytes().as_chunks::<16>();
    if words.len() != bits.len() || !rest.is_empty() {
        return None;
    }
    for (word, digits) in bits.iter_mut().zip(words) {
        *word = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bits)
}

impl Core {
    /// An export begins: a queue that has no identity yet gets one.
    pub(crate) fn identify_queue(&mut self, out: &mut dyn Outbox) {
        if self.imports.queue_id.is_none() {
            let id = self.settings.queue_id;
            self.imports.queue_id = Some(id);
            let body = format!("\"{id:016x}\"");
            self.persist_document(DocumentKind::Import, SELF, Some(body.as_bytes()), out);
        }
    }

    /// Remembers that this job of another queue was taken in.
    pub(crate) fn remember_import(&mut self, origin: &str, number: u64, out: &mut dyn Outbox) {
        let (chunk, word, bit) = position(number);
        let bits = self.imports.chunks.entry((origin.into(), chunk)).or_insert_with(|| Box::new([0; 64]));
        if let Some(word) = bits.get_mut(word) {
            *word |= bit;
        }
        let (name, body) = (format!("{origin}/{chunk}"), format(bits));
        self.persist_document(DocumentKind::Import, name.as_bytes(), Some(body.as_bytes()), out);
    }

    pub(crate) fn persist_document(
        &mut self,
        kind: DocumentKind,
        name: &[u8],
        body: Option<&[u8]>,
        out: &mut dyn Outbox,
    ) {
        let ticket = self.writing.next_ticket();
        out.persist(ticket, Op::Document(Document { kind, name, body }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_in_is_known_after_a_restart() {
        let mut bits: Bits = Box::new([0; 64]);
        bits[63] |= 1 << 63;
        bits[0] |= 1;
        let mut imports = Imports::default();
        assert!(imports.load(b"a/b/2", format(&bits).as_bytes()));
        assert!(imports.has("a/b", 2 * CHUNK) && imports.has("a/b", 3 * CHUNK - 1));
        assert!(!imports.has("a/b", 2 * CHUNK + 1) && !imports.has("a", 2 * CHUNK));
        assert!(!imports.load(b"a", b"\"00\"") && !imports.load(b"a/1", b"\"00\""));
    }
}
