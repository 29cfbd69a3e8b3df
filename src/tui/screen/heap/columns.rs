//! The columns of each list. Their keys are what sorts it ([`By`](crate::heap::browse::By)), where anything does.

use crate::heap::browse::{ChangeLine, Kind, Line, Question};
use crate::heap::holders::grouped;
use crate::model::histogram::HistogramKind;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::end_of_path;
use crate::tui::widget::table::{Column, Head, Order, Rank};
use crate::units::{Bytes, BytesChange};

/// The last column takes so much while others can go.
pub(super) const LEAST_NAME: u16 = 16;

/// Columns that a place takes.
const PLACE: u16 = 30;

macro_rules! column {
    ($key:literal key!($title:literal) $width:literal $goes:literal $is_number:literal key!($help:literal) $show:expr) => {
        Column {
            head: Head { key: $key, title: key!($title), help: key!($help), is_number: $is_number },
            width: $width,
            goes: $goes,
            show: $show,
            // Who makes the list puts it in order.
            rank: |_| Rank::Unknown,
        }
    };
}

macro_rules! count {
    ($key:literal key!($title:literal) $goes:literal key!($help:literal)) => {
        column!($key key!($title) 9 $goes true key!($help) |line, _| (grouped(line.count), Role::Text))
    };
}

macro_rules! bytes {
    ($key:literal key!($title:literal) $field:ident $goes:literal key!($help:literal)) => {
        column!($key key!($title) 8 $goes true key!($help) |line, _| amount(line.$field))
    };
}

macro_rules! delta {
    ($key:literal key!($title:literal) $field:ident $show:ident $goes:literal key!($help:literal)) => {
        column!($key key!($title) 9 $goes true key!($help) |line, _| {
            line.change.as_ref().map_or_else(|| ("-".into(), Role::Muted), |change: &ChangeLine| $show(change.$field))
        })
    };
}

const SHALLOW: Column<Line> = bytes!("shallow" key!("SHALLOW") shallow 3 key!("What it takes itself."));
const RETAINED: Column<Line> = bytes!("retained" key!("RETAINED") retained 0 key!("What would be freed with it."));
const DISTANCE: Column<Line> = column!("distance" key!("DIST") 5 2 true key!("Steps from a root of the program; - where only V8 itself reaches it.") |line, _| {
    (line.distance.map_or_else(|| "-".into(), |distance| distance.to_string()), Role::Muted)
});
const OBJECT: Column<Line> = column!("id" key!("OBJECT") 10 4 true key!("The number by which V8 knows the object.") |line, _| {
    (line.id.map(|id| format!("@{id}")).unwrap_or_default(), Role::Muted)
});
const WRITTEN: Column<Line> = column!("written" key!("WRITTEN IN") 30 5 false key!("Script and line of the constructor, or of the function.") |line, theme| {
    (place(&line.place, theme), Role::Muted)
});
const CLASS: Column<Line> = column!("name" key!("CLASS") 0 0 false key!("The constructor, or what V8 calls it.") |line, _| (line.name.clone(), Role::Title));
const CLASS_BESIDE: Column<Line> = column!("name" key!("CLASS") 18 3 false key!("The constructor, or what V8 calls it.") |line, _| (line.name.clone(), Role::Text));
const EDGE: Column<Line> = column!("edge" key!("FIELD") 20 0 false key!("A property, an element, a variable; {…} is V8's own.") |line, _| {
    (line.name.clone(), Role::Title)
});

const CLASSES: &[Column<Line>] =
    &[count!("count" key!("COUNT") 0 key!("Objects.")), SHALLOW, RETAINED, DISTANCE, WRITTEN, CLASS];

const NODES: &[Column<Line>] = &[
    OBJECT,
    SHALLOW,
    RETAINED,
    DISTANCE,
    CLASS_BESIDE,
    column!("what" key!("WHAT") 0 0 false key!("Strings in its first fields, or its properties.") |line, _| {
        (line.text.clone(), if line.is_detached { Role::Warn } else { Role::Title })
    }),
];

/// Objects of one class, which need not be named.
const INSTANCES: &[Column<Line>] = &[
    OBJECT,
    SHALLOW,
    RETAINED,
    DISTANCE,
    column!("what" key!("WHAT") 0 0 false key!("Strings in its first fields, or its properties.") |line, _| {
        (line.text.clone(), Role::Title)
    }),
];

const STRINGS: &[Column<Line>] = &[
    count!("count" key!("COUNT") 0 key!("How often the string is there.")),
    bytes!("retained" key!("WASTED") retained 0 key!("What all but one of them take.")),
    bytes!("shallow" key!("TOTAL") shallow 2 key!("What all of them take.")),
    OBJECT,
    column!("what" key!("STRING") 0 0 false key!("The string.") |line, _| (line.text.clone(), Role::Title)),
];

const CLOSURES: &[Column<Line>] = &[
    count!("count" key!("COUNT") 0 key!("Functions.")),
    SHALLOW,
    RETAINED,
    column!("written" key!("WRITTEN IN") 30 1 false key!("Script and line.") |line, theme| (place(&line.place, theme), Role::Text)),
    column!("function" key!("FUNCTION") 0 0 false key!("Its name.") |line, _| (line.name.clone(), Role::Title)),
];

const COLLECTIONS: &[Column<Line>] = &[
    count!("count" key!("ELEMENTS") 0 key!("Entries; small integers are part of an array and not counted.")),
    SHALLOW,
    RETAINED,
    OBJECT,
    column!("class" key!("CLASS") 14 2 false key!("Map, Set, Array or another class.") |line, _| (line.name.clone(), Role::Text)),
    column!("held" key!("HELD BY") 0 0 false key!("The first field or variable that holds it.") |line, _| {
        (line.text.clone(), Role::Title)
    }),
];

const FIELDS: &[Column<Line>] = &[
    EDGE,
    OBJECT,
    SHALLOW,
    RETAINED,
    column!("what" key!("VALUE") 0 0 false key!("What it refers to.") |line, _| {
        (line.text.clone(), if line.is_weak { Role::Muted } else { Role::Text })
    }),
];

const RETAINERS: &[Column<Line>] = &[
    column!("edge" key!("BY") 20 0 false key!("Its field, element or variable that leads here.") |line, _| {
        (line.name.clone(), Role::Title)
    }),
    OBJECT,
    RETAINED,
    column!("given" key!("DIST") 5 0 true key!("Steps from a root of the program, the nearest first.") |line, _| {
        (line.distance.map_or_else(|| "-".into(), |distance| distance.to_string()), Role::Muted)
    }),
    column!("cycle" key!("CYCLE") 5 0 false key!("Held itself only by what it holds: no way from a root.") |line, _| {
        (if line.is_cycle { tr!("cycle").into() } else { String::new() }, Role::Warn)
    }),
    column!("what" key!("WHO") 0 0 false key!("Who holds it.") |line, _| {
        (line.text.clone(), if line.is_cycle { Role::Muted } else { Role::Text })
    }),
];

const WAY: &[Column<Line>] = &[
    EDGE,
    OBJECT,
    SHALLOW,
    RETAINED,
    column!("what" key!("LEADS TO") 0 0 false key!("The next on the way.") |line, _| (line.text.clone(), Role::Text)),
];

const GROWTH: &[Column<Line>] = &[
    delta!("new" key!("NEW") new plain 2 key!("Objects that only the last has.")),
    delta!("deleted" key!("DELETED") deleted plain 3 key!("Objects that only the first has.")),
    delta!("delta" key!("DELTA") count change 0 key!("Objects gained.")),
    delta!("size_delta" key!("SIZE") size size_change 4 key!("Bytes that those gained take themselves.")),
    delta!("retained_delta" key!("RETAINED") retained size_change 0 key!("Bytes that the class retains more.")),
    WRITTEN,
    CLASS,
];

const STEPS: &[Column<Line>] = &[
    column!("steps" key!("IN EACH STEP") 18 3 false key!("Objects gained from each snapshot to the next.") |line, _| {
        let steps = line.change.as_ref().map(|change| change.steps.as_slice()).unwrap_or_default();
        (steps.iter().map(|step| signed(*step)).collect::<Vec<_>>().join(" "), Role::Text)
    }),
    delta!("delta" key!("DELTA") count change 0 key!("Objects gained from the first to the last.")),
    delta!("size_delta" key!("SIZE") size size_change 4 key!("Bytes that those gained take themselves.")),
    delta!("retained_delta" key!("RETAINED") retained size_change 0 key!("Bytes that the class retains more.")),
    column!("always" key!("ALWAYS") 6 1 false key!("It grew in every step: a leak does, noise does not.") |line, _| {
        let is_so = line.change.as_ref().is_some_and(|change| change.is_always);
        (if is_so { tr!("yes").into() } else { String::new() }, Role::Growing)
    }),
    WRITTEN,
    CLASS,
];

const JVM: &[Column<Line>] = &[
    count!("count" key!("COUNT") 0 key!("Objects.")),
    bytes!("shallow" key!("BYTES") shallow 0 key!("What they take.")),
    column!("place" key!("MODULE") 30 1 false key!("The module of the class.") |line, _| (line.place.clone(), Role::Muted)),
    CLASS,
];

const GO: &[Column<Line>] = &[
    count!("count" key!("COUNT") 3 key!("Objects in use.")),
    bytes!("shallow" key!("BYTES") shallow 0 key!("What is in use of what it allocated.")),
    bytes!("retained" key!("CALLED") retained 2 key!("The same with what it called.")),
    column!("place" key!("LINE") 30 1 false key!("Where it allocated.") |line, theme| (place(&line.place, theme), Role::Muted)),
    column!("name" key!("FUNCTION") 0 0 false key!("Who allocated it.") |line, _| (line.name.clone(), Role::Title)),
];

const COUNTS: &[Column<Line>] = &[
    delta!("size_delta" key!("CHANGE") size size_change 0 key!("Bytes more, or less.")),
    bytes!("shallow" key!("BYTES") shallow 2 key!("Bytes in the last.")),
    delta!("delta" key!("MORE") count change 1 key!("Objects more, or fewer.")),
    count!("count" key!("COUNT") 3 key!("Objects in the last.")),
    column!("place" key!("WHERE") 30 4 false key!("The module, or the line.") |line, theme| (place(&line.place, theme), Role::Muted)),
    column!("name" key!("WHAT") 0 0 false key!("The class, or the function.") |line, _| (line.name.clone(), Role::Title)),
];

/// The columns of a list, and what sorts it first.
pub(super) fn of(question: &Question, kind: Kind, files: usize) -> (&'static [Column<Line>], Order) {
    let columns = match (question, kind) {
        (Question::Growth(_), Kind::HistogramGrowth(_)) => COUNTS,
        (Question::Growth(_), _) if files > 2 => STEPS,
        (Question::Growth(_), _) => GROWTH,
        (Question::Classes(_), Kind::Histogram(kind) | Kind::HistogramGrowth(kind)) => match kind {
            HistogramKind::JvmClasses => JVM,
            HistogramKind::GoFunctions => GO,
        },
        (Question::Classes(_), _) => CLASSES,
        (Question::Strings(_), _) => STRINGS,
        (Question::Closures(_), _) => CLOSURES,
        (Question::Collections, _) => COLLECTIONS,
        (Question::Fields(_), _) => FIELDS,
        (Question::Retainers(_), _) => RETAINERS,
        (Question::Way(_), _) => WAY,
        (Question::Instances(_) | Question::New(_), _) => INSTANCES,
        _ => NODES,
    };
    let by = match question {
        Question::Growth(_) | Question::Fields(_) | Question::Retainers(_) | Question::Way(_) => "given",
        Question::Collections => "count",
        Question::Classes(_) if matches!(kind, Kind::Histogram(_) | Kind::HistogramGrowth(_)) => "shallow",
        _ => "retained",
    };
    (columns, Order { by, is_descending: by != "given" })
}

fn amount(bytes: u64) -> (String, Role) {
    (Bytes(bytes).to_string(), if bytes == 0 { Role::Muted } else { Role::Text })
}

fn plain(count: u64) -> (String, Role) {
    (grouped(count), if count == 0 { Role::Muted } else { Role::Text })
}

fn change(count: i64) -> (String, Role) {
    (signed(count), role(count))
}

fn size_change(bytes: i64) -> (String, Role) {
    (BytesChange(bytes).to_string(), role(bytes))
}

fn role(change: i64) -> Role {
    match change {
        0 => Role::Muted,
        1.. => Role::Growing,
        _ => Role::Good,
    }
}

/// `+41,200`.
fn signed(count: i64) -> String {
    let sign = match count {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", grouped(count.unsigned_abs()))
}

/// The end of a place, which tells it from others.
fn place(place: &str, theme: &Theme) -> String {
    let path = place.strip_prefix("file://").unwrap_or(place);
    end_of_path(path, PLACE, theme.pick("…", "..")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::browse::By;

    #[test]
    fn every_list_fits_an_old_terminal_and_is_first_sorted_by_a_column_or_as_it_is_given() {
        let none = String::new;
        let heap = [
            Question::Growth(none()),
            Question::Classes(none()),
            Question::Biggest,
            Question::Dominated(0),
            Question::Strings(none()),
            Question::Closures(none()),
            Question::Collections,
            Question::Detached,
            Question::Found(none()),
            Question::Instances(0),
            Question::New(0),
            Question::Fields(0),
            Question::Retainers(0),
            Question::Way(0),
        ];
        let jvm = Kind::Histogram(HistogramKind::JvmClasses);
        let go = Kind::HistogramGrowth(HistogramKind::GoFunctions);
        for kind in [Kind::Heap, jvm, go] {
            for (question, files) in heap.iter().flat_map(|question| [(question, 2), (question, 3)]) {
                let (columns, order) = of(question, kind, files);
                let name = crate::tui::widget::table::layout(columns, 80, LEAST_NAME).pop().map(|(_, width)| width);
                assert!(name >= Some(LEAST_NAME), "{question:?}: {name:?}");
                let last = columns.last().unwrap();
                assert_eq!((last.width, last.head.is_number), (0, false), "{question:?}");
                let is_known = columns.iter().any(|column| column.head.key == order.by) || order.by == "given";
                assert!(is_known && By::of_key(order.by).is_some(), "{question:?}: {}", order.by);
            }
        }
    }
}
