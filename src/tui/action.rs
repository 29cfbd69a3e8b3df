//! ACTIONS: every command, declared once. Dispatch, the help screen, the function bar, the palette, the names in the
//! configuration and the page of keys are made from it.

use std::fmt::Write as _;

/// Something a person can ask for with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "ACTIONS has the title and the help of each")]
pub enum Action {
    Help,
    Palette,
    Quit,
    Back,
    Redraw,
    Suspend,
    MoveDown,
    MoveUp,
    PageDown,
    PageUp,
    MoveToStart,
    MoveToEnd,
    ScrollRight,
    ScrollLeft,
    OpenDetails,
    NextTab,
    PreviousTab,
    ShowOverview,
    ShowMappings,
    ShowDescriptors,
    ShowThreads,
    ShowRuntime,
    ShowSixth,
    ShowSeventh,
    ShowEighth,
    Filter,
    Search,
    SearchNext,
    SearchPrevious,
    Follow,
    ShowLeaks,
    ShowSystem,
    ShowCgroups,
    SetMark,
    OpenMarkMenu,
    OpenSortMenu,
    ReverseSort,
    SortByNext,
    SortByPrevious,
    SortByPss,
    SortByRss,
    SortBySwap,
    SortByFds,
    SortByGrowth,
    SortByAge,
    SortByPid,
    ToggleTree,
    ToggleFold,
    OpenGroupMenu,
    ToggleKernelThreads,
    OpenColumns,
    OpenThemeMenu,
    ToggleTag,
    TagAll,
    ClearTags,
    Signal,
    DropCaches,
    HeapSnapshot,
    OpenHeap,
    Record,
    OpenActions,
    Undo,
    Stop,
    ShowLog,
    ShowEnded,
    Pause,
    Earlier,
    Later,
    MuchEarlier,
    MuchLater,
    GoLive,
    Jump,
    PreviousEvent,
    NextEvent,
    Faster,
    Slower,
    SaveSettings,
}

/// What belongs together in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Around.
    Move,
    /// Finding.
    Find,
    /// Ordering.
    Arrange,
    /// Changing the machine.
    Act,
    /// The past.
    Time,
    /// The program.
    Program,
}

impl Group {
    /// Every group with its title, in the order of the help.
    pub const ALL: [(Self, &str); 6] = [
        (Self::Move, key!("Move")),
        (Self::Find, key!("Find")),
        (Self::Arrange, key!("Arrange")),
        (Self::Act, key!("Act")),
        (Self::Time, key!("Time")),
        (Self::Program, key!("Program")),
    ];
}

/// A row of the table.
#[derive(Debug)]
pub struct ActionSpec {
    /// The action.
    pub action: Action,
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// Where it stands in the help.
    pub group: Group,
    /// Its keys, unless others are configured; the first is the one that hints show.
    pub keys: &'static [&'static str],
    /// Its word in the function bar, if it is there.
    pub bar: Option<&'static str>,
    /// Whether it leads to a change of the machine: `--read-only` refuses it.
    pub is_dangerous: bool,
}

macro_rules! actions {
    ($($group:ident { $($action:ident $name:literal $title:literal [$($key:literal),*] $(bar $bar:literal)? $(danger $danger:literal)?, $help:literal;)* })*) => {
        /// Every action.
        pub const ACTIONS: &[ActionSpec] = &[$($(ActionSpec {
            action: Action::$action, name: $name, title: $title, help: $help, group: Group::$group,
            keys: &[$($key),*], bar: optional!($($bar)?), is_dangerous: flag!($($danger)?),
        },)*)*];
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! flag {
    () => {
        false
    };
    ($value:literal) => {
        $value
    };
}

actions! {
    Program {
        Help "help" "Help" ["F1", "?", "h"] bar "help", "Shows every key and what it does.";
    }
    Find {
        Filter "filter" "Filter" ["/", "F4"] bar "filter", "Narrows the list by an expression such as rss>100M user=app node.";
        ShowLeaks "leaks" "Leaks" ["V"] bar "leaks", "Shows what grows, ranked by what it fills first, with the evidence drawn.";
        ShowSystem "system" "System" ["y"], "Shows where every byte of RAM and swap is: over time, by slab cache, by tmpfs and segment, by process, by setting.";
        ShowCgroups "cgroups" "Control groups" ["c"], "Shows the tree of control groups: units, containers, pods and users with usage, limits, pressure and events.";
        OpenHeap "open_heap" "Open a heap …" ["o"], "Walks through a heap snapshot, or what grew between several: classes, objects, who holds them.";
        SetMark "mark" "Set a mark" ["m"], "Keeps this moment; every view then shows the change since it, sorted by change.";
        OpenMarkMenu "marks" "Marks …" ["'"], "Chooses the mark to compare with, or none; renames and drops marks.";
        Search "search" "Search" ["F3", "ctrl-f"], "Goes to the next line that holds what is typed.";
        SearchNext "search_next" "Next match" ["n"], "Goes to the next match of the search.";
        SearchPrevious "search_previous" "Previous match" ["b"], "Goes to the match before.";
        Follow "follow" "Follow" ["F"], "Keeps the selected process in view wherever the order takes it.";
    }
    Arrange {
        OpenSortMenu "sort_menu" "Sort by …" ["s", "F6", ">"] bar "sort", "Chooses the field that sorts the list.";
        OpenGroupMenu "group_menu" "Group by …" ["g"] bar "group", "Groups by command, user, unit or container; PSS sums count shared pages once.";
        ToggleFold "fold" "Fold" ["z", "*"], "Folds or unfolds what is below the selected line.";
        ReverseSort "reverse_sort" "Reverse the order" ["I"], "Turns the order round.";
        SortByNext "sort_by_next" "Sort by the next column" ["."], "Sorts by the column to the right.";
        SortByPrevious "sort_by_previous" "Sort by the previous column" [","], "Sorts by the column to the left.";
        SortByPss "sort_by_pss" "Sort by PSS" ["P"], "Sorts by proportional memory; once more reverses.";
        SortByRss "sort_by_rss" "Sort by RSS" ["M"], "Sorts by resident memory; once more reverses.";
        SortBySwap "sort_by_swap" "Sort by swap" ["S"], "Sorts by swapped-out memory; once more reverses.";
        SortByFds "sort_by_fds" "Sort by descriptors" ["D"], "Sorts by open file descriptors; once more reverses.";
        SortByGrowth "sort_by_growth" "Sort by growth" ["G"], "Sorts by growth per minute; once more reverses.";
        SortByAge "sort_by_age" "Sort by age" ["T"], "Sorts by the time since the start; once more reverses.";
        SortByPid "sort_by_pid" "Sort by pid" ["N"], "Sorts by process id; once more reverses.";
        ToggleKernelThreads "kernel_threads" "Kernel threads" ["K"], "Shows kernel threads, or hides them.";
        OpenColumns "columns" "Columns …" ["C", "F2"], "Chooses the columns.";
        OpenThemeMenu "theme_menu" "Theme …" ["Y"], "Chooses the colours.";
    }
    Move {
        OpenDetails "details" "Details" ["enter"] bar "details", "Shows the selected process whole: memory, mappings, descriptors, threads; opens or closes a group.";
        NextTab "next_tab" "Next tab" ["tab"], "Shows the next part of a view that has several.";
        PreviousTab "previous_tab" "Previous tab" ["shift-tab"], "Shows the part before.";
        ShowOverview "overview" "Overview" ["1"], "Shows all that is known of the process, why the rest is not, and how it grows.";
        ShowMappings "mappings" "Mappings" ["2"], "Shows what the process's memory is made of, and where in it the growth is.";
        ShowDescriptors "descriptors" "Descriptors" ["3"], "Shows what the process has open: by kind, by target, the newest.";
        ShowThreads "threads" "Threads" ["4"], "Shows the process's threads.";
        ShowRuntime "runtime" "Runtime" ["5"], "Shows what runs the process, the memory limit that it keeps to by itself, and what is left.";
        ShowSixth "sixth_tab" "Sixth tab" ["6"], "Shows the sixth part of a heap; 1 to 5 show the first ones.";
        ShowSeventh "seventh_tab" "Seventh tab" ["7"], "Shows the seventh part of a heap.";
        ShowEighth "eighth_tab" "Eighth tab" ["8"], "Shows the eighth part of a heap.";
        MoveDown "down" "Down" ["down", "j", "ctrl-n"], "Selects the next line.";
        MoveUp "up" "Up" ["up", "ctrl-p"], "Selects the line before.";
        PageDown "page_down" "Page down" ["pagedown", "ctrl-d"], "Goes down by a screen.";
        PageUp "page_up" "Page up" ["pageup", "ctrl-u"], "Goes up by a screen.";
        MoveToStart "start" "First line" ["home"], "Goes to the first line.";
        MoveToEnd "end" "Last line" ["end"], "Goes to the last line.";
        ScrollRight "scroll_right" "Scroll right" ["right"], "Moves long command lines to the left.";
        ScrollLeft "scroll_left" "Scroll left" ["left"], "Moves them back.";
        Back "back" "Back" ["esc"], "Closes what is open; then shows the present; then drops search, tags and filter.";
    }
    Act {
        Signal "signal" "Send a signal …" ["k", "F9"] bar "signal" danger true, "Sends a signal to the tagged processes, or to the selected one, after a question.";
        DropCaches "drop_caches" "Drop caches …" ["d"] bar "drop caches" danger true, "Gives clean caches back after a question, and measures what that freed.";
        HeapSnapshot "heap_snapshot" "Heap snapshot (Node.js) …" ["H"] danger true, "Writes the live objects of a Node.js process to a file, after a question, and offers to open it.";
        OpenActions "actions" "Act …" ["a"] bar "act" danger true, "Lists what can be changed of the process, of its control group and of the machine.";
        Undo "undo" "Undo …" ["u"] danger true, "Asks whether to bring back what the last change replaced.";
        Stop "stop" "Stop an action" ["X"], "Stops what is under way: a reclaim, a swap recycle, a request to a JVM, a heap snapshot, a KILL to come.";
        ToggleTag "tag" "Tag" ["space"], "Tags the selected process, or a whole group, for a signal.";
        TagAll "tag_all" "Tag all" ["A"], "Tags every process of the list.";
        ClearTags "untag" "Untag all" ["U"], "Forgets all tags.";
        Record "record" "Record" ["r"], "Records every sample to a file in the current folder, or ends that; secrets in command lines are hidden.";
        ShowLog "log" "Action log" ["L"], "Shows what was done and what came of it.";
    }
    Arrange {
        ToggleTree "tree" "Tree" ["t", "F5"] bar "tree", "Shows children below their parents.";
    }
    Time {
        Earlier "earlier" "Earlier" ["["] bar "past", "Shows the sample before this one.";
        Later "later" "Later" ["]"], "Shows the sample after this one.";
        MuchEarlier "much_earlier" "A minute earlier" ["{"], "Goes back by a minute.";
        MuchLater "much_later" "A minute later" ["}"], "Goes on by a minute.";
        GoLive "live" "Live" ["l"], "Returns to the present; in a recording, to its end.";
        Pause "pause" "Pause" ["p"], "Keeps the picture as it is, reading goes on; in a recording, lets time pass or stops it.";
        Jump "jump" "Go to a time …" ["J"], "Goes to a time such as 14:03, -10m or +1h.";
        PreviousEvent "previous_event" "Previous event" ["("], "Goes to what happened before: a leak, an OOM kill, a swap storm, a process that came or went.";
        NextEvent "next_event" "Next event" [")"], "Goes to what happens next.";
        ShowEnded "ended" "Ended processes" ["E"], "Shows who has ended, when, and how large it was.";
        Faster "faster" "Shorter interval" ["-"], "Takes samples more often; in a recording, time passes more slowly.";
        Slower "slower" "Longer interval" ["+", "="], "Takes samples less often; in a recording, time passes faster.";
    }
    Program {
        Palette "palette" "Command …" [":", "ctrl-o"] bar "command", "Runs any action by name, or sort, filter, group, columns, interval, theme and every change with a value.";
        SaveSettings "save_settings" "Save settings" ["W"], "Writes what was chosen here to the configuration file.";
        Redraw "redraw" "Redraw" ["ctrl-l"], "Draws the whole screen anew.";
        Suspend "suspend" "Suspend" ["ctrl-z"], "Returns to the shell; fg comes back.";
        Quit "quit" "Quit" ["q", "F10", "ctrl-c"] bar "quit", "Ends memtide.";
    }
}

impl Action {
    /// Its row.
    pub fn spec(self) -> &'static ActionSpec {
        // A test holds the table to one row an action.
        ACTIONS.iter().find(|spec| spec.action == self).unwrap_or(&ACTIONS[0])
    }
}

/// The rows of a table of the keys that the bar at the bottom shows, in the language that is spoken.
pub fn bar_markdown() -> String {
    let mut rows = String::new();
    for spec in ACTIONS.iter().filter(|spec| spec.bar.is_some()) {
        // Writing into a String can't fail.
        let _ = writeln!(rows, "| {} | {} |", marked(spec.keys), tr!(of spec.help));
    }
    rows
}

fn marked(keys: &[&str]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    keys.join(" ")
}

/// The table of keys for `assets/docs/keys.md`.
pub fn keys_markdown() -> String {
    let mut table = String::from("| keys | action | name | what it does |\n| --- | --- | --- | --- |\n");
    for (group, _) in Group::ALL {
        for spec in ACTIONS.iter().filter(|spec| spec.group == group) {
            // Writing into a String can't fail.
            let _ = writeln!(table, "| {} | {} | `{}` | {} |", marked(spec.keys), spec.title, spec.name, spec.help);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_action_is_in_the_table_once_with_one_name() {
        let mut actions = HashSet::new();
        let mut names = HashSet::new();
        for spec in ACTIONS {
            assert!(actions.insert(spec.action), "{:?} twice", spec.action);
            assert!(names.insert(spec.name), "{} twice", spec.name);
            assert!(spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", spec.name);
            assert!(spec.help.ends_with('.'), "{}", spec.help);
            assert!(!spec.keys.is_empty(), "{} has no key", spec.name);
        }
        // The last variant's number tells how many there are.
        assert_eq!(actions.len(), Action::SaveSettings as usize + 1);
    }
}
