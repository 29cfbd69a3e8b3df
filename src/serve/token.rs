//! The secret that a scraper must show: `Authorization: Bearer …` (RFC 6750).

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The longest file that is taken for a token, bytes.
const LONGEST: u64 = 4096;

/// A token shorter than this can be guessed.
const SHORTEST: usize = 16;

/// A secret. It has no text form.
pub struct Token(Box<[u8]>);

/// Why a file is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It can't be read.
    #[error("token file {path}: {1}", path = .0.display())]
    Unreadable(PathBuf, io::Error),
    /// Others may read it.
    #[error("token file {path} may be read by others (mode {1:03o}): chmod 600 it", path = .0.display())]
    Open(PathBuf, u32),
    /// Another user may change it.
    #[error("token file {path} belongs to user {1}: it must be yours or root's", path = .0.display())]
    Foreign(PathBuf, u32),
    /// It does not hold one word.
    #[error("token file {} must hold one word of {SHORTEST} to {LONGEST} visible ASCII characters", .0.display())]
    Unfit(PathBuf),
}

impl Token {
    /// Reads a token from a file that nobody else can read. A link is not followed. A file in `credentials`, which is
    /// systemd's `$CREDENTIALS_DIRECTORY`, may show its group's right to read: there that is a list of access rights
    /// with this process's user alone in it (systemd.exec(5), "Credentials").
    pub fn read(path: &Path, credentials: Option<&Path>) -> Result<Self, TokenError> {
        let unreadable = |error: io::Error| TokenError::Unreadable(path.into(), error);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file: File = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| unreadable(error.into()))?.into();
        let data = file.metadata().map_err(unreadable)?;
        let is_credential = credentials.is_some_and(|folder| path.parent() == Some(folder));
        let others = if is_credential { 0o007 } else { 0o077 };
        if data.mode() & others != 0 {
            return Err(TokenError::Open(path.into(), data.mode() & 0o777));
        }
        if data.uid() != 0 && data.uid() != rustix::process::geteuid().as_raw() {
            return Err(TokenError::Foreign(path.into(), data.uid()));
        }
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let word = bytes.trim_ascii();
        let is_fit = word.len() >= SHORTEST && bytes.len() as u64 <= LONGEST && word.iter().all(u8::is_ascii_graphic);
        if is_fit { Ok(Self(word.into())) } else { Err(TokenError::Unfit(path.into())) }
    }

    /// Whether a header's value shows it.
    pub fn is_shown_by(&self, authorization: &[u8]) -> bool {
        let Some((scheme, shown)) = authorization.split_at_checked(7) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && self.is(shown.trim_ascii())
    }

    /// Whether these are the same bytes. How long the answer takes depends on how many were shown, not on how many of
    /// them are right.
    fn is(&self, shown: &[u8]) -> bool {
        let own = self.0.iter().cycle();
        let difference = shown.iter().zip(own).fold(self.0.len() ^ shown.len(), |difference, (shown, own)| {
            black_box(difference | usize::from(shown ^ own))
        });
        black_box(difference) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const WORD: &str = "correct-horse-battery";

    fn file(folder: &Path, text: &str, mode: u32) -> PathBuf {
        let path = folder.join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_token_alone_opens() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::read(&file(folder.path(), &format!("{WORD}\n"), 0o600), None).unwrap();
        for shown in ["Bearer correct-horse-battery", "bearer  correct-horse-battery "] {
            assert!(token.is_shown_by(shown.as_bytes()), "{shown}");
        }
        let twice = format!("Bearer {WORD}{WORD}");
        for shown in [
            "",
            "Bearer",
            "Bearer ",
            "Basic correct-horse-battery",
            "Bearer correct-horse-batterx",
            "Bearer correct",
            &twice,
        ] {
            assert!(!token.is_shown_by(shown.as_bytes()), "{shown}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_no_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str, mode| Token::read(&file(folder.path(), text, mode), None).map(drop);
        assert!(matches!(read(WORD, 0o640), Err(TokenError::Open(_, 0o640))));
        assert!(matches!(read(WORD, 0o604), Err(TokenError::Open(..))));
        assert!(matches!(read("short", 0o600), Err(TokenError::Unfit(_))));
        assert!(matches!(read("two words that are long", 0o400), Err(TokenError::Unfit(_))));
        assert!(matches!(read(&"x".repeat(5000), 0o600), Err(TokenError::Unfit(_))));
        assert!(read(WORD, 0o400).is_ok());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("token"), &link).unwrap();
        assert!(matches!(Token::read(&link, None), Err(TokenError::Unreadable(..))), "a link is not followed");
        assert!(matches!(Token::read(folder.path(), None), Err(TokenError::Open(..) | TokenError::Unreadable(..))));
    }

    #[test]
    fn a_credential_of_systemd_may_show_its_groups_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), WORD, 0o440);
        assert!(Token::read(&path, Some(folder.path())).is_ok());
        assert!(Token::read(&path, Some(Path::new("/elsewhere"))).is_err());
    }
}
