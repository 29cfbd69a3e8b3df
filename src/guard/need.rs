//! What has to be read for rules: no more than they need.

use super::measure::{Level, Measure, Whole};
use super::rule::{Rule, Whom};
use super::step::Step;
use crate::model::field::{Source, SourceSet};

/// What has to be read at every look, and what only where the rest does not decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "needs are independent of each other")]
pub struct Needs {
    /// Of every process that a rule may be about.
    pub sources: SourceSet,
    /// Of those alone of which `statm` does not decide.
    pub exact: SourceSet,
    /// Swap by process, where there is any in use.
    pub swap: bool,
    /// Whether who is meant follows from who they are: else every process is read at every look.
    pub is_by_identity: bool,
    /// More of the machine than `/proc/meminfo`.
    pub machine: bool,
    /// The limits of control groups.
    pub cgroups: bool,
    /// What a history of samples says.
    pub history: bool,
}

/// What is known of a process without a look at its memory.
fn identity() -> SourceSet {
    [Source::Key, Source::Identity].into_iter().collect()
}

impl Needs {
    /// What these rules need.
    pub fn of(rules: &[Rule]) -> Self {
        let mut needs = Self { is_by_identity: true, ..Self::default() };
        for rule in rules {
            for test in &rule.tests {
                needs.measure(test.measure);
                if matches!(test.level, Level::Share(_, Whole::Files)) {
                    needs.sources.insert(Source::Limits);
                }
            }
            if let Whom::Filter(query) = &rule.whom {
                let sources = query.sources();
                if sources.without(identity()) != SourceSet::default() {
                    needs.is_by_identity = false;
                    needs.sources.extend(sources);
                    needs.history |= sources.contains(Source::History);
                    needs.swap = true;
                }
            }
            // The biggest is found by private memory.
            needs.swap |= rule.steps.iter().any(Step::takes_targets);
        }
        if needs.history {
            needs.sources.extend([Source::Stat, Source::Fds, Source::Limits].into_iter().collect());
            (needs.swap, needs.machine) = (true, true);
        }
        needs.exact = needs.exact.without(needs.sources);
        needs
    }

    fn measure(&mut self, measure: Measure) {
        match measure {
            Measure::Process(field) => {
                let sources = field.sources();
                let exact = if sources.contains(Source::Rollup) { &mut self.exact } else { &mut self.sources };
                exact.extend(sources);
                self.history |= measure.takes_history();
                self.swap |= matches!(field.key, "footprint" | "private" | "swap" | "swap_pss");
            }
            Measure::Machine(field) => {
                let is_of_meminfo = field.key.starts_with("mem_")
                    || matches!(field.key, "swap_total" | "swap_free" | "swap_used" | "swap_used_percent");
                self.machine |= !is_of_meminfo;
                // It counts them.
                self.is_by_identity &= field.key != "processes";
            }
            Measure::Verdict => self.history = true,
            Measure::Eta => (self.history, self.cgroups) = (true, true),
            Measure::Cgroup => self.cgroups = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::file::parse;

    fn needs(filter: &str, when: &str) -> Needs {
        let text = format!("[[rule]]\nmatch = '{filter}'\nwhen = '{when}'\nthen = 'notify'\n");
        Needs::of(&parse(&text).unwrap().rules)
    }

    #[test]
    fn only_what_the_rules_need_is_read() {
        let footprint = needs("node user=app", "footprint > 400M");
        assert!(footprint.is_by_identity && footprint.swap && !footprint.history && !footprint.machine);
        assert!(footprint.exact.contains(Source::Rollup) && footprint.sources == SourceSet::default());
        let rss = needs("node", "rss > 400M");
        assert!(!rss.swap && !rss.exact.contains(Source::Rollup) && rss.sources.contains(Source::Statm));
        let share = needs("node", "fds > 80%").sources;
        assert!(share.contains(Source::Fds) && share.contains(Source::Limits));
        assert!(!needs("node", "fds > 80").sources.contains(Source::Limits));
        assert!(needs("node", "cgroup > 80%").cgroups && needs("node", "psi_some > 5%").machine);
        assert!(!needs("", "mem_available < 5%").machine);
        let leak = needs("node", "verdict = leaking");
        assert!(leak.history && leak.sources.contains(Source::Fds) && !leak.exact.contains(Source::Rollup));
        assert!(!needs("node rss>5M", "footprint > 400M").is_by_identity);
    }
}
