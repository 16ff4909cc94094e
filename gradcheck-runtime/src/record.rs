//! What a check came to, as plain data: what a page shows and a machine reads.
//!
//! `GRADCHECK_REPORT=folder cargo test` writes a page for each generated test, and with the
//! feature `serde` the same as JSON beside it: `folder/<crate>-<module>-<test>.json` is a
//! [`Record`], serialised field by field. Reading one back:
//!
//! ```
//! # #[cfg(feature = "serde")] {
//! use gradcheck_runtime::record::Record;
//! use gradcheck_runtime::{Settings, check_at};
//!
//! let report = check_at(&mut 0.5, &Settings::new(), |t: &f64| t.exp(), |t| -t.exp());
//! let text = serde_json::to_string(&report.record("exp")).unwrap();
//! let record: Record = serde_json::from_str(&text).unwrap();
//! assert_eq!((record.version, record.passed), (1, false));
//! assert!(record.page().starts_with("<!DOCTYPE html>")); // the page, from the data alone
//! # }
//! ```
//!
//! With the feature on, `serde_json` is among the crates of your tests, and may ask for a type where
//! none was needed before: `assert_eq!(array, Array1::<f64>::ones(3))`.
//!
//! # The schema, version 1
//!
//! JSON has no NaN and no infinities: **every number that may be one of these is written as a
//! number where it is finite, and as the string `"NaN"`, `"inf"` or `"-inf"` where it is not**. A
//! seed is a string of decimal digits, for it may exceed 2^53. What may be absent is `null`.
//! Within a version fields are only ever added; readers should ignore those that they do not know.
//!
//! | field | type | meaning |
//! | --- | --- | --- |
//! | `version` | integer | 1 |
//! | `made` | integer | seconds since 1970, UTC |
//! | `function`, `module`, `test` | string | the annotated function, its module path, the test as `cargo test` filters it |
//! | `states_are` | string | `random_init`, `after_training`, or `given` from [`check_at`](crate::check_at) |
//! | `file`, `line` | string, integer | where the attribute stands |
//! | `passed` | boolean | the verdict |
//! | `headline` | string | the verdict in a line |
//! | `failure` | string or null | why there was nothing to compare |
//! | `unexercised` | array of strings | blocks that no state put to the test, and why |
//! | `diagnosis` | array of strings | what the fault looks like, line by line |
//! | `notes` | array of strings | what was odd but harmless |
//! | `seed`, `replay`, `kept_in` | string; string; string or null | seed of the run, the command that repeats it, the file that keeps the failing case |
//! | `states`, `failing_states` | integer | states judged, and those that failed |
//! | `counts` | object | components by verdict over all states: `agrees`, `kink`, `undecided`, `wrong` |
//! | `difference`, `grade`, `tolerance` | number, string, number | `\|g - g~\| / (\|g\| + \|g~\|)` in Euclidean norms: of the smallest failing case, else the largest of all states; its classical grade; what passes |
//! | `planted` | array of `{kind, planted, caught}` | faults planted in the states that passed |
//! | `forward_calls`, `gradient_calls`, `seconds` | integer, integer, number | cost of the check |
//! | `page_calls` | integer | further calls, for `sweep` and `training` |
//! | `every_state` | array of `{steps, components, difference, wrong}` | one entry for each state, at most 2,000; `steps` of training |
//! | `smallest` | object or null | the smallest failing case: `place`, `draws` (array of `{name, value}`), `worst` (array of components), `shrunk` |
//! | `shown` | object or null | the state shown: `place`, `wrong`, `steps`, `difference`, `blocks`, `blocks_left_out`, `slopes`, `worst` |
//! | `sweep` | object or null | one component at many steps: `path`, `analytic`, `numeric`, `bound`, `allowed`, `noise`, `truncation` (number or null), `points` (array of `{step, slope, error}`) |
//! | `training` | object or null | the run that leads to the state shown: `cost_is` (string), `looks` (array of `{step, cost, difference}`) |
//!
//! A component is `{path, analytic, numeric, bound, verdict}`; a slope, where directions were
//! taken in place of components, `{path, analytic, numeric, bound, verdict}` with the blocks that
//! the direction moves. `verdict` is `agrees`, `kink`, `undecided` or `wrong`. A block of `shown` is
//! `{name, shape, components, difference, tolerance, counts, map, values}`. Its `map` (null beyond
//! the first blocks) has `rows` times `columns` cells, row by row: in `difference` the relative
//! differences, to three digits, and in `verdict` a letter each: `a`grees, `k`ink, `u`ndecided,
//! `w`rong, or `n` for not measured by itself; a cell is the worst of `each` components along
//! rows and columns. Its `values` (null in large blocks) hold the numbers themselves, in row-major
//! order: `parameter` (empty where there is none), `analytic`, `numeric`, `bound`.
mod build;
#[cfg(feature = "serde")]
mod number;

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

/// The version of the schema that this crate writes.
pub const VERSION: u32 = 1;

/// What a check came to. See the [module](self) for each field's meaning.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Record {
    pub version: u32,
    pub made: u64,
    pub function: String,
    pub module: String,
    pub test: String,
    pub states_are: StatesAre,
    pub file: String,
    pub line: u32,
    pub passed: bool,
    pub headline: String,
    pub failure: Option<String>,
    pub unexercised: Vec<String>,
    pub diagnosis: Vec<String>,
    pub notes: Vec<String>,
    #[cfg_attr(feature = "serde", serde(with = "number::digits"))]
    pub seed: u64,
    pub replay: String,
    pub kept_in: Option<String>,
    pub states: usize,
    pub failing_states: usize,
    pub counts: Counts,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub difference: f64,
    pub grade: String,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub tolerance: f64,
    pub planted: Vec<Planted>,
    pub forward_calls: usize,
    pub gradient_calls: usize,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub seconds: f64,
    pub page_calls: usize,
    pub every_state: Vec<State>,
    pub smallest: Option<Smallest>,
    pub shown: Option<Shown>,
    pub sweep: Option<Sweep>,
    pub training: Option<Training>,
}

/// How the states of a check are had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum StatesAre {
    /// As they are drawn.
    #[default]
    RandomInit,
    /// Some training steps lead to them.
    AfterTraining,
    /// One state, handed to [`check_at`](crate::check_at).
    Given,
}

/// A verdict on a component or a slope: [`Verdict`](crate::evidence::Verdict).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "the engine's own verdicts say it")]
pub enum Verdict {
    Agrees,
    Kink,
    #[default]
    Undecided,
    Wrong,
}

/// Components by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the engine's own verdicts say it")]
pub struct Counts {
    pub agrees: usize,
    pub kink: usize,
    pub undecided: usize,
    pub wrong: usize,
}

/// Faults of one kind that were planted, and those that would have been caught.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Planted {
    pub kind: String,
    pub planted: usize,
    pub caught: usize,
}

/// One state of the check.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct State {
    pub steps: usize,
    pub components: usize,
    /// NaN where there was nothing to compare.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub difference: f64,
    pub wrong: bool,
}

/// A component, or a slope along a direction.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Component {
    pub path: String,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub analytic: f64,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub numeric: f64,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub bound: f64,
    pub verdict: Verdict,
}

/// A draw in a few words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the name and the value")]
pub struct Drawn {
    pub name: String,
    pub value: String,
}

/// The smallest failing case.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Smallest {
    pub place: String,
    pub draws: Vec<Drawn>,
    /// Whether simpler cases were looked for.
    pub shrunk: bool,
    pub worst: Vec<Component>,
}

/// The state that is shown block by block: of those that fail the one with the most components,
/// else the one with the largest difference.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Shown {
    pub place: String,
    pub wrong: bool,
    pub steps: usize,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub difference: f64,
    pub blocks: Vec<Block>,
    pub blocks_left_out: usize,
    pub slopes: Vec<Component>,
    pub worst: Vec<Component>,
}

/// A named block of components.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Block {
    pub name: String,
    pub shape: Vec<usize>,
    pub components: usize,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub difference: f64,
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub tolerance: f64,
    pub counts: Counts,
    pub map: Option<Map>,
    pub values: Option<Values>,
}

/// A block's relative differences, small enough to be drawn.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Map {
    pub rows: usize,
    pub columns: usize,
    /// Components in a cell, along rows and along columns.
    pub each: [usize; 2],
    #[cfg_attr(feature = "serde", serde(with = "number::many"))]
    pub difference: Vec<f64>,
    pub verdict: String,
}

/// The numbers of a block.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[allow(missing_docs, reason = "the table above says it")]
pub struct Values {
    #[cfg_attr(feature = "serde", serde(with = "number::many"))]
    pub parameter: Vec<f64>,
    #[cfg_attr(feature = "serde", serde(with = "number::many"))]
    pub analytic: Vec<f64>,
    #[cfg_attr(feature = "serde", serde(with = "number::many"))]
    pub numeric: Vec<f64>,
    #[cfg_attr(feature = "serde", serde(with = "number::many"))]
    pub bound: Vec<f64>,
}

/// The central difference of one component at many steps.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct Sweep {
    /// Path of the component.
    pub path: String,
    /// The user's value.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub analytic: f64,
    /// The best numeric value that there is, of the check or of the sweep.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub numeric: f64,
    /// Its error bound.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub bound: f64,
    /// The difference that the tolerance allows.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub allowed: f64,
    /// Standard deviation of the noise in one value of the forward; over the step, the noise in a
    /// difference.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub noise: f64,
    /// The factor c of the truncation error `c h^2`, where the errors show one.
    pub truncation: Option<f64>,
    /// The steps, smallest first.
    pub points: Vec<SweepPoint>,
}

/// A central difference.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct SweepPoint {
    /// Half the distance of its two points.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub step: f64,
    /// The central difference.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub slope: f64,
    /// Its distance from the best numeric value.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub error: f64,
}

/// A training run.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct Training {
    /// What the cost is: `the forward`, or `half the squared output`.
    pub cost_is: String,
    /// States along the run, first and last included.
    pub looks: Vec<Look>,
}

/// One state of a training run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct Look {
    /// Steps taken.
    pub step: usize,
    /// The cost there.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub cost: f64,
    /// The relative difference there; NaN where there was nothing to compare.
    #[cfg_attr(feature = "serde", serde(with = "number::one"))]
    pub difference: f64,
}

impl Record {
    /// The page: one HTML file that needs nothing else, neither scripts nor a network.
    pub fn page(&self) -> String {
        crate::picture::page(self)
    }
}
