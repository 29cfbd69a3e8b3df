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
        label: format!("{} ({})", tr!(of field.title), field.key),
        note: tr!(of field.help).to_owned(),
        deed: Deed::SortBy(field),
    });
    let selected = PROCESS_FIELDS.iter().position(|field| field == by).unwrap_or(0);
    Menu::new(tr!("sort by"), items.collect(), selected)
}

/// Fields to sort control groups by, the one in force selected.
pub(super) fn sort_cgroups(by: &'static CgroupField) -> Menu {
    let items = CGROUP_FIELDS.iter().map(|field| Item {
        label: format!("{} ({})", tr!(of field.title), field.key),
        note: tr!(of field.help).to_owned(),
        deed: Deed::SortCgroupsBy(field),
    });
    let selected = CGROUP_FIELDS.iter().position(|field| field == by).unwrap_or(0);
    Menu::new(tr!("sort by"), items.collect(), selected)
}

/// Ways of grouping.
pub(super) fn group() -> Menu {
    let help = |by| match by {
        GroupBy::Command => tr!("processes of one name"),
        GroupBy::User => tr!("processes of one user"),
        GroupBy::Unit => tr!("systemd unit, or control group"),
        GroupBy::Container => tr!("docker, podman, containerd, cri-o"),
    };
    let mut items: Vec<Item> = GroupBy::ALL
        .iter()
        .map(|(by, word)| Item {
            label: (*word).to_owned(),
            note: help(*by).to_owned(),
            deed: Deed::GroupBy(Some(*by)),
        })
        .collect();
    items.push(Item { label: "none".into(), note: tr!("every process by itself").into(), deed: Deed::GroupBy(None) });
    Menu::new(tr!("group by"), items, 0)
}

/// The themes.
pub(super) fn theme(current: &str) -> Menu {
    let names: Vec<&str> = Theme::names().collect();
    let selected = names.iter().position(|name| *name == current).unwrap_or(0);
    let item =
        |name: &&str| Item { label: (*name).to_owned(), note: String::new(), deed: Deed::Theme((*name).to_owned()) };
    Menu::new(tr!("theme"), names.iter().map(item).collect(), selected)
}

/// Every signal for these targets, TERM first, and TERM with KILL after it.
pub(super) fn signal(targets: &[Target]) -> Menu {
    let title = match targets {
        [one] => tr!(
            "signal to {pid} {command}",
            pid = one.key.pid,
            command = one.command.chars().take(40).collect::<String>()
        ),
        many => tr!("signal to {count} processes", count = many.len()),
    };
    let deed = |signal: Signal, escalate| Deed::Ask(Effect::Signal { targets: targets.to_vec(), signal, escalate });
    let mut items: Vec<Item> = signal::menu()
        .map(|known| Item {
            label: format!("{:>2} SIG{}", known.signal.0, known.name),
            note: tr!(of known.help).to_owned(),
            deed: deed(known.signal, None),
        })
        .collect();
    let escalating = Item {
        label: tr!("   SIGTERM+SIGKILL after {time} s", time = GRACE.as_secs()),
        note: tr!("asks to end; ends who is still there").to_owned(),
        deed: deed(signal::TERM, Some(GRACE)),
    };
    items.insert(1, escalating);
    Menu::new(title, items, 0)
}

/// What drop_caches can free.
pub(super) fn drop_caches() -> Menu {
    let items = [
        (DropLevel::PageCache, tr!("1  page cache"), tr!("file contents that are not dirty")),
        (DropLevel::Slab, tr!("2  dentries and inodes"), tr!("the kernel's memory of names and files")),
        (DropLevel::Both, tr!("3  both"), tr!("all clean caches")),
    ];
    let item = |(level, label, note): (DropLevel, &str, &str)| Item {
        label: label.to_owned(),
        note: note.to_owned(),
        deed: Deed::Ask(Effect::DropCaches(level)),
    };
    Menu::new(tr!("drop caches"), items.into_iter().map(item).collect(), 0)
}

/// Every change of who was chosen, of their control group and of the machine; first what undoes the last one.
pub(super) fn actions(subject: &Subject, undo: Option<Effect>) -> Menu {
    let title = match subject.targets.as_slice() {
        [] => tr!("act on the machine").to_owned(),
        [one] => {
            tr!("act on {pid} {command}", pid = one.key.pid, command = one.command.chars().take(40).collect::<String>())
        }
        many => tr!("act on {count} processes", count = many.len()),
    };
    let undo = undo.map(|effect| Item {
        label: tr!("Undo …").to_owned(),
        note: words::title(&effect),
        deed: Deed::Ask(effect),
    });
    let fits = |on: On| match on {
        On::Process => !subject.targets.is_empty(),
        On::Group => subject.group.is_some(),
        On::Machine => true,
    };
    let changes = CHANGES.iter().filter(|spec| fits(spec.on)).map(|spec| Item {
        label: tr!(of spec.title).to_owned(),
        note: tr!("{on}: {help}", on = tr!(of spec.on.word() => "on"), help = tr!(of spec.help)),
        deed: Deed::Change(spec.change, Some(subject.clone())),
    });
    Menu::new(title, undo.into_iter().chain(changes).collect(), 0)
}
