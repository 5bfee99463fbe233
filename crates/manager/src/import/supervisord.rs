//! `supervisord.conf`, with the files it includes.
//!
//! Its program sections become programs; of the others what says something about programs. Where a key is not there
//! and what supervisord does then is not what we do, its default is written.
//!
//! Never: expands an expression to nothing; follows includes of included files, as supervisord does not.

mod order;
mod program;
mod values;

use super::draft::Draft;
use super::expand::expand;
use super::ini::{self, Dialect, Section, sections};
use super::report::{Row, Rows};
use super::{Around, ImportError};
use order::Order;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAIN: &str = "supervisord";
const INCLUDE: &str = "include";
const PROGRAM: &str = "program:";
const GROUP: &str = "group:";

/// Most files that an include may name.
const FILES_MAX: usize = 10_000;

struct Importer<'a> {
    path: &'a Path,
    around: &'a Around<'a>,
    folder: &'a Path,
    sections: Vec<Section>,
    /// The file in which a section stands, for errors; the last one where it stands in several.
    files: BTreeMap<String, PathBuf>,
    /// Variables of all programs: `environment` of `[supervisord]`.
    environment: BTreeMap<String, String>,
    rows: Vec<Row>,
}

pub(super) fn import(
    path: &Path,
    folder: &Path,
    text: &str,
    around: &Around<'_>,
) -> Result<(Draft, Vec<Row>), ImportError> {
    let mut importer = Importer {
        path,
        around,
        folder,
        sections: Vec::new(),
        files: BTreeMap::new(),
        environment: BTreeMap::new(),
        rows: Vec::new(),
    };
    importer.load(path, folder, text)?;
    importer.include()?;
    let is_ours = |section: &Section| {
        section.name == MAIN || section.name.starts_with(PROGRAM) || section.name.starts_with(GROUP)
    };
    if !importer.sections.iter().any(is_ours) {
        return Err(ImportError::Unknown { path: path.to_owned() });
    }
    importer.import()
}

impl Importer<'_> {
    /// Takes in the sections of a file; `%(here)s` is the folder of that file.
    fn load(&mut self, path: &Path, folder: &Path, text: &str) -> Result<(), ImportError> {
        let here = folder.display().to_string().replace('%', "%%");
        for section in sections(text, path, Dialect::Python)? {
            self.files.insert(section.name.clone(), path.to_owned());
            let keys = section.keys.into_iter().map(|(key, value)| (key, value.replace("%(here)s", &here)));
            match self.sections.iter_mut().find(|known| known.name == section.name) {
                Some(known) => {
                    for (key, value) in keys {
                        known.keys.retain(|(name, _)| *name != key);
                        known.keys.push((key, value));
                    }
                }
                None => self.sections.push(Section { name: section.name, keys: keys.collect() }),
            }
        }
        Ok(())
    }

    fn include(&mut self) -> Result<(), ImportError> {
        let Some(include) = self.section(INCLUDE) else { return Ok(()) };
        let Some(files) = include.value("files").map(str::to_owned) else {
            return Err(self.wrong(INCLUDE, "files", "it is not there".to_owned()));
        };
        let files = self.expanded(INCLUDE, "files", &files, &|_| None)?;
        for pattern in files.split_whitespace() {
            let whole = self.folder.join(pattern);
            let found = glob::glob(&whole.to_string_lossy())
                .map_err(|error| self.wrong(INCLUDE, "files", format!("{pattern}: {error}")))?;
            let found: Vec<_> = found.filter_map(Result::ok).take(FILES_MAX).collect();
            let names: Vec<_> = found.iter().map(|path| path.display().to_string()).collect();
            let mut rows = Rows { section: INCLUDE, all: &mut self.rows };
            if found.is_empty() {
                rows.nothing("files", format!("no file is {pattern}"));
            } else {
                rows.this("files", format!("what stands in {}", names.join(", ")));
            }
            for path in found {
                let text = ini::read(&path)?;
                let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
                self.load(&path, &folder, &text)?;
            }
        }
        Ok(())
    }

    fn import(mut self) -> Result<(Draft, Vec<Row>), ImportError> {
        if let Some(text) = self.section(MAIN).and_then(|main| main.value("environment")).map(str::to_owned) {
            let text = self.expanded(MAIN, "environment", &text, &|_| None)?;
            let pairs = values::pairs(&text);
            self.environment = pairs.map_err(|reason| self.wrong(MAIN, "environment", reason))?;
        }
        let mut draft = Draft::default();
        let mut order = Order::of(&self)?;
        let sections = std::mem::take(&mut self.sections);
        for section in &sections {
            match section.name.split_once(':') {
                Some(("program", name)) => {
                    let main = sections.iter().find(|section| section.name == MAIN);
                    self.program(&mut draft, section, name.trim(), &mut order, main)?;
                }
                Some(("group", _)) => self.group_rows(section),
                _ => self.other_rows(&mut draft, section)?,
            }
        }
        let lacks = |section: &Section| section.value("directory").is_none();
        let is_program = |section: &&Section| section.name.starts_with(PROGRAM);
        if sections.iter().find(|section| section.name == MAIN).is_none_or(lacks)
            && sections.iter().filter(is_program).any(lacks)
        {
            let why =
                "a program without one runs in the folder of our file, not where supervisord was started";
            Rows { section: MAIN, all: &mut self.rows }.nothing("(directory)", why);
        }
        order.resolve(&mut draft, &mut self.rows);
        Ok((draft, self.rows))
    }

    fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// A value with its expressions replaced; `more` knows names beside those that are known everywhere.
    fn expanded(
        &self,
        section: &str,
        key: &str,
        value: &str,
        more: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, ImportError> {
        let name = |name: &str| match name {
            "here" => Some(self.folder.display().to_string()),
            "host_node_name" => Some(self.around.host.to_owned()),
            _ => more(name).or_else(|| {
                let variable = name.strip_prefix("ENV_")?;
                self.environment.get(variable).cloned().or_else(|| (self.around.variable)(variable))
            }),
        };
        expand(value, &name).map_err(|reason| self.wrong(section, key, reason))
    }

    fn group_rows(&mut self, section: &Section) {
        let mut rows = Rows { section: &section.name, all: &mut self.rows };
        for (key, _) in &section.keys {
            match key.as_str() {
                "programs" => rows.nothing(key, "programs are started and stopped by their own names"),
                "priority" => rows.this(key, "after, of its programs"),
                _ => rows.nothing(key, "supervisord knows no such key"),
            }
        }
    }

    /// Sections that are no programs.
    fn other_rows(&mut self, draft: &mut Draft, section: &Section) -> Result<(), ImportError> {
        let kind = section.name.split(':').next().unwrap_or_default();
        for (key, raw) in section.keys.iter().filter(|(key, _)| section.name != INCLUDE || key != "files") {
            if (kind, key.as_str()) == ("unix_http_server", "chmod") {
                let value = self.expanded(&section.name, key, raw, &|_| None)?;
                let mode = values::mode(&value).map_err(|reason| self.wrong(&section.name, key, reason))?;
                let said = draft.manager.set("socket-mode", mode);
                Rows { section: &section.name, all: &mut self.rows }.this(key, said);
                continue;
            }
            if (kind, key.as_str()) == ("unix_http_server", "chown") {
                let value = self.expanded(&section.name, key, raw, &|_| None)?;
                let (user, group) =
                    value.split_once(':').map_or((value.as_str(), None), |(u, g)| (u, Some(g)));
                let mut said = draft.manager.set("socket-user", user);
                if let Some(group) = group {
                    said = format!("{said}, {}", draft.manager.set("socket-group", group));
                }
                Rows { section: &section.name, all: &mut self.rows }.this(key, said);
                continue;
            }
            let mut rows = Rows { section: &section.name, all: &mut self.rows };
            match (kind, key.as_str()) {
                (MAIN, "environment") => rows.this(key, "environment of each program"),
                (MAIN, "umask" | "directory" | "user") => {
                    rows.this(key, format!("{key} of each program without one"))
                }
                _ => rows.nothing(key, reason(kind, key)),
            }
        }
        Ok(())
    }

    fn wrong(&self, section: &str, key: &str, reason: String) -> ImportError {
        let path = self.files.get(section).map_or(self.path, PathBuf::as_path).to_owned();
        let (section, key) = (section.to_owned(), key.to_owned());
        ImportError::Wrong { path, section, key, reason }
    }
}

/// Why there is nothing for a key of a section that is no program.
fn reason(kind: &str, key: &str) -> &'static str {
    match (kind, key) {
        (MAIN, "logfile" | "logfile_maxbytes" | "logfile_backups" | "loglevel" | "silent") => {
            "the manager writes to standard error, for the journal or the container to keep"
        }
        (MAIN, "pidfile" | "nodaemon") => {
            "the manager stays in the foreground, under systemd or in a container"
        }
        (MAIN, "minfds" | "minprocs") => {
            "limits are for who starts the manager to set (hint: LimitNOFILE of systemd)"
        }
        (MAIN, "childlogdir" | "nocleanup") => "there are no log files that nobody named",
        (MAIN, "strip_ansi") => "output is kept as it is",
        (MAIN, "identifier") => "a manager is told from others by its socket",
        ("unix_http_server", "file") => {
            "the manager has a socket of its own, where it speaks another protocol (hint: socket = ...)"
        }
        ("unix_http_server", "username" | "password") => {
            "who may write to the socket may command (hint: socket-mode, socket-user and socket-group)"
        }
        ("inet_http_server", _) => "the manager listens on a Unix socket only",
        ("supervisorctl", _) => "gearman-manager ctl needs the socket alone",
        ("rpcinterface" | "ctlplugin", _) => "there are no plug-ins",
        ("eventlistener", _) => "there are no event listeners",
        ("fcgi-program", _) => "it is no worker: the manager opens no sockets for its processes",
        ("DEFAULT", _) => "write it into each section: defaults for all sections are not read",
        (MAIN | "unix_http_server" | "include", _) => "supervisord knows no such key",
        _ => "supervisord knows no such section",
    }
}
