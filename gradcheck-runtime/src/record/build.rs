//! From the result of a check to its record. What may be of any size is cut here, so that a page
//! stays under a megabyte.
use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    Block, Component, Counts, Drawn, Look, Map, Planted, Record, Shown, Smallest, State, StatesAre,
    Sweep, SweepPoint, Training, VERSION, Values, Verdict,
};
use crate::check::{Kind, StateReport};
use crate::compare;
use crate::diagnose::diagnose;
use crate::evidence::{self, Evidence};
use crate::gather::{Gathered, Look as Seen, Swept};
use crate::report::{Grade, Report, Trouble, relative};

/// Blocks that have a map, and the largest extent of one, where there are few blocks and many.
const MAPS: usize = 24;
const EXTENTS: [(usize, usize); 3] = [(4, 64), (12, 48), (MAPS, 32)];
/// Blocks that are listed.
const BLOCKS: usize = 2_000;
/// Components whose values are listed, all blocks together, and in one block.
const VALUES: usize = 4_096;
const VALUES_OF_A_BLOCK: usize = 1_024;
/// States that are listed.
const STATES: usize = 2_000;
/// Worst components, slopes, draws, and lines of text that are listed.
const ROWS: usize = 8;
const LINES: usize = 40;
/// Characters of a name, and of a text.
const NAME: usize = 120;
const TEXT: usize = 2_000;

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} ..", &text[..end]),
        None => text.to_owned(),
    }
}

fn lines<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<String> {
    lines.take(LINES).map(|line| cut(line, TEXT)).collect()
}

impl From<evidence::Verdict> for Verdict {
    fn from(verdict: evidence::Verdict) -> Verdict {
        match verdict {
            evidence::Verdict::Agrees => Verdict::Agrees,
            evidence::Verdict::Kink => Verdict::Kink,
            evidence::Verdict::Undecided => Verdict::Undecided,
            evidence::Verdict::Wrong => Verdict::Wrong,
        }
    }
}

impl From<evidence::Counts> for Counts {
    fn from(counts: evidence::Counts) -> Counts {
        let evidence::Counts { agreed, kinks, undecided, wrong } = counts;
        Counts { agrees: agreed, kink: kinks, undecided, wrong }
    }
}

impl Report {
    /// The same as plain data, for pages and machines.
    pub fn record(&self) -> Record {
        let mut record = Record {
            version: VERSION,
            made: now(),
            function: cut(&self.function, NAME),
            module: cut(self.module, NAME),
            test: self.test_path(),
            states_are: match self.kind {
                Kind::RandomInit => StatesAre::RandomInit,
                Kind::AfterTraining => StatesAre::AfterTraining,
            },
            file: self.file.to_owned(),
            line: self.line,
            passed: self.trouble.is_none(),
            headline: cut(&self.headline(), TEXT),
            diagnosis: lines(self.diagnosis.iter().map(String::as_str)),
            notes: lines(self.notes.iter().map(String::as_str)),
            seed: self.seed,
            replay: self.replay(),
            kept_in: self.saved.as_ref().map(|path| path.display().to_string()),
            states: self.states,
            failing_states: self.failing_states,
            counts: self.counts.into(),
            difference: self.largest_difference,
            planted: planted(&self.planted_by_kind),
            forward_calls: self.forward_calls,
            gradient_calls: self.gradient_calls,
            seconds: self.elapsed.as_secs_f64(),
            ..Record::default()
        };
        if let Some(gathered) = &self.gathered {
            record.take(gathered);
        }
        match &self.trouble {
            None => {}
            Some(Trouble::NoCases | Trouble::TimedOut(_)) => record.failure = Some(self.headline()),
            Some(Trouble::NeverExercised(blocks)) => {
                let said = blocks.iter().map(|b| format!("{}: {}", cut(&b.block, NAME), b.why()));
                record.unexercised = said.take(ROWS).collect();
                if blocks.len() > ROWS {
                    record.unexercised.push(format!("and {} more", blocks.len() - ROWS));
                }
            }
            Some(Trouble::State(found)) => {
                record.failure = found.state.failure.as_ref().map(|f| cut(&f.to_string(), TEXT));
                let evidence = &found.state.evidence;
                record.difference = match found.state.failure {
                    Some(_) => f64::NAN,
                    None => found.state.relative_difference(),
                };
                record.tolerance = tightest(evidence).unwrap_or(record.tolerance);
                let draws = found.draws.iter().take(ROWS);
                record.smallest = Some(Smallest {
                    place: found.place(),
                    draws: draws
                        .map(|(name, value)| Drawn {
                            name: cut(name, NAME),
                            value: cut(value, TEXT),
                        })
                        .collect(),
                    shrunk: found.trials > 0,
                    worst: worst(evidence),
                });
            }
        }
        record.grade = grade(record.difference, record.failure.is_some());
        record
    }
}

impl StateReport {
    /// The same as plain data, for pages and machines; `function` is the name it goes by.
    pub fn record(&self, function: &str) -> Record {
        let wrong = self.is_wrong();
        let planted_by_kind = self.planted().by_kind;
        let diagnosis = match wrong && self.failure.is_none() {
            true => diagnose(&[&self.evidence]).to_string(),
            false => String::new(),
        };
        let verdict = match (&self.failure, wrong) {
            (Some(failure), _) => failure.title(),
            (None, true) => "the gradient is wrong",
            (None, false) => "the gradient agrees",
        };
        let comparable = self.failure.is_none();
        Record {
            version: VERSION,
            made: now(),
            function: cut(function, NAME),
            states_are: StatesAre::Given,
            passed: !wrong,
            headline: format!("{}: {verdict}", cut(function, NAME)),
            failure: self.failure.as_ref().map(|f| cut(&f.to_string(), TEXT)),
            diagnosis: lines(diagnosis.lines()),
            notes: lines(self.notes.iter().map(String::as_str)),
            states: 1,
            failing_states: usize::from(wrong),
            counts: self.counts().into(),
            difference: if comparable { self.relative_difference() } else { f64::NAN },
            grade: grade(self.relative_difference(), !comparable),
            tolerance: tightest(&self.evidence).unwrap_or(f64::NAN),
            planted: if wrong { Vec::new() } else { planted(&planted_by_kind) },
            forward_calls: self.forward_calls,
            gradient_calls: self.gradient_calls,
            shown: comparable.then(|| shown(&self.evidence)),
            ..Record::default()
        }
    }
}

impl Record {
    fn take(&mut self, gathered: &Gathered) {
        self.page_calls = gathered.calls;
        self.every_state = (gathered.points.iter().take(STATES))
            .map(|point| State {
                steps: point.steps,
                components: point.components,
                difference: point.difference,
                wrong: point.wrong,
            })
            .collect();
        if !gathered.training.is_empty() {
            let cost = if gathered.scalar { "the forward" } else { "half the squared output" };
            let look = |&Seen { step, cost, difference }: &Seen| Look { step, cost, difference };
            self.training = Some(Training {
                cost_is: cost.to_owned(),
                looks: gathered.training.iter().map(look).collect(),
            });
        }
        if let Some((_, evidence)) = &gathered.shown {
            self.tolerance = tightest(evidence).unwrap_or(f64::NAN);
            self.shown = Some(shown(evidence));
            self.sweep = gathered.swept.as_ref().map(|swept| sweep(evidence, swept));
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn grade(difference: f64, incomparable: bool) -> String {
    if incomparable { String::new() } else { Grade::of(difference).to_string() }
}

fn tightest(evidence: &Evidence) -> Option<f64> {
    evidence.tolerance.iter().copied().reduce(f64::min)
}

fn planted(by_kind: &[(usize, usize)]) -> Vec<Planted> {
    (compare::Planted::KINDS.iter().zip(by_kind))
        .filter(|(_, (planted, _))| *planted > 0)
        .map(|(kind, &(planted, caught))| Planted { kind: (*kind).to_owned(), planted, caught })
        .collect()
}

/// Path of a component, as the report prints it.
fn path(evidence: &Evidence, i: usize) -> String {
    let block = evidence.blocks.iter().find(|b| b.range.contains(&i));
    cut(&block.map_or_else(String::new, |b| b.component(i - b.range.start)), NAME)
}

/// The wrong components that are furthest off.
fn worst(evidence: &Evidence) -> Vec<Component> {
    let mut wrong: Vec<usize> = (0..evidence.verdict.len())
        .filter(|&i| evidence.verdict[i] == evidence::Verdict::Wrong)
        .collect();
    wrong.sort_by(|&a, &b| relative(evidence, b).total_cmp(&relative(evidence, a)).then(a.cmp(&b)));
    let component = |&i: &usize| Component {
        path: path(evidence, i),
        analytic: evidence.analytic[i],
        numeric: evidence.numeric[i],
        bound: evidence.bound[i],
        verdict: evidence.verdict[i].into(),
    };
    wrong.iter().take(ROWS).map(component).collect()
}

fn place(evidence: &Evidence) -> String {
    let dims: Vec<String> = evidence.dims.iter().map(|(n, v)| format!("{n} = {v}")).collect();
    let dims = if dims.is_empty() { String::new() } else { format!(" ({})", dims.join(", ")) };
    match evidence.steps {
        0 => format!("as drawn{dims}"),
        1 => format!("after 1 training step{dims}"),
        k => format!("after {k} training steps{dims}"),
    }
}

fn shown(evidence: &Evidence) -> Shown {
    let all = 0..evidence.verdict.len();
    let count = evidence.blocks.len();
    // The worst blocks have a map each, where there is no room for all.
    let mut order: Vec<usize> = (0..count).collect();
    let differences: Vec<f64> =
        evidence.blocks.iter().map(|b| evidence.relative_difference(b.range.clone())).collect();
    order.sort_by(|&a, &b| {
        let wrong = |b: usize| evidence.counts(evidence.blocks[b].range.clone()).wrong > 0;
        let first = wrong(b).cmp(&wrong(a));
        first.then(differences[b].total_cmp(&differences[a])).then(a.cmp(&b))
    });
    let extent = EXTENTS.iter().find(|(most, _)| count <= *most).map_or(32, |(_, extent)| *extent);
    let mapped: Vec<bool> = (0..count).map(|b| order.iter().take(MAPS).any(|&k| k == b)).collect();
    let mut left = VALUES;
    let blocks = (evidence.blocks.iter().enumerate().take(BLOCKS))
        .map(|(b, block)| {
            let size = block.range.len();
            let listed = mapped[b] && size <= VALUES_OF_A_BLOCK.min(left);
            left -= if listed { size } else { 0 };
            Block {
                name: cut(&block.name, NAME),
                shape: block.shape.clone(),
                components: size,
                difference: differences[b],
                tolerance: evidence.tolerance[b],
                counts: evidence.counts(block.range.clone()).into(),
                map: mapped[b].then(|| map(evidence, b, extent)),
                values: listed.then(|| values(evidence, block.range.clone())),
            }
        })
        .collect();
    let slopes = evidence.directions.iter().take(6 * ROWS).map(|slope| {
        let moved = evidence.blocks.iter().find(|b| b.range == slope.range);
        Component {
            path: moved.map_or_else(|| "all blocks".to_owned(), |b| cut(&b.name, NAME)),
            analytic: slope.analytic,
            numeric: slope.numeric,
            bound: slope.bound,
            verdict: slope.verdict.into(),
        }
    });
    Shown {
        place: place(evidence),
        wrong: evidence.counts(all.clone()).wrong > 0 || evidence.wrong_slopes().next().is_some(),
        steps: evidence.steps,
        difference: evidence.relative_difference(all),
        blocks,
        blocks_left_out: count.saturating_sub(BLOCKS),
        slopes: slopes.collect(),
        worst: worst(evidence),
    }
}

fn values(evidence: &Evidence, range: std::ops::Range<usize>) -> Values {
    Values {
        parameter: evidence.primal.get(range.clone()).map_or_else(Vec::new, <[f64]>::to_vec),
        analytic: range.clone().map(|i| evidence.analytic[i]).collect(),
        numeric: range.clone().map(|i| evidence.numeric[i]).collect(),
        bound: range.map(|i| evidence.bound[i]).collect(),
    }
}

/// The grid that a block is drawn on: its first axis by all others, a sequence in rows.
fn grid(shape: &[usize], size: usize, extent: usize) -> (usize, usize) {
    match shape {
        [] | [_] if size <= extent => (1, size),
        [] | [_] => (size.div_ceil(extent), extent),
        [rows, ..] => (*rows, size / (*rows).max(1)),
    }
}

/// What a cell says of a component: the graver letter wins, then the larger difference.
fn letter(evidence: &Evidence, i: usize) -> (usize, char) {
    let alone = evidence.bound[i].is_finite() || evidence.numeric[i] != evidence.analytic[i];
    match evidence.verdict[i] {
        evidence::Verdict::Wrong => (4, 'w'),
        evidence::Verdict::Kink => (3, 'k'),
        _ if !evidence.directions.is_empty() && !alone => (0, 'n'),
        evidence::Verdict::Undecided => (2, 'u'),
        evidence::Verdict::Agrees => (1, 'a'),
    }
}

/// A block's differences on a grid of at most `extent` cells each way.
fn map(evidence: &Evidence, b: usize, extent: usize) -> Map {
    let (block, tolerance) = (&evidence.blocks[b], evidence.tolerance[b]);
    let size = block.range.len();
    let (full_rows, full_columns) = grid(&block.shape, size, extent);
    let each = [full_rows.div_ceil(extent).max(1), full_columns.div_ceil(extent).max(1)];
    let (rows, columns) = (full_rows.div_ceil(each[0]), full_columns.div_ceil(each[1]));
    let mut cells = vec![(0, ' ', 0.0_f64); rows * columns];
    for k in 0..size {
        let i = block.range.start + k;
        let cell = &mut cells[(k / full_columns / each[0]) * columns + k % full_columns / each[1]];
        let (grave, letter) = letter(evidence, i);
        let off = relative(evidence, i);
        let off = match letter {
            'n' => 0.0,
            // Zero beside zero is no difference; a component that agrees beside its block's size
            // only is under the tolerance all the same.
            _ if evidence.analytic[i] == evidence.numeric[i] => 0.0,
            'a' => off.min(tolerance),
            _ => off,
        };
        let larger = off.is_nan() || off > cell.2;
        if cell.1 == ' ' || grave > cell.0 || (grave == cell.0 && larger) {
            *cell = (grave, letter, off);
        }
    }
    Map {
        rows,
        columns,
        each,
        difference: cells.iter().map(|cell| three_digits(cell.2)).collect(),
        verdict: cells.iter().map(|cell| cell.1).collect(),
    }
}

fn three_digits(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

fn sweep(evidence: &Evidence, swept: &Swept) -> Sweep {
    let (i, sweep) = (swept.component, &swept.sweep);
    let analytic = evidence.analytic[i];
    let checked = (evidence.numeric[i], evidence.bound[i]);
    let (numeric, bound) = if checked.1 <= sweep.best.1 { checked } else { sweep.best };
    let block = evidence.blocks.iter().position(|b| b.range.contains(&i)).unwrap_or(0);
    let points = sweep.points.iter().zip(sweep.errors(numeric));
    Sweep {
        path: path(evidence, i),
        analytic,
        numeric,
        bound,
        allowed: evidence.tolerance[block] * (analytic.abs() + numeric.abs()),
        noise: sweep.noise,
        truncation: sweep.truncation(numeric),
        points: points
            .map(|(&(step, slope), (_, error))| SweepPoint { step, slope, error })
            .collect(),
    }
}
