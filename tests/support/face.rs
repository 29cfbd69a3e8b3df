//! The face without a terminal: a scripted session behind it, keys in, cells and commands out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use memtide::act::effect::{Effect, Refusal};
use memtide::act::plan::{Caches, plan};
use memtide::collect::root::ProcRoot;
use memtide::config::said::Said;
use memtide::config::{Environment, resolve};
use memtide::model::inspect::Inspection;
use memtide::session::Session;
use memtide::session::inspect::InspectWish;
use memtide::session::update::Update;
use memtide::tui::app::{App, Command};
use memtide::tui::settings::Options;
use memtide::tui::theme::{Depth, Role, Theme};
use memtide::tui::view;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::inspected::inspection;
use super::machine::{Crowd, sample};

/// A face and the session that it shows.
pub struct Face {
    /// The face.
    pub app: App,
    /// Everything it asked to be done, in order.
    pub commands: Vec<Command>,
    session: Session,
    crowd: Crowd,
    second: u64,
    size: (u16, u16),
    options: Options,
    now: Instant,
    /// The latest look at one process, with the second and the wish that it answers.
    looked: Option<(u64, InspectWish, Arc<Inspection>)>,
}

/// Options as a terminal with all colours gives them.
pub fn options() -> Options {
    let environment =
        Environment { color_term: "truecolor".into(), locale: "C.UTF-8".into(), ..Environment::default() };
    resolve(Said::default(), &environment)
}

impl Face {
    /// A face of this size that has watched the server for two minutes and a half.
    pub fn new(width: u16, height: u16) -> Self {
        let mut face = Self::starting(width, height, Crowd::Server, options(), None);
        face.watch(150);
        face
    }

    /// A face that has seen nothing yet.
    pub fn starting(width: u16, height: u16, crowd: Crowd, options: Options, refusal: Option<Refusal>) -> Self {
        let planner = move |effect: &Effect| {
            // The texts of the real plan; what depends on the machine of the test is left out.
            let root = ProcRoot::recorded(std::path::Path::new("/nonexistent"));
            let caches = Caches { clean: Some(168 << 20), slab: Some(25 << 20) };
            let mut plan = plan(effect, &root, caches);
            plan.effects.retain(|line| !line.starts_with("CAUTION") && !line.starts_with("警告"));
            plan.refusal.clone_from(&refusal);
            plan
        };
        let mut app = App::new(options.clone(), Box::new(planner)).unwrap();
        app.set_clock("14:03:22".into());
        app.resize(Rect::new(0, 0, width, height));
        let session = Session::default();
        Self {
            app,
            commands: Vec::new(),
            session,
            crowd,
            second: 0,
            size: (width, height),
            options,
            now: Instant::now(),
            looked: None,
        }
    }

    /// Lets so many seconds pass.
    pub fn watch(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.session.ingest(sample(self.crowd, self.second));
            self.second += 1;
        }
        self.answer();
    }

    /// Gives the session a survey.
    pub fn survey(&mut self, survey: memtide::model::survey::Survey) {
        self.session.take_survey(Some(Arc::new(survey)));
        self.answer();
    }

    /// Other processes from now on.
    pub fn change_crowd(&mut self, crowd: Crowd) {
        self.crowd = crowd;
    }

    /// Gives the face what it asks for, until it asks for nothing else.
    fn answer(&mut self) {
        let mut asked = None;
        while asked != Some(self.app.request()) {
            let request = self.app.request();
            if let Some(mut update) = self.session.answer(&request) {
                update.inspection = request.inspect.and_then(|wish| self.look(wish)).map(Ok);
                self.app.take(Arc::new(update));
            }
            asked = Some(request);
        }
    }

    /// What the session shows now.
    pub fn update(&self) -> Update {
        self.session.answer(&self.app.request()).unwrap()
    }

    /// What a look at one process gives at this moment: the same as before while nothing else is asked for.
    fn look(&mut self, wish: InspectWish) -> Option<Arc<Inspection>> {
        let second = self.second.saturating_sub(1);
        if let Some((then, asked, look)) = &self.looked
            && (*then, *asked) == (second, wish)
        {
            return Some(Arc::clone(look));
        }
        let look = Arc::new(inspection(&sample(self.crowd, second), second, &wish)?);
        self.looked = Some((second, wish, Arc::clone(&look)));
        Some(look)
    }

    /// Presses keys, with a space between their names: `F3 n o d e enter`.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        keys.split(' ').filter(|key| !key.is_empty()).for_each(|key| self.key(event(key)));
        self
    }

    /// Types a text.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        text.chars().for_each(|c| self.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        self
    }

    /// Presses a key.
    pub fn key(&mut self, key: KeyEvent) {
        let commands = self.app.press(key);
        self.commands.extend(commands);
        self.answer();
    }

    /// Pastes a text.
    pub fn paste(&mut self, text: &str) {
        let commands = self.app.paste(text);
        self.commands.extend(commands);
        self.answer();
    }

    /// Presses the left button on a cell, so long after what was clicked before.
    pub fn click(&mut self, column: u16, row: u16, after: Duration) {
        self.now += after;
        self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    }

    /// Does something with the mouse.
    pub fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let mouse = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        let commands = self.app.point(mouse, self.now);
        self.commands.extend(commands);
        self.answer();
    }

    /// Changes the size of the terminal.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.app.resize(Rect::new(0, 0, width, height));
        self.answer();
    }

    /// The cells as they are now.
    pub fn buffer(&self) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        view::draw(&self.app, &mut buffer);
        buffer
    }

    /// The lines of the screen, without blanks at their ends.
    pub fn lines(&self) -> Vec<String> {
        let buffer = self.buffer();
        (0..self.size.1).map(|row| line(&buffer, row)).collect()
    }

    /// The screen as one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The selected line of whatever is on top: all of its cells have the look of the selected.
    pub fn selected(&self) -> Option<String> {
        let theme = Theme::load(&self.app.settings().theme, self.options.depth, self.options.is_ascii).unwrap();
        let look = theme.style(Role::Selected).bg.expect("the theme paints the selected line");
        let buffer = self.buffer();
        let row = (0..self.size.1).find(|row| (0..self.size.0).any(|x| buffer[(x, *row)].bg == look))?;
        let left = (0..self.size.0).find(|x| buffer[(*x, row)].bg == look)?;
        let cells = (left..self.size.0).take_while(|x| buffer[(*x, row)].bg == look);
        Some(cells.map(|x| buffer[(x, row)].symbol()).collect::<String>().trim().to_owned())
    }

    /// The pid of the selected process.
    pub fn selected_pid(&self) -> Option<u32> {
        self.selected()?.split_whitespace().next()?.parse().ok()
    }

    /// Pids on the screen from the top.
    pub fn pids(&self) -> Vec<u32> {
        self.lines()
            .iter()
            .skip_while(|line| !line.contains("COMMAND"))
            .skip(1)
            .filter_map(|line| pid_of(line))
            .collect()
    }

    /// The head that carries the mark of the order.
    pub fn sorted_head(&self) -> String {
        let lines = self.lines();
        let heads = lines.iter().find(|line| line.contains("COMMAND")).expect("the table is shown");
        heads.split_whitespace().find(|head| head.ends_with(['▼', '▲'])).unwrap_or_default().to_owned()
    }

    /// The line at the bottom above the function bar: the foot of the table, or a message.
    pub fn foot(&self) -> String {
        self.lines()[usize::from(self.size.1) - 2].trim().to_owned()
    }

    /// Effects that were to be carried out.
    pub fn effects(&self) -> Vec<&Effect> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                Command::Run(effect) => Some(effect),
                _ => None,
            })
            .collect()
    }
}

fn pid_of(line: &str) -> Option<u32> {
    line.split_whitespace().next()?.parse().ok()
}

/// A line of cells as text; what a wide character covers is left out.
pub fn line(buffer: &Buffer, row: u16) -> String {
    let mut text = String::new();
    let mut x = 0;
    while x < buffer.area.width {
        let symbol = buffer[(x, row)].symbol();
        text.push_str(symbol);
        x += (unicode_width::UnicodeWidthStr::width(symbol) as u16).max(1);
    }
    text.trim_end().to_owned()
}

/// The event of a key: `F5`, `enter`, `ctrl-c`, `alt-x`, or the character itself.
pub fn event(name: &str) -> KeyEvent {
    if let Some(rest) = name.strip_prefix("ctrl-") {
        return KeyEvent { modifiers: KeyModifiers::CONTROL, ..event(rest) };
    }
    if let Some(rest) = name.strip_prefix("alt-") {
        return KeyEvent { modifiers: KeyModifiers::ALT, ..event(rest) };
    }
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        "insert" => KeyCode::Insert,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        _ => match (name.strip_prefix('F').and_then(|number| number.parse().ok()), name.chars().next()) {
            (Some(number), _) => KeyCode::F(number),
            (None, Some(c)) if name.chars().count() == 1 => KeyCode::Char(c),
            _ => panic!("no key is called {name}"),
        },
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// The colours of a terminal that has none.
pub fn without_colours() -> Options {
    Options { depth: Depth::Mono, ..options() }
}
