//! What a recording does not tell: secrets in command lines. Pure.
//!
//! The kernel's arguments are joined by spaces here, so that a secret with a space in it is hidden up to that space
//! alone. What is hidden is decided by what stands before it (`--password`, `DB_PASSWORD=`, `://user:`, `Bearer`, the
//! options by which known programs take a password) and by shapes that tokens have. It is a guess: `--redact args` is
//! not.

use std::borrow::Cow;

/// What is hidden of command lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// What looks like a password, a token or a key.
    #[default]
    Secrets,
    /// All arguments: only the program is told.
    Arguments,
    /// Nothing.
    Nothing,
}

/// What stands for what was hidden.
const MASK: &[u8] = b"***";

impl Redaction {
    /// The command line without what is to be hidden; borrowed where that is nothing.
    pub fn redact(self, command: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Nothing => command.into(),
            Self::Arguments => match command.iter().position(|byte| *byte == b' ') {
                Some(end) => [&command[..end], b" ", MASK].concat().into(),
                None => command.into(),
            },
            Self::Secrets => {
                let hidden = without_secrets(command);
                if hidden == command { command.into() } else { hidden.into() }
            }
        }
    }
}

/// What the next word is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Anything,
    Secret,
    /// `user:secret`.
    UserAndSecret,
    /// A secret, with the name of its scheme before it or not.
    Authorization,
}

fn without_secrets(command: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(command.len());
    let mut next = Next::Anything;
    let mut program = &b""[..];
    for (nth, word) in command.split(|byte| *byte == b' ').enumerate() {
        if nth == 0 {
            program = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
        } else {
            out.push(b' ');
        }
        let is_option = word.starts_with(b"-");
        next = match next {
            _ if word.is_empty() => next,
            Next::Secret if !is_option => {
                out.extend_from_slice(MASK);
                Next::Anything
            }
            Next::UserAndSecret if !is_option => {
                push_user(&mut out, word, b":%");
                Next::Anything
            }
            Next::Authorization if is_scheme(word) => {
                out.extend_from_slice(word);
                Next::Secret
            }
            Next::Authorization => {
                out.extend_from_slice(MASK);
                Next::Anything
            }
            _ => push_word(&mut out, program, word),
        };
    }
    out
}

/// Appends a word without the secrets in it, and says what follows it.
fn push_word(out: &mut Vec<u8>, program: &[u8], word: &[u8]) -> Next {
    if let Some(option) = OPTIONS.iter().find(|option| option.programs.iter().any(|name| program.starts_with(name))) {
        if option.takes.iter().any(|takes| word == takes.as_bytes()) {
            out.extend_from_slice(word);
            return option.next;
        }
        let joined = option.takes.iter().find(|takes| takes.len() == 2 && word.starts_with(takes.as_bytes()));
        if let (Some(takes), true) = (joined, option.may_join) {
            out.extend_from_slice(takes.as_bytes());
            out.extend_from_slice(MASK);
            return Next::Anything;
        }
    }
    if word.starts_with(b"-") && !word.contains(&b'=') && !word.contains(&b':') && is_secret_name(word) {
        out.extend_from_slice(word);
        return Next::Secret;
    }
    if let Some(name) = word.strip_suffix(b":").filter(|name| !name.contains(&b'=')) {
        out.extend_from_slice(word);
        let name = unquoted(name);
        let is_authorization = name.to_ascii_lowercase().ends_with(b"authorization");
        return if is_authorization {
            Next::Authorization
        } else if is_secret_name(name) {
            Next::Secret
        } else {
            Next::Anything
        };
    }
    if word.eq_ignore_ascii_case(b"bearer") {
        out.extend_from_slice(word);
        return Next::Secret;
    }
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| b"&?;,{}".contains(byte)).unwrap_or(rest.len());
        push_piece(out, &rest[..end]);
        out.extend(rest.get(end));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Next::Anything
}

/// Appends a part of a word: `name=value`, `"name":"value"`, an address, or anything else.
fn push_piece(out: &mut Vec<u8>, piece: &[u8]) {
    if let Some(at) = find(piece, b"://") {
        let authority = &piece[at + 3..];
        let end = authority.iter().position(|byte| *byte == b'/').unwrap_or(authority.len());
        if let Some(user) = authority[..end].iter().rposition(|byte| *byte == b'@') {
            out.extend_from_slice(&piece[..at + 3]);
            push_user(out, &authority[..user], b":");
            out.extend_from_slice(&authority[user..]);
            return;
        }
    }
    let split = piece.iter().position(|byte| *byte == b'=' || *byte == b':');
    if let Some(at) = split
        && piece.len() > at + 1
        && !piece[at..].starts_with(b"://")
        && (is_secret_name(&piece[..at]) || piece[..at] == *b"pass")
    {
        out.extend_from_slice(&piece[..=at]);
        out.extend_from_slice(MASK);
        return;
    }
    let value = split.map_or(0, |at| at + 1);
    if is_token(unquoted(&piece[value..])) {
        out.extend_from_slice(&piece[..value]);
        out.extend_from_slice(MASK);
    } else {
        out.extend_from_slice(piece);
    }
}

/// Appends `user:secret` without the secret.
fn push_user(out: &mut Vec<u8>, word: &[u8], marks: &[u8]) {
    match word.iter().position(|byte| marks.contains(byte)) {
        Some(at) => {
            out.extend_from_slice(&word[..=at]);
            out.extend_from_slice(MASK);
        }
        None if is_token(word) => out.extend_from_slice(MASK),
        None => out.extend_from_slice(word),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn unquoted(bytes: &[u8]) -> &[u8] {
    let is_quote = |byte: &u8| *byte == b'"' || *byte == b'\'';
    let start = bytes.iter().position(|byte| !is_quote(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_quote(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn is_scheme(word: &[u8]) -> bool {
    [&b"bearer"[..], b"basic", b"token", b"digest"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Options by which programs take a password without saying so.
struct Option_ {
    /// How the names of the programs begin.
    programs: &'static [&'static [u8]],
    takes: &'static [&'static str],
    next: Next,
    /// Whether the value may follow a short option without a space.
    may_join: bool,
}

const OPTIONS: &[Option_] = &[
    // `mysql -p NAME` asks for the password: NAME is a database.
    Option_ { programs: &[b"mysql", b"mariadb"], takes: &["-p"], next: Next::Anything, may_join: true },
    Option_ { programs: &[b"sshpass", b"mongo"], takes: &["-p"], next: Next::Secret, may_join: true },
    Option_ { programs: &[b"redis-cli"], takes: &["-a"], next: Next::Secret, may_join: false },
    Option_ { programs: &[b"ldap"], takes: &["-w"], next: Next::Secret, may_join: true },
    Option_ {
        programs: &[b"curl", b"wget", b"smbclient", b"mount.cifs"],
        takes: &["-u", "-U", "--user", "--proxy-user"],
        next: Next::UserAndSecret,
        may_join: false,
    },
];

/// Last words of names whose value is a secret.
const SECRET: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "privatekey",
    "accesskey",
    "secretkey",
    "auth",
    "requirepass",
    "masterauth",
];

/// Last words that end in one of those and are none.
const HARMLESS: &[&str] = &["bypass", "compass", "oauth"];

/// What makes a key one that opens something.
const KEYS: &[&str] = &["api", "access", "private", "secret", "encryption", "signing", "master", "session", "account"];

/// Whether what has this name is a secret: by its last word, so that a `--password-file` is none.
fn is_secret_name(name: &[u8]) -> bool {
    let words = words(unquoted(name));
    let Some(last) = words.last() else { return false };
    if HARMLESS.contains(&last.as_str()) {
        return false;
    }
    let is_secret = |secret: &&str| last == secret || (secret.len() > 3 && *secret != "auth" && last.ends_with(secret));
    let is_key = last == "key" && words.len() > 1 && KEYS.contains(&words[words.len() - 2].as_str());
    SECRET.iter().any(is_secret) || is_key
}

/// The words of a name in small letters: `--dbPassword` is `db`, `password`, `API_KEY` is `api`, `key`.
fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_letter = false;
    let mut was_small = false;
    for byte in name {
        if !byte.is_ascii_alphanumeric() {
            was_letter = false;
            continue;
        }
        let begins = !was_letter || (was_small && byte.is_ascii_uppercase());
        let letter = char::from(byte.to_ascii_lowercase());
        match words.last_mut() {
            Some(word) if !begins => word.push(letter),
            _ => words.push(letter.into()),
        }
        was_letter = true;
        was_small = byte.is_ascii_lowercase() || byte.is_ascii_digit();
    }
    words
}

/// How tokens of well-known issuers begin, and how long they are at least.
const TOKENS: &[(&[u8], usize)] = &[
    (b"AKIA", 20),
    (b"ASIA", 20),
    (b"ghp_", 20),
    (b"gho_", 20),
    (b"ghu_", 20),
    (b"ghs_", 20),
    (b"ghr_", 20),
    (b"github_pat_", 20),
    (b"glpat-", 20),
    (b"xoxa-", 12),
    (b"xoxb-", 12),
    (b"xoxp-", 12),
    (b"sk-", 20),
    (b"sk_live_", 16),
    (b"rk_live_", 16),
    (b"AIza", 30),
    (b"ya29.", 20),
    (b"npm_", 30),
    (b"pypi-", 30),
    (b"hf_", 20),
    (b"eyJ", 30),
];

/// Whether a word looks like a token whatever stands before it: it begins like one, or is long and mixes digits, small
/// and large letters as no name and no path does.
fn is_token(word: &[u8]) -> bool {
    if TOKENS.iter().any(|(begin, least)| word.len() >= *least && word.starts_with(begin)) {
        return true;
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+_-=".contains(byte);
    if word.len() < 24 || !word.iter().all(is_plain) {
        return false;
    }
    let count = |is: fn(&u8) -> bool| word.iter().filter(|byte| is(byte)).count();
    let class = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let turns = word.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    let kinds = [count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase)];
    kinds.iter().all(|count| *count >= 3) && turns * 3 >= word.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(command: &str) -> String {
        String::from_utf8(Redaction::Secrets.redact(command.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden_and_the_rest_is_told() {
        for (command, told) in [
            ("app --password=hunter2 --port 80", "app --password=*** --port 80"),
            ("app --password hunter2 --port 80", "app --password *** --port 80"),
            ("app -dbPassword hunter2", "app -dbPassword ***"),
            ("env DB_PASSWORD=hunter2 API_KEY=k ./run", "env DB_PASSWORD=*** API_KEY=*** ./run"),
            ("java -Dspring.datasource.password=x -Xmx1g", "java -Dspring.datasource.password=*** -Xmx1g"),
            ("psql postgres://app:s3cr3t@db/x?sslmode=on", "psql postgres://app:***@db/x?sslmode=on"),
            ("git clone https://ghp_0123456789abcdef0123@github.com/a/b", "git clone https://***@github.com/a/b"),
            ("curl -u admin:pw http://h/", "curl -u admin:*** http://h/"),
            ("curl -H Authorization: Bearer abc.def http://h", "curl -H Authorization: Bearer *** http://h"),
            ("curl -H X-Api-Key: abc http://h", "curl -H X-Api-Key: *** http://h"),
            ("curl http://h/?token=abc&page=2", "curl http://h/?token=***&page=2"),
            ("curl -d {\"password\":\"x\",\"user\":\"me\"}", "curl -d {\"password\":***,\"user\":\"me\"}"),
            ("mysqldump -uroot -ps3cret shop", "mysqldump -uroot -p*** shop"),
            ("/usr/bin/sshpass -p s3cret ssh host", "/usr/bin/sshpass -p *** ssh host"),
            ("redis-cli -a s3cret ping", "redis-cli -a *** ping"),
            ("redis-server --requirepass s3cret", "redis-server --requirepass ***"),
            ("openssl rsa -passin pass:s3cret -in k", "openssl rsa -passin pass:*** -in k"),
            ("app AKIAIOSFODNN7EXAMPLE", "app ***"),
            ("app --id wJalrXUtnFEMI7K7MDENG1bPxRfiCYzEXAM", "app --id ***"),
            (
                "jdbc:sqlserver://h;user=sa;password=x;encrypt=true",
                "jdbc:sqlserver://h;user=sa;password=***;encrypt=true",
            ),
        ] {
            assert_eq!(redacted(command), told);
        }
    }

    #[test]
    fn what_is_no_secret_is_told() {
        for command in [
            "node --max-old-space-size=400 app.js",
            "nginx: worker process",
            "app --password-file /run/secrets/db --token-ttl 30 --max-tokens 4096",
            "mysql -p shop",
            "ssh -p 2222 host",
            "containerd-shim -id 3f2a0000111122223333444455556666777788889999aaaabbbbccccddddeeee",
            "java -cp /opt/a.jar org.example.SomeVeryLongClassNameForTheApplication",
            "postgres: app shop 10.0.0.1(5432) idle in transaction",
            "proxy --bypass=all --compass north --keyboard us",
            "python -m http.server 8000",
            "",
            "sh -c  sleep 5",
        ] {
            assert!(matches!(Redaction::Secrets.redact(command.as_bytes()), Cow::Borrowed(_)), "{}", redacted(command));
        }
    }

    #[test]
    fn all_arguments_or_none_are_hidden_on_demand() {
        let command = b"/opt/app --password x";
        assert_eq!(&*Redaction::Arguments.redact(command), b"/opt/app ***");
        assert_eq!(&*Redaction::Arguments.redact(b"kworker"), b"kworker");
        assert_eq!(&*Redaction::Nothing.redact(command), command);
    }

    proptest! {
        #[test]
        fn what_was_hidden_stays_hidden_and_nothing_is_told_twice(command in "[ -~]{0,80}") {
            let once = redacted(&command);
            prop_assert_eq!(redacted(&once), once.clone());
        }

        #[test]
        fn any_bytes_can_be_a_command_line(command in proptest::collection::vec(any::<u8>(), 0..200)) {
            Redaction::Secrets.redact(&command);
        }

        #[test]
        fn a_password_is_hidden_whatever_it_is(secret in "[a-z0-9!.+]{8,20}") {
            for command in [
                format!("app --db-password={secret} x"),
                format!("app --db-password {secret} x"),
                format!("MY_SECRET={secret} app"),
                format!("mysql -p{secret} x"),
            ] {
                prop_assert!(!redacted(&command).contains(&secret), "{}", redacted(&command));
            }
        }
    }
}
