//! A screen as a person reads it: lines of text, and the process table among them.

/// What stands on a terminal at one moment.
#[derive(Clone)]
pub struct Screen(vt100::Screen);

impl Screen {
    /// Wraps the emulator's screen.
    pub fn new(screen: vt100::Screen) -> Self {
        Self(screen)
    }

    /// The emulator's own screen, with colours.
    pub fn cells(&self) -> &vt100::Screen {
        &self.0
    }

    /// Every line, with a character a cell and without blanks at the end; a wide character takes one `char`.
    pub fn lines(&self) -> Vec<String> {
        let (_, columns) = self.0.size();
        self.0.rows(0, columns).map(|line| line.trim_end().to_owned()).collect()
    }

    /// All lines as one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Whether a text can be read on some line.
    pub fn contains(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    /// The first line with this text.
    pub fn line_with(&self, text: &str) -> Option<String> {
        self.lines().into_iter().find(|line| line.contains(text))
    }

    /// The cell (column, row) where a text begins.
    pub fn find(&self, text: &str) -> Option<(u16, u16)> {
        self.lines()
            .iter()
            .enumerate()
            .find_map(|(row, line)| line.find(text).map(|byte| (line[..byte].chars().count() as u16, row as u16)))
    }

    /// The text with a frame, for the message of a failed test.
    pub fn framed(&self) -> String {
        let (_, columns) = self.0.size();
        let rule = "─".repeat(columns.into());
        format!("┌{rule}\n│{}\n└{rule}", self.lines().join("\n│"))
    }

    /// The table's heads, left to right, without the mark of the sort order.
    pub fn heads(&self) -> Vec<String> {
        self.head_line().map_or_else(Vec::new, |(_, line)| {
            line.split_whitespace().map(|head| head.trim_end_matches(['▼', '▲', 'v', '^']).to_owned()).collect()
        })
    }

    /// The head that carries the mark of the sort order, with the mark.
    pub fn sorted_head(&self) -> Option<String> {
        let (_, line) = self.head_line()?;
        line.split_whitespace().find(|head| head.ends_with(['▼', '▲'])).map(str::to_owned)
    }

    /// The lines below the heads, down to the rule or the end of the table.
    pub fn body(&self) -> Vec<String> {
        let Some((row, _)) = self.head_line() else { return Vec::new() };
        let is_end = |line: &String| line.starts_with("───") || line.starts_with("---") || line.trim().is_empty();
        self.lines().into_iter().skip(row + 1).take_while(|line| !is_end(line)).collect()
    }

    /// A cell of the table: of the first row with `text` in it, the value under `head`. The value is the run of
    /// characters that reaches under the head's own columns.
    pub fn cell(&self, text: &str, head: &str) -> Option<String> {
        let (_, heads) = self.head_line()?;
        let line = self.body().into_iter().find(|line| line.contains(text))?;
        let start = heads.match_indices(head).map(|(byte, _)| heads[..byte].chars().count()).find(|start| {
            let before = start.checked_sub(1).and_then(|index| heads.chars().nth(index));
            let after = heads.chars().nth(start + head.chars().count());
            before.is_none_or(|c| c == ' ') && after.is_none_or(|c| c == ' ' || c == '▼' || c == '▲')
        })?;
        let end = start + head.chars().count();
        let cells: Vec<char> = line.chars().collect();
        let at = (start..=end).find(|&index| cells.get(index).is_some_and(|c| *c != ' '))?;
        let from = cells[..at].iter().rposition(|c| *c == ' ').map_or(0, |index| index + 1);
        let to = cells[at..].iter().position(|c| *c == ' ').map_or(cells.len(), |length| at + length);
        Some(cells[from..to].iter().collect())
    }

    fn head_line(&self) -> Option<(usize, String)> {
        let is_head =
            |line: &String| line.contains("COMMAND") && ["PID", "PSS", "RSS"].iter().any(|head| line.contains(head));
        self.lines().into_iter().enumerate().find(|(_, line)| is_head(line))
    }
}
