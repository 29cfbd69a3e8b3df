//! The menus' contents.

use super::layer::Deed;
use super::layer::menu::{Item, Menu};
use super::theme::Theme;
use crate::act::change::{CHANGES, GRACE, On, Subject};
use crate::act::effect::{DropLevel, Effect, Signal, Target};
use crate::act::{signal, words};
use crate::model::field::{CGROUP_FIELDS, CgroupField, PROCESS_FIELDS, ProcessField};
use crate::model::group::GroupBy;

/// Fields to sort by, the one in force selected.
pub(super) fn sort(by: &'static ProcessField) -> Menu {
    let items = PROCESS_FIELDS.iter().map(|field| Item {
        label: format!("{} ({})", field.title, field.key),
        note: field.help.to_owned(),
        deed: Deed::SortBy(field),
    });
    let selected = PROCESS_FIELDS.iter().position(|field| field == by).unwrap_or(0);
    Menu::new("sort by", items.collect(), selected)
}

/// Fields to sort control groups by, the one in force selected.
pub(super) fn sort_cgroups(by: &'static CgroupField) -> Menu {
    let items = CGROUP_FIELDS.iter().map(|field| Item {
        label: format!("{} ({})", field.title, field.key),
        note: field.help.to_owned(),
        deed: Deed::SortCgroupsBy(field),
    });
    let selected = CGROUP_FIELDS.iter().position(|field| field == by).unwrap_or(0);
    Menu::new("sort by", items.collect(), selected)
}

/// Ways of grouping.
pub(super) fn group() -> Menu {
    let help = |by| match by {
        GroupBy::Command => "processes of one name",
        GroupBy::User => "processes of one user",
        GroupBy::Unit => "systemd unit, or control group",
        GroupBy::Container => "docker, podman, containerd, cri-o",
    };
    let mut items: Vec<Item> = GroupBy::ALL
        .iter()
        .map(|(by, word)| Item {
            label: (*word).to_owned(),
            note: help(*by).to_owned(),
            deed: Deed::GroupBy(Some(*by)),
        })
        .collect();
    items.push(Item { label: "none".into(), note: "every process by itself".into(), deed: Deed::GroupBy(None) });
    Menu::new("group by", items, 0)
}

/// The themes.
pub(super) fn theme(current: &str) -> Menu {
    let names: Vec<&str> = Theme::names().collect();
    let selected = names.iter().position(|name| *name == current).unwrap_or(0);
    let item =
        |name: &&str| Item { label: (*name).to_owned(), note: String::new(), deed: Deed::Theme((*name).to_owned()) };
    Menu::new("theme", names.iter().map(item).collect(), selected)
}

/// Every signal for these targets, TERM first, and TERM with KILL after it.
pub(super) fn signal(targets: &[Target]) -> Menu {
    let title = match targets {
        [one] => format!("signal to {} {}", one.key.pid, one.command.chars().take(40).collect::<String>()),
        many => format!("signal to {} processes", many.len()),
    };
    let deed = |signal: Signal, escalate| Deed::Ask(Effect::Signal { targets: targets.to_vec(), signal, escalate });
    let mut items: Vec<Item> = signal::menu()
        .map(|known| Item {
            label: format!("{:>2} SIG{}", known.signal.0, known.name),
            note: known.help.to_owned(),
            deed: deed(known.signal, None),
        })
        .collect();
    let escalating = Item {
        label: format!("   SIGTERM+SIGKILL after {} s", GRACE.as_secs()),
        note: "asks to end; ends who is still there".to_owned(),
        deed: deed(signal::TERM, Some(GRACE)),
    };
    items.insert(1, escalating);
    Menu::new(title, items, 0)
}

/// What drop_caches can free.
pub(super) fn drop_caches() -> Menu {
    let items = [
        (DropLevel::PageCache, "1  page cache", "file contents that are not dirty"),
        (DropLevel::Slab, "2  dentries and inodes", "the kernel's memory of names and files"),
        (DropLevel::Both, "3  both", "all clean caches"),
    ];
    let item = |(level, label, note): (DropLevel, &str, &str)| Item {
        label: label.to_owned(),
        note: note.to_owned(),
        deed: Deed::Ask(Effect::DropCaches(level)),
    };
    Menu::new("drop caches", items.into_iter().map(item).collect(), 0)
}

/// Every change of who was chosen, of their control group and of the machine; first what undoes the last one.
pub(super) fn actions(subject: &Subject, undo: Option<Effect>) -> Menu {
    let title = match subject.targets.as_slice() {
        [] => "act on the machine".to_owned(),
        [one] => format!("act on {} {}", one.key.pid, one.command.chars().take(40).collect::<String>()),
        many => format!("act on {} processes", many.len()),
    };
    let undo =
        undo.map(|effect| Item { label: "Undo …".to_owned(), note: words::title(&effect), deed: Deed::Ask(effect) });
    let fits = |on: On| match on {
        On::Process => !subject.targets.is_empty(),
        On::Group => subject.group.is_some(),
        On::Machine => true,
    };
    let changes = CHANGES.iter().filter(|spec| fits(spec.on)).map(|spec| Item {
        label: spec.title.to_owned(),
        note: format!("{}: {}", spec.on.word(), spec.help),
        deed: Deed::Change(spec.change, Some(subject.clone())),
    });
    Menu::new(title, undo.into_iter().chain(changes).collect(), 0)
}
