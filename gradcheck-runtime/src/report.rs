//! The result of a check as a value, and the one place where it is put into words.
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::case::{Case, Dim};
use crate::check::{Checker, Kind, Meta, StateReport};
use crate::compare::Planted;
use crate::deadline::{Stopped, span};
use crate::diagnose::{self, diagnose};
use crate::evidence::{Counts, Evidence, Verdict};
use crate::failure::number;
use crate::gather::Gathered;
use crate::shrink::with_dim;
use crate::style::{Paint, Tone};

#[cfg(test)]
mod tests;

/// The classical grade of a relative difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Up to 1e-7.
    LikelyCorrect,
    /// Up to 1e-5.
    DoubleCheck,
    /// Above 1e-5, up to 1e-3.
    Suspicious,
    /// Above 1e-3, or not a number.
    Worry,
}

impl Grade {
    /// The grade of a difference.
    pub fn of(difference: f64) -> Grade {
        if difference <= 1e-7 {
            Grade::LikelyCorrect
        } else if difference <= 1e-5 {
            Grade::DoubleCheck
        } else if difference <= 1e-3 {
            Grade::Suspicious
        } else {
            Grade::Worry
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Grade::LikelyCorrect => "likely correct (up to 1e-7)",
            Grade::DoubleCheck => "double-check the components (1e-7 to 1e-5)",
            Grade::Suspicious => "suspicious (1e-5 to 1e-3)",
            Grade::Worry => "worry: probably a bug (above 1e-3)",
        })
    }
}

/// Why a check did not pass.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// No state was to be checked at all.
    NoCases,
    /// The first failing state, as small as it could be made.
    State(Box<Found>),
    /// These blocks could hold anything: no state would have shown it.
    NeverExercised(Vec<Unexercised>),
    /// The check was not done when its time was up, and no state had failed.
    TimedOut(Box<Stopped>),
}

/// A block whose gradient no state put to the test.
#[derive(Clone, Debug)]
pub struct Unexercised {
    /// Path of the block.
    pub block: String,
    /// Whether the analytic gradient was zero in every state.
    pub zero: bool,
    /// Whether every component was left undecided in every state.
    pub undecided: bool,
    /// Whether a difference of the forward is far beyond its bound in some state, and no verdict
    /// could be given all the same.
    pub clear: bool,
}

impl Unexercised {
    /// What became of the block in the states that were checked.
    pub fn why(&self) -> &'static str {
        if self.undecided && !self.clear {
            "rounding of the forward hides every component of it, in every state"
        } else if self.zero && self.clear {
            "its gradient is zero in every state, the difference of the forward is not, and no \
             state could tell which is wrong"
        } else if self.zero {
            "its gradient is zero in every state, and so is the difference of the forward"
        } else {
            "a zero or a flipped sign in its place would have passed in every state"
        }
    }
}

/// A failing state.
#[derive(Clone, Debug)]
pub struct Found {
    pub(crate) case: Case,
    /// The numbers.
    pub state: StateReport,
    /// Each draw in a few words.
    pub draws: Vec<(String, String)>,
    /// Simpler cases that were tried.
    pub trials: usize,
    /// Pairs of forward and gradient calls that took.
    pub pairs: usize,
}

#[derive(Clone, Debug)]
struct BlockSummary {
    name: String,
    full_name: String,
    exercised: bool,
    zero: bool,
    undecided: bool,
    clear: bool,
    agreed: bool,
}

impl BlockSummary {
    fn unexercised(&self) -> Unexercised {
        let &BlockSummary { zero, undecided, clear, .. } = self;
        Unexercised { block: self.name.clone(), zero, undecided, clear }
    }
}

/// A state with what the report takes from it. The numbers of a large one that passed are gone:
/// a state of a million parameters is not to wait in memory for the others.
pub(crate) struct Judged {
    state: StateReport,
    wrong: bool,
    counts: Counts,
    difference: f64,
    planted: Planted,
    blocks: Vec<BlockSummary>,
}

impl Judged {
    /// With `keep`, the numbers stay all the same.
    pub(crate) fn new(state: StateReport, keep: bool) -> Judged {
        let (wrong, counts) = (state.is_wrong(), state.counts());
        let difference = state.relative_difference();
        let mut judged = Judged {
            state,
            wrong,
            counts,
            difference,
            planted: Planted::default(),
            blocks: Vec::new(),
        };
        if !wrong {
            judged.planted = judged.state.planted();
            judged.blocks = summaries(&judged.state.evidence, &judged.planted.exercised);
            if !keep && judged.state.evidence.analytic.len() > KEPT_COMPONENTS {
                judged.state.evidence = Evidence::empty();
            }
        }
        judged
    }

    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong
    }

    /// Calls of the forward, alone or with a gradient.
    pub(crate) fn calls(&self) -> usize {
        self.state.forward_calls + self.state.gradient_calls
    }

    /// The classical difference of the whole vector.
    pub(crate) fn relative_difference(&self) -> f64 {
        self.difference
    }
}

fn summaries(evidence: &Evidence, exercised: &[bool]) -> Vec<BlockSummary> {
    let blocks = evidence.blocks.iter().zip(exercised);
    let some = blocks.filter(|(block, _)| !block.range.is_empty());
    // Rounding hides none of these, and they have no verdict.
    let clear = |&i: &usize| {
        matches!(evidence.verdict[i], Verdict::Kink | Verdict::Undecided)
            && evidence.numeric[i].abs() > 10.0 * evidence.bound[i]
    };
    some.map(|(block, &exercised)| {
        let counts = evidence.counts(block.range.clone());
        BlockSummary {
            name: block.name.clone(),
            full_name: block.full_name.clone(),
            exercised,
            zero: evidence.analytic[block.range.clone()].iter().all(|&g| g == 0.0),
            undecided: counts.undecided == block.range.len(),
            clear: block.range.clone().any(|i| clear(&i)),
            agreed: counts.agreed > 0,
        }
    })
    .collect()
}

/// What a check came to.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) function: String,
    pub(crate) kind: Kind,
    pub(crate) module: &'static str,
    test: &'static str,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) manifest_dir: &'static str,
    allow_zero: &'static [&'static str],
    /// The seed that repeats the run.
    pub seed: u64,
    /// States that were judged.
    pub states: usize,
    /// States whose gradient was wrong, or that failed otherwise.
    pub failing_states: usize,
    /// Components by verdict, over all states.
    pub counts: Counts,
    /// Planted faults: caught, and planted.
    pub planted: (usize, usize),
    /// The same for each of [`Planted::KINDS`]: planted, and caught.
    pub planted_by_kind: [(usize, usize); Planted::KINDS.len()],
    /// Calls of the forward alone.
    pub forward_calls: usize,
    /// Calls of the gradient.
    pub gradient_calls: usize,
    /// Largest classical difference among the states that passed.
    pub largest_difference: f64,
    /// Why the check did not pass.
    pub trouble: Option<Trouble>,
    /// What the fault looks like, in words.
    pub diagnosis: Vec<String>,
    /// Wall time.
    pub elapsed: Duration,
    /// The file that keeps the failing case.
    pub saved: Option<PathBuf>,
    /// What a page shows beyond all this, where one is asked for.
    pub(crate) gathered: Option<Box<Gathered>>,
    blocks: Vec<BlockSummary>,
    pub(crate) notes: BTreeSet<String>,
    failing: Vec<(Case, StateReport)>,
    passing: Vec<Evidence>,
}

/// Failing states that are kept for the diagnosis whatever their size.
const KEPT: usize = 1;
/// Components up to which more failing states are kept, and passing ones.
const KEPT_COMPONENTS: usize = 100_000;
/// Failing states that are looked at before their training, too.
const BEFORE_TRAINING: usize = 6;
/// Rows of blocks and of components that are printed.
const ROWS: usize = 12;
/// Findings of the diagnosis that are printed.
const FINDINGS: usize = 6;
/// Names that a line lists.
const LISTED: usize = 6;

impl Report {
    pub(crate) fn new(meta: &Meta, kind: Kind, seed: u64) -> Report {
        Report {
            function: match meta.type_name {
                Some(name) => format!("{name}::{}", meta.function),
                None => meta.function.to_owned(),
            },
            kind,
            module: meta.module,
            test: meta.test,
            file: meta.file,
            line: meta.line,
            manifest_dir: meta.manifest_dir,
            allow_zero: meta.allow_zero,
            seed,
            states: 0,
            failing_states: 0,
            counts: Counts::default(),
            planted: (0, 0),
            planted_by_kind: Default::default(),
            gathered: None,
            forward_calls: 0,
            gradient_calls: 0,
            largest_difference: 0.0,
            trouble: None,
            diagnosis: Vec::new(),
            elapsed: Duration::ZERO,
            saved: None,
            blocks: Vec::new(),
            notes: BTreeSet::new(),
            failing: Vec::new(),
            passing: Vec::new(),
        }
    }

    /// Takes in the states of one chunk, in their order.
    pub(crate) fn add(&mut self, results: Vec<(Case, Judged)>) {
        for (case, judged) in results {
            let Judged { state, wrong, counts, difference, planted, blocks } = judged;
            self.states += 1;
            self.forward_calls += state.forward_calls;
            self.gradient_calls += state.gradient_calls;
            self.counts += counts;
            self.notes.extend(state.notes.iter().cloned());
            if let Some(gathered) = &mut self.gathered {
                gathered.see(&case, &state);
            }
            let size = state.evidence.analytic.len().max(1);
            if wrong {
                self.failing_states += 1;
                if self.trouble.is_none() {
                    let found = Found::new(case.clone(), state.clone());
                    self.trouble = Some(Trouble::State(Box::new(found)));
                }
                if self.failing.len() < KEPT.max(KEPT_COMPONENTS / size) {
                    self.failing.push((case, state));
                }
                continue;
            }
            self.largest_difference = self.largest_difference.max(difference);
            self.planted.0 += planted.caught;
            self.planted.1 += planted.planted;
            for (all, one) in self.planted_by_kind.iter_mut().zip(planted.by_kind) {
                *all = (all.0 + one.0, all.1 + one.1);
            }
            for block in blocks {
                self.summarise(block);
            }
            if !state.evidence.analytic.is_empty() && self.passing.len() < KEPT_COMPONENTS / size {
                self.passing.push(state.evidence);
            }
        }
    }

    fn summarise(&mut self, block: BlockSummary) {
        match self.blocks.iter_mut().find(|b| b.full_name == block.full_name) {
            Some(known) => {
                known.exercised |= block.exercised;
                known.zero &= block.zero;
                known.undecided &= block.undecided;
                known.clear |= block.clear;
                known.agreed |= block.agreed;
            }
            None => self.blocks.push(block),
        }
    }

    /// What only all states together show.
    pub(crate) fn conclude(&mut self, checker: &Checker<'_>) {
        // A few states may all be unlucky for one block, but not for every block.
        let nothing = self.counts.agreed + self.counts.kinks == 0 && self.planted.0 == 0;
        let enough = self.states >= 4 || nothing;
        if self.trouble.is_none() && self.kind == Kind::RandomInit && enough {
            let unexercised: Vec<Unexercised> = self
                .blocks
                .iter()
                .filter(|b| !b.exercised && !self.is_allowed(b))
                .map(BlockSummary::unexercised)
                .collect();
            if !unexercised.is_empty() {
                self.trouble = Some(Trouble::NeverExercised(unexercised));
            }
        }
        // What looks like noise may be a forward that is not a function.
        if let Some(Trouble::NeverExercised(blocks)) = &self.trouble
            && blocks.iter().any(|block| block.undecided)
        {
            let case = checker.numbered(self.seed, 0);
            if let Some(state) = checker.wavers(&case) {
                self.failing_states += 1;
                self.trouble = Some(Trouble::State(Box::new(Found::new(case, state))));
            }
        }
        let Some(Trouble::State(found)) = &mut self.trouble else { return };
        crate::shrink::shrink(checker, found);
        found.draws = checker.describe(&found.case);
        if found.state.failure.is_none() {
            let (case, shown) = (found.case.clone(), found.state.evidence.clone());
            self.diagnosis = self.diagnosed(checker, &case, shown);
        }
    }

    /// Says what the failing states have in common: first of all the one that is shown, whose
    /// numbers are quoted.
    fn diagnosed(&self, checker: &Checker<'_>, case: &Case, shown: Evidence) -> Vec<String> {
        let judged = self.failing.iter().filter(|(_, state)| state.failure.is_none());
        let others = judged.filter(|(other, _)| other != case);
        let mut states = vec![shown];
        states.extend(others.map(|(_, state)| state.evidence.clone()));
        // The same draws before training: is it wrong there too?
        for (case, _) in
            self.failing.iter().filter(|(case, _)| case.steps > 0).take(BEFORE_TRAINING)
        {
            let before = checker.case(&Case { steps: 0, ..case.clone() });
            if before.failure.is_none() {
                states.push(before.evidence);
            }
        }
        let failing = states.len();
        states.extend(self.passing.iter().cloned());
        let mut diagnosis = diagnose(&states);
        let open = |kind: &diagnose::Kind| {
            matches!(
                kind,
                diagnose::Kind::Unknown
                    | diagnose::Kind::OnlyAtSize { .. }
                    | diagnose::Kind::Components { how: None }
            )
        };
        if diagnosis.findings.iter().any(|f| open(&f.kind)) || !self.passing.is_empty() {
            // The same draws at other sizes may tell.
            states.splice(failing..failing, self.beside(checker, 0, 0));
            diagnosis = diagnose(&states);
        }
        // Of two slices the last is all but the first, and what is wrong otherwise may meet either
        // by chance: others of three or more tell.
        let is_part = |kind: &diagnose::Kind| matches!(kind, diagnose::Kind::PartOfSum { .. });
        if diagnosis.findings.iter().any(|f| is_part(&f.kind)) {
            for others in 0..=2 {
                states.splice(failing..failing, self.beside(checker, others, 3));
            }
            diagnosis = diagnose(&states);
        }
        lines(&diagnosis)
    }

    /// A failing state in which a dimension is `least` or more, the first but so many, with each
    /// such dimension, one at a time, at its least value, one less and one more; no more calls than
    /// the check has taken so far.
    fn beside(&self, checker: &Checker<'_>, but: usize, least: usize) -> Vec<Evidence> {
        let judged = self.failing.iter().filter(|(_, state)| state.failure.is_none());
        let cases: Vec<Case> = judged
            .take(BEFORE_TRAINING)
            .map(|(case, _)| Case { steps: 0, ..case.clone() })
            .collect();
        let dims: Vec<Vec<Dim>> = cases.iter().map(|case| checker.dims(case)).collect();
        let mut calls = 0;
        let mut states = Vec::new();
        for d in 0..dims.first().map_or(0, Vec::len) {
            let is_large = |dims: &Vec<Dim>| dims.get(d).is_some_and(|dim| dim.value >= least);
            let mut large = (0..dims.len()).filter(|&at| is_large(&dims[at]));
            let Some(at) = large.nth(but) else { continue };
            let (case, dim) = (&cases[at], &dims[at][d]);
            let mut sizes = vec![dim.low, dim.value.saturating_sub(1), dim.value + 1];
            sizes.retain(|&size| size != dim.value && (dim.low..=dim.high).contains(&size));
            sizes.dedup();
            for size in sizes {
                if calls >= self.forward_calls {
                    return states;
                }
                let state = checker.case(&with_dim(case, &dim.name, size));
                calls += state.forward_calls;
                if state.failure.is_none() {
                    states.push(state.evidence);
                }
            }
        }
        states
    }

    /// What a page shows beyond the verdict, where one is asked for.
    pub(crate) fn gather(&mut self, checker: &Checker<'_>) {
        if let Some(mut gathered) = self.gathered.take() {
            gathered.finish(checker, self.failing_case());
            self.gathered = Some(gathered);
        }
    }

    /// Makes do with what was known when the time was up.
    pub(crate) fn stop(&mut self, stopped: Stopped) {
        self.elapsed = stopped.limit;
        let Some(Trouble::State(found)) = &mut self.trouble else {
            self.trouble = Some(Trouble::TimedOut(Box::new(stopped)));
            return;
        };
        if found.state.failure.is_none() {
            let mut states = failing_evidence(&self.failing);
            states.extend(self.passing.iter().cloned());
            self.diagnosis = lines(&diagnose(&states));
        }
        self.notes.insert(format!(
            "the time limit of {} was reached while a smaller case was looked for",
            span(stopped.limit)
        ));
        found.draws = stopped.draws;
    }

    fn is_allowed(&self, block: &BlockSummary) -> bool {
        self.allow_zero.iter().any(|allowed| {
            [&block.name, &block.full_name].iter().any(|name| {
                // The parameters of a Jacobian's block are what may be zero in it.
                let name = name.rsplit(" / d ").next().unwrap_or(name);
                name.strip_prefix(allowed)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
        })
    }

    /// The case that the report is about.
    pub(crate) fn failing_case(&self) -> Option<&Case> {
        match &self.trouble {
            Some(Trouble::State(found)) => Some(&found.case),
            _ => None,
        }
    }

    /// Path of the test with the name of its crate, or test file, in front.
    pub(crate) fn full_test_path(&self) -> String {
        format!("{}::{}", self.module, self.test)
    }

    /// Path of the test, as `cargo test` filters it.
    pub(crate) fn test_path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.test),
            None => self.test.to_owned(),
        }
    }

    /// The command that runs the check again.
    pub(crate) fn replay(&self) -> String {
        let test = self.test_path();
        if self.failing_case().is_some_and(|case| case.seed != self.seed) {
            // A case kept from before: the seed of this run leads elsewhere.
            return format!("cargo test {test}");
        }
        format!("GRADCHECK_SEED={} cargo test {test}", self.seed)
    }

    /// The failing states that were kept, first one first.
    pub fn failing(&self) -> impl Iterator<Item = &StateReport> {
        self.failing.iter().map(|(_, state)| state)
    }

    /// States that passed, as contrast.
    pub fn passing(&self) -> &[Evidence] {
        &self.passing
    }

    /// The first line of a failure.
    pub fn headline(&self) -> String {
        let function = &self.function;
        match &self.trouble {
            None => format!("{function}: the gradient agrees"),
            Some(Trouble::NoCases) => format!("{function}: no state was checked (cases = 0)"),
            Some(Trouble::NeverExercised(blocks)) => {
                let names: Vec<&str> =
                    blocks.iter().take(LISTED).map(|b| b.block.as_str()).collect();
                let more = match blocks.len().saturating_sub(LISTED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("{function}: never exercised: {}{more}", names.join(", "))
            }
            Some(Trouble::TimedOut(stopped)) => {
                format!("{function}: not done after {}", span(stopped.limit))
            }
            Some(Trouble::State(found)) => {
                let at = found.place();
                match &found.state.failure {
                    Some(failure) => format!("{function}: {} {at}", failure.title()),
                    None => format!("{function}: the gradient is wrong {at}"),
                }
            }
        }
    }

    /// One line for a check that passed.
    pub fn summary(&self) -> String {
        let Counts { agreed, kinks, undecided, .. } = self.counts;
        let kind = match self.kind {
            Kind::RandomInit => "random initialisations",
            Kind::AfterTraining => "trained states",
        };
        let lost = if undecided * 10 > self.counts.total() {
            "; many are undecided: see `undecided` in the documentation"
        } else {
            ""
        };
        let untested = self.untested();
        let notes: String = self.notes.iter().map(|note| format!("; note: {note}")).collect();
        let largest = match agreed {
            0 => "none".to_owned(),
            _ => format!("{:.1e}", self.largest_difference),
        };
        format!(
            "gradcheck {}: {} {kind}, {} components: {agreed} agree, {kinks} kink, {undecided} \
             undecided; largest difference {largest}; planted faults caught: {} of {}; {} forward \
             calls, {:.2} s{lost}{untested}{notes}",
            self.function,
            self.states,
            self.counts.total(),
            self.planted.0,
            self.planted.1,
            self.forward_calls + self.gradient_calls,
            self.elapsed.as_secs_f64(),
        )
    }

    /// Blocks of which no component agreed in any state. Where training ends in a perfect fit that
    /// is as it should be, and what a fault would do is shown by the random initialisations: so it
    /// is said and does not fail. On a kink a gradient is held against two slopes and no more.
    fn untested(&self) -> String {
        let open: Vec<&BlockSummary> =
            self.blocks.iter().filter(|b| !b.agreed && !self.is_allowed(b)).collect();
        if open.is_empty() {
            return String::new();
        }
        let (at, state, other) = match self.kind {
            Kind::RandomInit => ("at random", "random", "other draws"),
            Kind::AfterTraining => ("after training", "trained", "fewer steps"),
        };
        let why = match open.iter().all(|b| b.undecided && !b.clear) {
            true => "rounding hides it",
            false => "nothing of it agrees, all is on a kink or undecided,",
        };
        let names: Vec<&str> = open.iter().take(LISTED).map(|b| b.name.as_str()).collect();
        let more = if open.len() > LISTED { ", .." } else { "" };
        format!(
            "; NOT TESTED {at}: {}{more} ({why} in every {state} state; {other} would leave \
             something to check)",
            names.join(", ")
        )
    }

    /// The report with or without colour, `width` columns wide.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let mut out = Page::new(colour, width);
        self.write(&mut out);
        out.text
    }

    fn write(&self, out: &mut Page) {
        out.wrapped(&[(Tone::Bad, &self.headline())]);
        out.line(&[(Tone::Faint, &format!("  {}:{}", self.file, self.line))]);
        match &self.trouble {
            None => out.plain(&format!("  {}", self.summary())),
            Some(Trouble::NoCases) => {
                out.plain("  A check of no states proves nothing: set `cases`, or GRADCHECK_CASES, to 1 or more.");
            }
            Some(Trouble::NeverExercised(blocks)) => self.write_unexercised(out, blocks),
            Some(Trouble::TimedOut(stopped)) => write_stopped(out, stopped),
            Some(Trouble::State(found)) => self.write_state(out, found),
        }
        if !self.notes.is_empty() {
            out.blank();
        }
        for note in &self.notes {
            out.plain(&format!("  note: {note}"));
        }
        if self.trouble.is_some() {
            out.blank();
            out.whole(&format!("  run again: {}", self.replay()));
            if let Some(path) = &self.saved {
                out.plain(&format!("  the case is kept, and tried first: {}", path.display()));
            }
        }
    }

    fn write_unexercised(&self, out: &mut Page, blocks: &[Unexercised]) {
        for block in blocks.iter().take(ROWS) {
            out.wrapped(&[
                (Tone::Name, &format!("  {}", block.block)),
                (Tone::Plain, &format!(": {}", block.why())),
            ]);
        }
        if blocks.len() > ROWS {
            out.plain(&format!("  .. and {} more blocks", blocks.len() - ROWS));
        }
        out.blank();
        let first = blocks.first().map_or("..", |b| b.block.as_str());
        out.plain(&format!(
            "  A check that cannot fail proves nothing. Let the forward use the block, or draw \
             states in which it matters; if its gradient is zero by design, say so: \
             `allow_zero({first})`."
        ));
    }

    fn write_state(&self, out: &mut Page, found: &Found) {
        if let Some(failure) = &found.state.failure {
            out.blank();
            for line in failure.to_string().lines() {
                out.plain(&format!("  {line}"));
            }
        } else {
            write_numbers(out, &found.state.evidence, &self.diagnosis);
        }
        if !found.draws.is_empty() {
            out.blank();
            let size = if found.trials > 0 { "smallest" } else { "this" };
            out.plain(&format!("  {size} case:"));
            for (name, value) in found.draws.iter().take(ROWS) {
                out.clipped(&format!("    {name} = {value}"));
            }
            if found.trials > 0 {
                out.plain(&format!(
                    "    found in {} trials, {} pairs of forward and gradient calls",
                    found.trials, found.pairs
                ));
            }
        }
        if found.state.steps > 0 {
            self.write_arrival(out, &found.state.evidence);
        }
        if self.failing_states > 1 || self.states > 1 {
            out.blank();
            out.plain(&format!(
                "  {} of the {} states checked so far fail.",
                self.failing_states, self.states
            ));
        }
    }
}

/// Difference and grade, diagnosis, blocks, worst components.
fn write_numbers(out: &mut Page, evidence: &Evidence, diagnosis: &[String]) {
    let difference = evidence.relative_difference(0..evidence.verdict.len());
    let tolerance = evidence.tolerance.iter().copied().fold(f64::NAN, f64::min);
    let rule = "|g - g~| / (|g| + |g~|)";
    if evidence.verdict.contains(&Verdict::Wrong) && difference <= tolerance {
        // The classical rule would have let this pass, grade and all.
        let worst = (0..evidence.verdict.len())
            .filter(|&i| evidence.verdict[i] == Verdict::Wrong)
            .map(|i| relative(evidence, i))
            .fold(0.0, f64::max);
        out.plain(&format!(
            "  difference {difference:.3e} = {rule} for the whole hides it; {worst:.3e} for the \
             worst component, tolerance {tolerance:.0e}: {}",
            Grade::of(worst),
        ));
    } else {
        out.plain(&format!(
            "  difference {difference:.3e} = {rule}, tolerance {tolerance:.0e}: {}",
            Grade::of(difference),
        ));
    }
    if !diagnosis.is_empty() {
        out.blank();
        out.line(&[(Tone::Good, "  diagnosis, from all failing states")]);
        for line in diagnosis {
            out.plain(&format!("    {line}"));
        }
    }
    out.blank();
    write_blocks(out, evidence);
    if evidence.verdict.contains(&Verdict::Wrong) {
        out.blank();
        write_components(out, evidence);
    }
}

/// `|g - g~| / (|g| + |g~|)` of one component.
pub(crate) fn relative(evidence: &Evidence, i: usize) -> f64 {
    let (g, d) = (evidence.analytic[i], evidence.numeric[i]);
    (g - d).abs() / (g.abs() + d.abs())
}

fn write_blocks(out: &mut Page, evidence: &Evidence) {
    let mut order: Vec<usize> = (0..evidence.blocks.len()).collect();
    let wrong = |&b: &usize| evidence.counts(evidence.blocks[b].range.clone()).wrong;
    if order.len() > ROWS {
        order.sort_by_key(|b| std::cmp::Reverse(wrong(b)));
    }
    // Slopes have looked at these, and the search for wrong ones has passed them by.
    let unmeasured = |range: Range<usize>| {
        let along = !evidence.directions.is_empty();
        let is = |i: &usize| {
            evidence.verdict[*i] == Verdict::Undecided && evidence.bound[*i].is_infinite()
        };
        if along { range.filter(is).count() } else { 0 }
    };
    let any_unmeasured = unmeasured(0..evidence.verdict.len()) > 0;
    let mut head = vec!["block", "shape", "difference", "agree", "kink", "undecided", "wrong"];
    if any_unmeasured {
        head.insert(6, "not singled out");
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<String>>()];
    for &b in order.iter().take(ROWS) {
        let block = &evidence.blocks[b];
        let counts = evidence.counts(block.range.clone());
        let passed_by = unmeasured(block.range.clone());
        let mut row = vec![
            block.name.clone(),
            block.extents(),
            format!("{:.1e}", evidence.relative_difference(block.range.clone())),
            counts.agreed.to_string(),
            counts.kinks.to_string(),
            (counts.undecided - passed_by).to_string(),
            counts.wrong.to_string(),
        ];
        if any_unmeasured {
            row.insert(6, passed_by.to_string());
        }
        rows.push(row);
    }
    out.table(&rows, |row| row.last().is_some_and(|wrong| wrong != "0"));
    if order.len() > ROWS {
        out.plain(&format!("  .. and {} more blocks", order.len() - ROWS));
    }
}

impl StateReport {
    /// The state's verdict, blocks and worst components, with or without colour.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let mut out = Page::new(colour, width);
        if let Some(failure) = &self.failure {
            out.line(&[(Tone::Bad, failure.title())]);
            for line in failure.to_string().lines() {
                out.plain(&format!("  {line}"));
            }
            return out.text;
        }
        let (tone, headline, diagnosis) = match self.is_wrong() {
            true => (Tone::Bad, "the gradient is wrong", diagnose(&[&self.evidence]).to_string()),
            false => (Tone::Name, "the gradient agrees", String::new()),
        };
        out.wrapped(&[(tone, headline)]);
        let diagnosis: Vec<String> = diagnosis.lines().map(str::to_owned).collect();
        write_numbers(&mut out, &self.evidence, &diagnosis);
        out.text
    }
}

impl fmt::Display for StateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false, crate::style::width()))
    }
}

fn write_components(out: &mut Page, evidence: &Evidence) {
    let mut worst: Vec<usize> =
        (0..evidence.verdict.len()).filter(|&i| evidence.verdict[i] == Verdict::Wrong).collect();
    let total = worst.len();
    worst.sort_by(|&a, &b| relative(evidence, b).total_cmp(&relative(evidence, a)).then(a.cmp(&b)));
    worst.truncate(6);
    let mut rows =
        vec![["component", "analytic", "numeric", "bound", "ratio"].map(str::to_owned).to_vec()];
    for i in worst {
        let block = evidence.blocks.iter().find(|b| b.range.contains(&i));
        let path = block.map_or_else(String::new, |b| b.component(i - b.range.start));
        let (g, d) = (evidence.analytic[i], evidence.numeric[i]);
        let ratio = if d == 0.0 { "-".to_owned() } else { number(g / d) };
        let bound = format!("{:.0e}", evidence.bound[i]);
        rows.push(vec![path, number(g), number(d), bound, ratio]);
    }
    out.table(&rows, |_| false);
    if total > 6 {
        out.plain(&format!("  .. and {} more wrong components", total - 6));
    }
}

impl Report {
    /// Where training arrived: the parameters at the failing state, block by block.
    fn write_arrival(&self, out: &mut Page, evidence: &Evidence) {
        if evidence.primal.is_empty() {
            return;
        }
        out.plain("  trained to:");
        for block in evidence.blocks.iter().take(ROWS) {
            let values = &evidence.primal[block.range.clone()];
            let shown: Vec<String> = values.iter().take(8).map(|&v| number(v)).collect();
            let more = if values.len() > 8 { ", .." } else { "" };
            out.clipped(&format!("    {} = [{}{more}]", block.name, shown.join(", ")));
        }
    }
}

/// ` (n = 3, m = 5)`
fn in_brackets(dims: &[(String, usize)]) -> String {
    let dims: Vec<String> = dims.iter().map(|(n, v)| format!("{n} = {v}")).collect();
    if dims.is_empty() { String::new() } else { format!(" ({})", dims.join(", ")) }
}

impl Found {
    fn new(case: Case, state: StateReport) -> Found {
        Found { case, state, draws: Vec::new(), trials: 0, pairs: 0 }
    }

    pub(crate) fn place(&self) -> String {
        let dims = in_brackets(&self.state.dims);
        match self.state.steps {
            0 => format!("at a random initialisation{dims}"),
            1 => format!("after 1 training step{dims}"),
            k => format!("after {k} training steps{dims}"),
        }
    }
}

/// A diagnosis as the report prints it: no more than [`FINDINGS`], each with the state of its numbers.
fn lines(diagnosis: &diagnose::Diagnosis) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in diagnosis.findings.iter().take(FINDINGS) {
        let mut text = finding.to_string();
        if finding.facts.state > 0 {
            // Another state than the one that is shown.
            text += &format!(
                "\n  numbers of another failing state{}",
                in_brackets(&finding.facts.dims)
            );
        }
        lines.extend(text.lines().map(str::to_owned));
    }
    if diagnosis.findings.len() > FINDINGS {
        let more = diagnosis.findings.len() - FINDINGS;
        lines.push(format!("and {more} more findings"));
    }
    lines
}

fn failing_evidence(failing: &[(Case, StateReport)]) -> Vec<Evidence> {
    let judged = failing.iter().filter(|(_, state)| state.failure.is_none());
    judged.map(|(_, state)| state.evidence.clone()).collect()
}

/// What the user's code was doing when the time was up, how far the check had come, and what to
/// do about it.
fn write_stopped(out: &mut Page, stopped: &Stopped) {
    let Stopped { during, running, judged, failing, cases, returned, .. } = stopped;
    let (limit, pace) = (span(stopped.limit), span(stopped.pace()));
    let during = during.unwrap_or("the check itself");
    let state = match stopped.case.as_ref().map_or(0, |case| case.steps) {
        0 => "a random initialisation".to_owned(),
        1 => "a state of 1 training step".to_owned(),
        k => format!("a state of {k} training steps"),
    };
    let state = format!("{state}{}", in_brackets(&stopped.dims));
    let before = match returned {
        0 => "No call of forward or gradient came back".to_owned(),
        1 => format!("1 call of forward or gradient came back, after {pace}"),
        n => format!("{n} calls of forward and gradient came back, {pace} each"),
    };
    out.blank();
    match stopped.is_stuck() {
        true => out.plain(&format!(
            "  Has not returned for the last {} of {limit}: {during}, called at {state}. {before}.",
            span(*running),
        )),
        false => out.plain(&format!(
            "  {before}: the code is slow, and does not hang. Under way: {during}, at {state}."
        )),
    }
    for (name, value) in stopped.draws.iter().take(ROWS) {
        out.clipped(&format!("    {name} = {value}"));
    }
    out.blank();
    let fails = match failing {
        0 => "none of them fails".to_owned(),
        n => format!("{n} of them fail"),
    };
    match (judged, cases) {
        (0, 0) => out.plain("  No state has been judged."),
        (0, cases) => out.plain(&format!("  No state of {cases} has been judged.")),
        (judged, cases) => {
            out.plain(&format!("  {judged} of {cases} states have been judged; {fails}."));
        }
    }
    out.blank();
    if !stopped.is_stuck() {
        if let Some(whole) = stopped.whole() {
            out.plain(&format!("  At this pace the whole check takes {}.", span(whole)));
        }
        out.plain(
            "  For fewer calls: smaller `dims`, `cases = 4`, or `method = Method::Directional { probes: 2 }`; \
             for faster ones: `opt-level = 2` in the profile `test`.",
        );
    }
    out.plain(
        "  For more time: `timeout = Duration::from_secs(3600)`, or GRADCHECK_TIMEOUT=3600 in the \
         environment; 0 is no limit.",
    );
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(crate::style::wanted(), crate::style::width()))
    }
}

/// Text under construction.
struct Page {
    paint: Paint,
    width: usize,
    text: String,
}

impl Page {
    fn new(colour: bool, width: usize) -> Page {
        Page { paint: Paint::new(colour), width: width.max(40), text: String::new() }
    }

    fn line(&mut self, parts: &[(Tone, &str)]) {
        for (tone, text) in parts {
            self.text.push_str(&self.paint.apply(*tone, text));
        }
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line, broken at spaces where it is too long, its continuation indented as it is.
    fn plain(&mut self, text: &str) {
        self.wrapped(&[(Tone::Plain, text)]);
    }

    /// The same in several tones; no colour reaches over the end of a line.
    fn wrapped(&mut self, parts: &[(Tone, &str)]) {
        let first = parts.first().map_or("", |part| part.1);
        let indent = first.len() - first.trim_start().len();
        let mut column = 0;
        for (tone, text) in parts {
            let mut piece = String::new();
            for word in text.split_inclusive(' ') {
                let length = word.trim_end().chars().count();
                if column > indent && column + length > self.width {
                    if piece.is_empty() {
                        let kept = self.text.trim_end_matches(' ').len();
                        self.text.truncate(kept);
                    }
                    self.text.push_str(&self.paint.apply(*tone, piece.trim_end()));
                    self.text.push('\n');
                    self.text.push_str(&" ".repeat(indent));
                    piece.clear();
                    column = indent;
                }
                piece.push_str(word);
                column += word.chars().count();
            }
            self.text.push_str(&self.paint.apply(*tone, &piece));
        }
        self.text.push('\n');
    }

    /// A line that is copied as it stands, however long.
    fn whole(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A line, cut where it is too long.
    fn clipped(&mut self, text: &str) {
        let long = text.chars().count() > self.width;
        let cut: String =
            text.chars().take(if long { self.width - 3 } else { self.width }).collect();
        self.text.push_str(&cut);
        self.text.push_str(if long { " ..\n" } else { "\n" });
    }

    /// Columns as wide as their widest cell; the first is aligned left, the others right.
    fn table(&mut self, rows: &[Vec<String>], bad: impl Fn(&[String]) -> bool) {
        let columns = rows.first().map_or(0, Vec::len);
        let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(self.width / 2);
        }
        for (number, row) in rows.iter().enumerate() {
            let mut line = String::from("  ");
            for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let cell: String = if cell.chars().count() > width {
                    let tail = cell.chars().count() - width + 2;
                    format!("..{}", cell.chars().skip(tail).collect::<String>())
                } else {
                    cell.clone()
                };
                line +=
                    &if c == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            }
            let tone = match number {
                0 => Tone::Faint,
                _ if bad(row) => Tone::Bad,
                _ => Tone::Plain,
            };
            self.line(&[(tone, line.trim_end())]);
        }
    }
}
