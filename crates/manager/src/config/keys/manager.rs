//! The keys at the top of the file.

use super::{Effect, Key, list, mode, path, text};
use crate::config::{Config, Orphans};
use geartrain_client::{DEFAULT_PORT, ServerAddress};

/// The keys at the top of the file.
pub const MANAGER: &[Key<Config>] = &[
    Key {
        name: "servers",
        help: "Job servers that tell which workers are ready and how much waits",
        takes: "a list of addresses, as host, host:port, [::1]:port or unix:/path",
        default: "[\"localhost:4730\"]",
        example: "[\"localhost:4730\"]",
        effect: Effect::Live,
        set: |config, given| {
            let texts = if given.is_array() { given.list()? } else { vec![given.filled()?] };
            let parse = |text: &String| ServerAddress::parse_list(text, DEFAULT_PORT).ok();
            let servers: Vec<_> = texts.iter().map(parse).collect::<Option<Vec<_>>>()?.concat();
            config.servers = Some(servers).filter(|servers| !servers.is_empty())?;
            Some(())
        },
        show: |config| list(config.servers.iter().map(ToString::to_string)),
    },
    Key {
        name: "socket",
        help: "Unix socket on which commands are taken",
        takes: "a path",
        default: "\"/run/gearman-manager/socket\"",
        example: "\"/run/gearman-manager/socket\"",
        effect: Effect::Manager,
        set: |config, given| {
            config.socket = given.filled()?.into();
            Some(())
        },
        show: |config| path(&config.socket),
    },
    Key {
        name: "socket-mode",
        help: "Permissions of the socket: who may write to it commands the manager",
        takes: "octal digits up to \"0777\"",
        default: "\"0600\"",
        example: "\"0660\"",
        effect: Effect::Manager,
        set: |config, given| {
            config.socket_mode = given.mode()?;
            Some(())
        },
        show: |config| mode(config.socket_mode),
    },
    Key {
        name: "socket-user",
        help: "User the socket belongs to; only root can give it away",
        takes: "a name, or a number",
        default: "the manager's",
        example: "\"deploy\"",
        effect: Effect::Manager,
        set: |config, given| {
            config.socket_user = Some(given.filled()?);
            Some(())
        },
        show: |config| config.socket_user.as_ref().and_then(text),
    },
    Key {
        name: "socket-group",
        help: "Group the socket belongs to; with `socket-mode` 0660, its members may command the manager",
        takes: "a name, or a number",
        default: "the manager's",
        example: "\"www-data\"",
        effect: Effect::Manager,
        set: |config, given| {
            config.socket_group = Some(given.filled()?);
            Some(())
        },
        show: |config| config.socket_group.as_ref().and_then(text),
    },
    Key {
        name: "state-folder",
        help: "Where the manager remembers its processes, so that the next one finds those that a killed one left",
        takes: "a path",
        default: "\"/var/lib/gearman-manager\"",
        example: "\"/var/lib/gearman-manager\"",
        effect: Effect::Manager,
        set: |config, given| {
            config.state_folder = given.filled()?.into();
            Some(())
        },
        show: |config| path(&config.state_folder),
    },
    Key {
        name: "orphans",
        help: "What becomes of processes that a killed manager left: ended, or taken on, with their output, where their program is unchanged",
        takes: "\"stop\" or \"adopt\"",
        default: "\"stop\"",
        example: "\"adopt\"",
        effect: Effect::Manager,
        set: |config, given| {
            config.orphans = match given.text()?.as_str() {
                "stop" => Orphans::Stop,
                "adopt" => Orphans::Adopt,
                _ => return None,
            };
            Some(())
        },
        show: |config| match config.orphans {
            Orphans::Stop => text("stop"),
            Orphans::Adopt => text("adopt"),
        },
    },
];
