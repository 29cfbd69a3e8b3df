//! A kernel file line by line, through one buffer that is used again: `smaps` of 60,000 mappings has 42 MB.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

use crate::collect::files::open_at;

/// Lines of an open file.
pub(super) struct Lines<'a> {
    file: OwnedFd,
    buffer: &'a mut Vec<u8>,
    /// Where the next line begins, and where what was read ends.
    start: usize,
    end: usize,
    is_at_end: bool,
}

/// Room for a read. The kernel gives a page at a time, whatever is asked for.
const CHUNK: usize = 32 * 1024;

/// No line of a kernel file is longer: a path has 4096 bytes, each written in four at most. What is longer is cut.
const LONGEST: usize = 64 * 1024;

impl<'a> Lines<'a> {
    /// Opens a file below `folder`.
    pub(super) fn open(folder: impl AsFd, path: &CStr, buffer: &'a mut Vec<u8>) -> Result<Self, Errno> {
        let file = open_at(folder, path)?;
        if buffer.len() < CHUNK {
            buffer.resize(CHUNK, 0);
        }
        Ok(Self { file, buffer, start: 0, end: 0, is_at_end: false })
    }

    /// The next line without its newline; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Errno> {
        let mut searched = self.start;
        loop {
            if let Some(length) = self.buffer[searched..self.end].iter().position(|byte| *byte == b'\n') {
                let line = self.start..searched + length;
                self.start = line.end + 1;
                return Ok(Some(&self.buffer[line]));
            }
            if self.is_at_end || self.end - self.start >= LONGEST {
                let line = self.start..self.end;
                self.start = self.end;
                return Ok((!line.is_empty()).then(|| &self.buffer[line]));
            }
            searched = self.end;
            if self.end == self.buffer.len() {
                if self.start > 0 {
                    self.buffer.copy_within(self.start..self.end, 0);
                    searched -= self.start;
                    (self.start, self.end) = (0, self.end - self.start);
                } else {
                    self.buffer.resize(self.buffer.len() * 2, 0);
                }
            }
            match rustix::io::read(&self.file, &mut self.buffer[self.end..])? {
                0 => self.is_at_end = true,
                count => self.end += count,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(content: &[u8]) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), content).unwrap();
        let handle = std::fs::File::open(folder.path()).unwrap();
        let mut buffer = Vec::new();
        let mut lines = Lines::open(&handle, c"file", &mut buffer).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.to_vec());
        }
        all
    }

    #[test]
    fn a_line_may_be_longer_than_the_buffer_and_the_last_have_no_end() {
        let long = vec![b'x'; CHUNK + 5];
        let content = [b"a\n\n".as_slice(), &long, b"\nend"].concat();
        assert_eq!(lines_of(&content), [b"a".to_vec(), Vec::new(), long, b"end".to_vec()]);
        assert_eq!(lines_of(b""), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn what_no_kernel_writes_is_cut_and_takes_no_memory() {
        let lines = lines_of(&vec![b'x'; 300 * 1024]);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= 2 * LONGEST), "{}", lines.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn lines_are_those_between_the_newlines(lens in proptest::collection::vec(0usize..9000, 0..40)) {
            let lines: Vec<Vec<u8>> = lens.iter().enumerate().map(|(nth, len)| vec![b'a' + nth as u8 % 26; *len]).collect();
            let mut content = lines.join(&b'\n');
            content.push(b'\n');
            prop_assert_eq!(lines_of(&content), if lines.is_empty() { vec![Vec::new()] } else { lines });
        }
    }
}
