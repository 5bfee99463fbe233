//! Commands about policies.
//!
//! A rule that changes is written as a document, and every function that it is about gets its policy anew.

use super::{Reply, Rows};
use crate::core::Core;
use crate::event::Event;
use crate::function::FunctionKey;
use crate::ids::ConnId;
use crate::outbox::Outbox;
use crate::persist::{Document, DocumentKind, Op};
use crate::rules::{self, Keeping, PolicyError, Sourced};
use geartrain_proto::Function;
use geartrain_proto::command::{CommandError, FunctionName, PolicyRow, PolicySet, PolicyShow, PolicyUnset};

impl Core {
    /// All values of a function; of a pattern, its rules; of neither, all rules.
    pub(crate) fn policy_show(&self, arguments: &PolicyShow) -> Result<Reply, CommandError> {
        let mut rows = Rows::default();
        match arguments.function.as_ref().map(FunctionName::as_bytes) {
            Some(name) if !rules::is_pattern(name) => {
                rows.push(&row(name, self.rules.values_with_sources(name)));
            }
            Some(pattern) => {
                for (_, values) in self.rules.rows().filter(|(name, _)| *name == pattern) {
                    rows.push(&row(pattern, values));
                }
                if rows.len() == 0 {
                    let pattern = rules::shown(pattern);
                    return Err(CommandError::new(format!(
                        "there is no policy for '{pattern}' (hint: policy show without a pattern lists all)"
                    )));
                }
            }
            None => {
                for (pattern, values) in self.rules.rows() {
                    rows.push(&row(pattern, values));
                }
            }
        }
        Ok(rows.end(None))
    }

    pub(crate) fn policy_set(
        &mut self,
        conn: ConnId,
        arguments: &PolicySet,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let pattern = arguments.function.as_bytes();
        let values = arguments.values.iter().map(|(key, value)| (key.as_str(), value.0.as_str()));
        let before = self.own_values(pattern);
        self.set_policy(pattern, values, out).map_err(|error| about(pattern, &error))?;
        let changed = count_beside(&before, &self.own_values(pattern));
        out.note(Event::Steered { conn, command: "policy set", changed });
        Ok(self.rule_row(pattern))
    }

    pub(crate) fn policy_unset(
        &mut self,
        conn: ConnId,
        arguments: &PolicyUnset,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let pattern = arguments.function.as_bytes();
        let keys = arguments.keys.iter().map(String::as_str);
        let (kept, before) = (self.rules.keeping(pattern), self.own_values(pattern));
        self.rules.unset(pattern, keys).map_err(|error| about(pattern, &error))?;
        self.write_policy(pattern, out);
        self.follow_rule(pattern, kept.as_ref(), out);
        let changed = count_beside(&self.own_values(pattern), &before);
        out.note(Event::Steered { conn, command: "policy unset", changed });
        Ok(self.rule_row(pattern))
    }

    /// Sets values of a rule, lets the store know, and gives the functions it is about their policy anew.
    pub(crate) fn set_policy<'v>(
        &mut self,
        pattern: &[u8],
        values: impl Iterator<Item = (&'v str, &'v str)>,
        out: &mut dyn Outbox,
    ) -> Result<(), PolicyError> {
        let kept = self.rules.keeping(pattern);
        self.rules.set(pattern, values)?;
        self.write_policy(pattern, out);
        self.follow_rule(pattern, kept.as_ref(), out);
        Ok(())
    }

    /// Takes a rule back that the store kept. One that cannot be read is left there as it is.
    pub(crate) fn load_policy(&mut self, pattern: &[u8], body: &[u8], out: &mut dyn Outbox) {
        match self.rules.load_document(pattern, body) {
            Ok(()) => self.apply_rule(pattern, out),
            Err(error) => out.note(Event::UnreadableDocument {
                kind: DocumentKind::Policy,
                name: pattern,
                error: &error.to_string(),
            }),
        }
    }

    fn write_policy(&mut self, pattern: &[u8], out: &mut dyn Outbox) {
        let body = self.rules.document(pattern);
        let ticket = self.writing.next_ticket();
        let document = Document { kind: DocumentKind::Policy, name: pattern, body: body.as_deref() };
        out.persist(ticket, Op::Document(document));
    }

    /// The rule of this name is another one; `kept` is what it said of letters before.
    fn follow_rule(&mut self, pattern: &[u8], kept: Option<&Keeping>, out: &mut dyn Outbox) {
        self.apply_to_functions(pattern, out);
        if self.rules.keeping(pattern).as_ref() != kept {
            self.keep_anew(pattern, out);
        }
    }

    /// The rules of this name, or any where it is a pattern, are other ones.
    ///
    /// Functions that are not among the first follow in portions; see `chores.rs`.
    pub(crate) fn apply_rule(&mut self, pattern: &[u8], out: &mut dyn Outbox) {
        self.apply_to_functions(pattern, out);
        // Letters outlive their functions.
        self.keep_anew(pattern, out);
    }

    fn apply_to_functions(&mut self, pattern: &[u8], out: &mut dyn Outbox) {
        let is_first_of_expiries = self.chores.expiries.at().is_none();
        if rules::is_pattern(pattern) {
            let is_first = self.chores.policies.at().is_none();
            self.chores.policies.ask();
            if is_first {
                self.apply_policies(out);
            }
        } else if let Some(function) = self.functions.find(Function::new(pattern)) {
            self.follow_rules(function, out);
        }
        if is_first_of_expiries {
            self.time_expiries();
        }
    }

    /// Gives a portion of all functions the policies that follow from the rules of now.
    pub(crate) fn apply_policies(&mut self, out: &mut dyn Outbox) {
        let Some(from) = self.chores.policies.at() else { return };
        let names = self.rules.names_compared(self.settings.portion);
        let (functions, next) = self.functions.slots(from, names);
        self.chores.policies.go_on(next);
        for function in functions {
            self.follow_rules(function, out);
        }
    }

    fn follow_rules(&mut self, function: FunctionKey, out: &mut dyn Outbox) {
        let entry = self.functions.get(function);
        if *self.rules.resolve(entry.name().as_bytes()) != *entry.policy {
            self.apply_policy(function, out);
            self.chores.policies_changed += 1;
        }
    }

    /// The answer: the rule of this name, without values when there is none any more.
    fn rule_row(&self, pattern: &[u8]) -> Reply {
        Rows::one(&row(pattern, self.own_values(pattern))).once_in_force(pattern)
    }

    fn own_values(&self, pattern: &[u8]) -> Vec<Sourced> {
        self.rules.row(pattern).unwrap_or_default()
    }
}

/// How many of these values are not among the others.
fn count_beside(others: &[Sourced], values: &[Sourced]) -> u64 {
    values.iter().filter(|value| !others.contains(value)).count() as u64
}

fn row(name: &[u8], values: Vec<Sourced>) -> PolicyRow {
    let entry = |it: Sourced| (it.key.name().to_owned(), (it.value, it.source));
    PolicyRow { function: name.into(), values: values.into_iter().map(entry).collect() }
}

pub(crate) fn about(pattern: &[u8], error: &PolicyError) -> CommandError {
    CommandError::new(format!("policy of '{}': {error}", rules::shown(pattern)))
}
