//! What a configuration says, and what is said about a wrong one.

use proptest::prelude::*;

use super::*;

const WHOLE: &str = r#"
[daemon]
cores = [0]
poll_mode = "never"
memory = "64m"
log = "warn,byway_export=debug"
log_format = "json"
metrics = "127.0.0.1:9100"
control = "/run/byway/control.sock"

[limits]
connections = 10
handshake = "5s"

[tls]
certificate = "/etc/byway/server.pem"
key = "/etc/byway/server.key"
client_ca = "/etc/byway/ca.pem"

[[listen]]
address = "unix:/run/byway/nbd.sock"
mode = "0660"

[[listen]]
address = "0.0.0.0:10809"

[[listen]]
socket = "nbd"

[[export]]
name = "disk"
uri = "mem:1g"
description = "memory"
listen = "unix:/run/byway/disk.sock"

[[export]]
name = ""
uri = "null:1g"
read_only = true

[[target]]
name = "iqn.2026-11.org.example:disk"
portals = "127.0.0.1:3260"
luns = ["mem:1g", "null:1g"]
user = "someone"
secret = "/etc/byway/secret"
"#;

fn findings(text: &str) -> Vec<String> {
    Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

/// One finding, on that line, with these parts.
fn finds(text: &str, line: usize, parts: &[&str]) {
    let all = findings(text);
    let fits = |one: &&String| {
        one.starts_with(&format!("{line}: ")) && parts.iter().all(|part| one.contains(part))
    };
    assert_eq!(all.iter().filter(fits).count(), 1, "{all:#?}");
    assert!(all.iter().all(|one| one.lines().count() == 1 && one.contains("; ")), "{all:#?}");
}

#[test]
fn a_whole_configuration_is_understood() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.daemon.cores, At { value: vec![0], line: 3 });
    assert_eq!((config.daemon.memory, config.daemon.log_json), (64 << 20, true));
    assert_eq!((config.limits.connections, config.limits.handshake_ns), (10, 5_000_000_000));
    let listens: Vec<_> = config.listens.iter().map(|listen| (listen.tls, listen.mode)).collect();
    let expected = [(TlsMode::Off, 0o660), (TlsMode::Required, 0o600), (TlsMode::Off, 0o600)];
    assert_eq!(listens, expected);
    assert_eq!(config.exports[0].uri.value, "mem:1g".parse().unwrap());
    assert!(config.exports[0].listen.is_some() && config.exports[1].read_only);
    assert_eq!(config.targets[0].luns.len(), 2);
    assert_eq!(config.targets[0].chap.as_ref().unwrap().0, "someone");
}

#[test]
fn everything_that_is_wrong_is_found_at_once() {
    let text = "
[[export]]
name = \"a\"
uri = \"floppy:a\"
speed = 3

[[export]]
uri = \"mem:1m\"

[[listen]]
address = 5
";
    finds(text, 4, &["export 'a': uri", "floppy"]);
    finds(text, 5, &["export 'a': 'speed': not a key; use", "read_only"]);
    finds(text, 7, &["export 2: name: is missing"]);
    finds(text, 11, &["listen 1: address: of type integer where a string"]);
    finds(text, 10, &["listen 1: address: none that can be used"]);
    assert_eq!(findings(text).len(), 5, "{:#?}", findings(text));
}

#[test]
fn the_rules_between_parts_are_kept() {
    let listen = "[[listen]]\naddress = \"unix:/run/a\"\n";
    let disk = "[[export]]\nname = \"a\"\nuri = \"mem:1m\"\n";
    finds(&format!("{listen}{disk}{disk}"), 6, &["export 'a'", "line 3 has the same name"]);
    finds(&format!("{listen}{listen}{disk}"), 3, &["unix:/run/a", "line 1 listens there too"]);
    finds(disk, 1, &["nobody can reach it", "[[listen]]"]);
    finds("", 1, &["nothing is served"]);
    let file = "[[export]]\nname = \"N\"\nuri = \"file:/a\"\n";
    let two = format!("{listen}{}{}", file.replace('N', "a"), file.replace('N', "b"));
    finds(&two, 8, &["/a", "line 5", "read_only"]);
    finds("[export]\nname = \"a\"", 1, &["write [[export]]"]);
    let target = "[[target]]\nname = \"iqn.2026-11.a:b\"\nluns = \"mem:1m\"\n";
    finds(&format!("{target}portals = \"0.0.0.0:1\""), 4, &["others", "user and secret"]);
    finds(&format!("{target}portals = \"/run/a\""), 4, &["TCP"]);
    finds("[daemon]\nmetrics = \"0.0.0.0:1\"", 2, &["metrics", "127.0.0.1"]);
}

#[test]
fn cores_are_named_once_and_each_has_memory() {
    let served =
        "[[target]]\nname = \"iqn.2026-11.a:b\"\nluns = \"mem:1m\"\nportals = \"[::1]:1\"\n";
    let parse = |daemon: &str| Config::parse(&format!("[daemon]\n{daemon}\n{served}"));
    let config = parse("cores = [2, 0]").unwrap();
    assert_eq!(config.daemon.cores, At { value: vec![2, 0], line: 2 });
    assert!(parse("").unwrap().daemon.cores.value.is_empty());
    let many = format!("cores = {:?}", (0..32).collect::<Vec<_>>());
    assert_eq!(parse(&many).unwrap().daemon.memory, 512 << 20, "16m for each");
    for (daemon, line, part) in [
        ("cores = [0, 1, 0]", 2, "core 0 is named twice"),
        ("cores = []", 2, "none is named"),
        ("cores = [70000]", 2, "no host has a core 70000"),
        ("cores = [-1]", 2, "a list of numbers"),
        ("cores = [0, 1]\nmemory = \"16m\"", 3, "too little for 2 cores; use 32m"),
    ] {
        finds(&format!("[daemon]\n{daemon}\n{served}"), line, &["daemon", part]);
    }
    let mut findings = Vec::new();
    look::processors(&config.daemon.cores, &[0, 1], &mut findings);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let told = findings[0].to_string();
    assert!(told.starts_with("2: daemon: cores: ") && told.contains("core 2; use some of 0, 1"));
}

#[test]
fn beyond_this_host_clients_need_certificates() {
    let disk = "[[export]]\nname = \"a\"\nuri = \"mem:1m\"\n[[listen]]\naddress = \"0.0.0.0:1\"\n";
    let tls = "[tls]\ncertificate = \"/a\"\nkey = \"/b\"\n";
    let ca = "client_ca = \"/c\"\n";
    finds(disk, 4, &["0.0.0.0:1", "client certificate", "[tls]"]);
    finds(&format!("{disk}tls = \"off\"\n{tls}{ca}"), 4, &["client certificate"]);
    finds(&format!("{disk}{tls}"), 4, &["client certificate"]);
    let optional = "client_certificates = \"optional\"";
    finds(&format!("{disk}{tls}{ca}{optional}"), 4, &["client certificate"]);
    assert!(Config::parse(&format!("{disk}{tls}{ca}")).is_ok());
    let near = disk.replace("0.0.0.0", "[::1]");
    assert!(Config::parse(&near).is_ok());
    finds(&format!("{near}tls = \"allowed\""), 4, &["TLS without a certificate"]);
}

#[test]
fn what_is_no_toml_is_named_by_its_line() {
    finds("[daemon]\nlog = warn\n", 2, &["not TOML"]);
    finds("[daemon]\nlog = \"a\"\nlog = \"b\"\n", 3, &["not TOML", "duplicate"]);
    finds(&"#".repeat(CONFIG_LEN_MAX + 1), 1, &["longer than"]);
}

#[test]
fn what_this_host_does_not_have_is_found() {
    let text = WHOLE.replace("mem:1g\"\ndes", "file:/nowhere/disk\"\ndes");
    let findings = look(&Config::parse(&text).unwrap());
    let says = |part: &str| findings.iter().any(|finding| finding.to_string().contains(part));
    for part in ["/nowhere/disk", "/etc/byway/secret", "/etc/byway/server.pem"] {
        assert!(says(part), "{part}: {findings:#?}");
    }
    assert!(findings.windows(2).all(|two| two[0].line <= two[1].line));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}", at in 0..WHOLE.len(), other: u8) {
        crate::fuzz::config(text.as_bytes());
        let mut bytes = WHOLE.as_bytes().to_vec();
        bytes[at] = other;
        crate::fuzz::config(&bytes);
    }
}
