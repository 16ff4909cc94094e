//! What kind of fault the numbers show, in words.
//!
//! [`diagnose`] reads the analytic and numeric gradients of the states of one check and looks for
//! a known shape in their difference: a flipped sign, a factor, a transposition, a missing
//! penalty and so on. It speaks only when the evidence fits clearly, and otherwise gives facts.
//!
//! **When a shape fits.** A shape predicts the analytic gradient `g` from the numeric one `g~`.
//! It fits when every usable component lies within its error bound of the prediction, in all
//! failing states of the blocks concerned (one stray in fifty is forgiven in large blocks).
//! A component whose difference `|g - g~|` of size `d` is predicted to within `t` then gives
//! `log2(d / t)` bits of evidence: by chance it would have come that close once in `d / t`
//! times. Each free number of the shape, such as an unknown factor, uses up its best component,
//! and each shape pays for the number of its rivals. At least eight bits must remain. Hence
//! one scalar in one state shows a flipped sign, but no factor of 1.0373. Among the shapes that
//! fit, the one with the most bits left is named, which is the simplest.
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use crate::evidence::{Block, Evidence, Verdict, norm};

/// Bits of evidence that a shape must keep after paying for its freedom: one chance in 256.
const MIN_BITS: f64 = 8.0;
/// No component counts for more bits than this.
const CAP_BITS: f64 = 30.0;
/// Components looked at in one block of one state, beside the wrong ones; a stride spreads them.
const SAMPLE: usize = 1 << 14;
/// Wrong components looked at in one block of one state, beyond the sample.
const SAMPLE_WRONG: usize = 1 << 12;
/// Measured components of a block that are too many to have been searched out one by one.
const SEARCHED_OUT: usize = 128;
/// Paths, blocks or values written out before "..".
const LISTED: usize = 6;
/// Findings written out before "and N more".
const SHOWN: usize = 6;

/// What was found in the failing states of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// One finding for the whole gradient, or one for each group of blocks that are wrong in the
    /// same way, in the order of the parameters; those of unknown shape last. Empty when no
    /// state is wrong.
    pub findings: Vec<Finding>,
    /// Number of states in which something is wrong.
    pub failing: usize,
    /// Number of states looked at.
    pub states: usize,
}

/// One kind of fault, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which part of the gradient is wrong in this way.
    pub place: Place,
    /// What is wrong with it.
    pub kind: Kind,
    /// What the failing states have in common and the others do not, when that is clear and
    /// not already a part of the kind.
    pub only: Option<Only>,
    /// The numbers behind it.
    pub facts: Facts,
}

/// The part of the gradient that a finding is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Every block of it, of two or more.
    Whole,
    /// The blocks of these names; also for a gradient of a single block.
    Blocks(Vec<String>),
    /// Some components of one block.
    Components {
        /// Name of the block.
        block: String,
        /// Paths of the wrong components, at most [`Facts::wrong`] of them; cut short when long.
        paths: Vec<String>,
        /// What the wrong components have in common.
        region: Region,
    },
}

/// What the wrong components of a block have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Region {
    /// They are the same one or few components in every failing state.
    Listed,
    /// Their index along the axis is 0.
    FirstSlice {
        /// The axis, 0 being the outermost.
        axis: usize,
    },
    /// Their index along the axis is the last one.
    LastSlice {
        /// The axis, 0 being the outermost.
        axis: usize,
    },
    /// They are the diagonal of a square matrix.
    Diagonal,
    /// They are all but the diagonal of a square matrix.
    OffDiagonal,
    /// They stand above the diagonal of a square matrix.
    UpperTriangle,
    /// They stand below the diagonal of a square matrix.
    LowerTriangle,
    /// Their parameters are those that are negative.
    NegativeParameter,
    /// Their parameters are those that are positive.
    PositiveParameter,
    /// Their numeric derivatives are those that are negative.
    NegativeNumeric,
    /// Their numeric derivatives are those that are positive.
    PositiveNumeric,
    /// Their parameters are those between two numbers (the extreme ones that were seen).
    Between {
        /// Smallest parameter of a wrong component.
        low: f64,
        /// Largest parameter of a wrong component.
        high: f64,
    },
    /// Nothing that is known.
    Scattered,
}

/// The kind of a fault. `g` is the analytic and `g~` the numeric gradient.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `g = -g~`.
    SignFlipped,
    /// Of complex components, `g = conj(g~)`: the imaginary parts have the opposite sign.
    Conjugated,
    /// `g = K g~`.
    Scaled {
        /// K in the first failing state: analytic / numeric.
        factor: f64,
        /// Standard uncertainty of the factor.
        uncertainty: f64,
        /// What K equals in all failing states; the first is the likeliest.
        follows: Vec<Follows>,
        /// Smallest and largest K, where it differs between the states and follows nothing.
        range: Option<(f64, f64)>,
    },
    /// Each slice along the axis is scaled by a factor of its own.
    ScaledAlongAxis {
        /// The axis, 0 being the outermost.
        axis: usize,
    },
    /// `g = f(p) g~`, component by component, with a function of a parameter.
    ParameterFactor {
        /// Name of the block that holds `p`; for the block itself, its own.
        parameter: String,
        /// The function `f`.
        function: Function,
    },
    /// `g = 0` where `g~` is not.
    Zero,
    /// `g~ = 0` everywhere, and `g` is not: the forward does not depend on the parameter.
    ForwardIgnores,
    /// `g = g~ + k p` with the parameter p.
    MissingTermProportionalToParameter {
        /// k in the first failing state: negative when the analytic side lacks the term.
        factor: f64,
        /// Standard uncertainty of the factor.
        uncertainty: f64,
        /// What the factor times a constant equals, where it varies with a dimension.
        follows: Option<Follows>,
        /// Smallest and largest k, where it differs between the states and follows nothing.
        range: Option<(f64, f64)>,
        /// The term is proportional to the sign of the parameter, as of a penalty on `|p|`.
        sign: bool,
    },
    /// `g = g~ + c` in every component.
    ConstantOffset {
        /// c in the first failing state.
        offset: f64,
        /// Standard uncertainty of the offset.
        uncertainty: f64,
    },
    /// `g = g~ + c` with a c for each slice along the axis.
    OffsetAlongAxis {
        /// The axis, 0 being the outermost.
        axis: usize,
    },
    /// Two axes are exchanged.
    Transposed {
        /// The two axes, 0 being the outermost.
        axes: (usize, usize),
        /// The extents differ: the numbers of the transposed array, read in the shape of the
        /// parameter (row-major taken for column-major).
        reshaped: bool,
    },
    /// The order along the axis is reversed.
    ReversedAlongAxis {
        /// The axis, 0 being the outermost.
        axis: usize,
    },
    /// Each component stands one place too late (or too early) along the axis.
    ShiftedByOne {
        /// The axis, 0 being the outermost.
        axis: usize,
        /// `g[i + 1] = g~[i]`; else `g[i] = g~[i + 1]`.
        late: bool,
    },
    /// The right numbers in another order, which is none of the above.
    Permuted,
    /// The two blocks hold each other's gradient.
    SwappedWith(String),
    /// The block holds the gradient of another block, which has its own or a third one's.
    CopyOf(String),
    /// Along the axis, every slice is the same: one slice of the numeric gradient, or their
    /// mean or sum.
    OneSliceForAll {
        /// The axis, 0 being the outermost.
        axis: usize,
        /// Which one.
        slice: Slice,
    },
    /// `g` is zero in some components where `g~` is not, or the reverse: a mask is wrong.
    ZeroOnSubset {
        /// It is the analytic side that is zero.
        analytic: bool,
    },
    /// `|g|` never exceeds a limit that `|g~|` does: clipped.
    Clipped {
        /// The limit.
        at: f64,
    },
    /// The difference is of the size and randomness of single-precision rounding.
    SinglePrecision,
    /// Some components are wrong and the others right.
    Components {
        /// What is wrong with them, when that has a known shape too.
        how: Option<Box<Kind>>,
    },
    /// NaN or infinite, in a component that is [`Verdict::Wrong`].
    NotFinite,
    /// No known shape, but wrong in trained states only.
    OnlyAfterTraining,
    /// No known shape, but wrong at some sizes only.
    OnlyAtSize {
        /// Name of the dimension.
        dim: String,
        /// The sizes at which it is wrong.
        values: Sizes,
        /// The dimension is an extent of the blocks themselves, not one that is summed over.
        own: bool,
    },
    /// No known shape.
    Unknown,
}

/// A function of a parameter that a component is off by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `p`
    Itself,
    /// `1 / p`
    Inverse,
    /// `p^2`
    Square,
    /// `1 / p^2`
    InverseSquare,
    /// `exp(p)`
    Exp,
    /// `exp(-p)`
    InverseExp,
}

/// The slice that stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// The first one.
    First,
    /// The last one.
    Last,
    /// The mean of all.
    Mean,
    /// The sum of all.
    Sum,
}

/// What sets the failing states apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Only {
    /// They have been trained; the untrained ones agree.
    AfterTraining,
    /// They have certain sizes; the others agree.
    AtSize {
        /// Name of the dimension.
        dim: String,
        /// The sizes at which it is wrong.
        values: Sizes,
    },
}

/// Some values of a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// This one.
    Equal(usize),
    /// This one and all that are larger.
    AtLeast(usize),
    /// This one and all that are smaller.
    AtMost(usize),
}

/// A product of dimensions, their inverses, squares and roots that a factor equals.
#[derive(Clone, Debug, PartialEq)]
pub struct Follows {
    /// A number in front, such as 2, 1/2 or -1.
    pub number: f64,
    /// The factors of the product.
    pub terms: Vec<Term>,
}

/// One factor of a product of dimensions: `(dim + shift)^(halves / 2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Name of the dimension; `len(w)` and `rows(w)`, `columns(w)` are those of a block.
    pub dim: String,
    /// Added to the dimension: 0, or -1 as in `m / (m - 1)`.
    pub shift: i64,
    /// Twice the exponent.
    pub halves: i32,
}

/// The numbers behind a finding. Those of components are of the first failing state in which
/// the place is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Number of states in which the place is wrong.
    pub states: usize,
    /// Path of the component with the largest difference.
    pub worst: String,
    /// Its analytic derivative.
    pub analytic: f64,
    /// Its numeric derivative.
    pub numeric: f64,
    /// Number of wrong components.
    pub wrong: usize,
    /// Number of components that are wrong, agree or stand on a kink; those that only slopes
    /// along directions have looked at are among them.
    pub decided: usize,
    /// Cosine of the angle between the two gradients; NaN when one is zero.
    pub cosine: f64,
    /// `|g| / |g~|` in Euclidean norm.
    pub norm_ratio: f64,
    /// The differences grow with the size of the parameter: correlation of the two above 0.8
    /// in rank, over ten components or more.
    pub grows_with_parameter: bool,
    /// Names of the first few blocks that are right in every state.
    pub right_blocks: Vec<String>,
    /// Bits of evidence that the kind has kept; 0 for an unknown shape.
    pub bits: f64,
}

/// Names the fault that the failing states show.
///
/// `states` are those of one check, failing ones first; passing ones among them serve as
/// contrast. A state fails when a component is [`Verdict::Wrong`], or when a whole block
/// exceeds its tolerance and its bounds. The blocks of different states are matched by
/// [`Block::full_name`]; their shapes may differ. The cost is linear in the number of
/// components, and of large blocks an evenly spread sample is looked at.
pub fn diagnose<E: Borrow<Evidence>>(states: &[E]) -> Diagnosis {
    let parts: Vec<Part<'_>> = states
        .iter()
        .enumerate()
        .flat_map(|(s, e)| {
            let e = e.borrow();
            (0..e.blocks.len()).map(move |b| Part::new(s, e, b))
        })
        .collect();
    let failing: BTreeSet<usize> = parts.iter().filter(|p| p.wrong).map(|p| p.state).collect();
    let wrong: HashSet<&str> = parts.iter().filter(|p| p.wrong).map(|p| p.id()).collect();
    let mut right: Vec<String> = Vec::new();
    for p in parts.iter().filter(|p| p.comps.iter().any(|c| c.n != 0.0)) {
        if !wrong.contains(p.id()) && right.len() <= LISTED && !right.contains(&p.block.name) {
            right.push(p.block.name.clone());
        }
    }
    let mut findings = Search { parts: &parts, failing: &failing, right: &right }.findings();
    findings.sort_by_key(|f| matches!(f.kind, Kind::Unknown));
    Diagnosis { findings, failing: failing.len(), states: states.len() }
}

// ---- The evidence, made ready ------------------------------------------------------------

/// One usable component: finite, bounded, not on a kink, decided.
#[derive(Clone, Copy, Debug)]
struct Comp {
    /// Position in the block.
    i: usize,
    /// Analytic.
    g: f64,
    /// Numeric.
    n: f64,
    /// Parameter; NaN when there is none.
    w: f64,
    /// `|g - n|`
    d: f64,
    /// What rounding and truncation may make of it.
    noise: f64,
    /// What a prediction may miss it by.
    tol: f64,
    /// Relative tolerance of the block.
    tolerance: f64,
    wrong: bool,
}

impl Comp {
    /// The prediction `k n`. What the tolerance lets pass is a part of the prediction: a factor
    /// of 1e-9 is not zero.
    fn times(&self, k: f64) -> (f64, f64) {
        let h = k * self.n;
        let passes = (self.tolerance * h.abs().max(self.g.abs())).min(0.01 * self.d);
        (h, self.noise * k.abs().max(1.0) + passes)
    }
}

/// One block of one state.
struct Part<'a> {
    state: usize,
    evidence: &'a Evidence,
    block: &'a Block,
    /// The block's shape, or its length when the shape does not fit it.
    shape: Vec<usize>,
    start: usize,
    len: usize,
    tolerance: f64,
    /// Largest finite component of either gradient.
    largest: f64,
    has_primal: bool,
    wrong: bool,
    /// The block as a whole exceeds its tolerance, and no component does.
    exceeds: bool,
    wrong_count: usize,
    decided: usize,
    /// Components without a measurement of their own: only slopes along directions have looked
    /// at them, and where those were off, the search has found the wrong ones.
    covered: usize,
    not_finite: Vec<usize>,
    comps: Vec<Comp>,
}

impl<'a> Part<'a> {
    fn new(state: usize, evidence: &'a Evidence, b: usize) -> Self {
        let block = &evidence.blocks[b];
        let total = evidence
            .analytic
            .len()
            .min(evidence.numeric.len())
            .min(evidence.bound.len())
            .min(evidence.verdict.len());
        let start = block.range.start.min(total);
        let len = block.range.end.min(total).saturating_sub(start);
        let product = block.shape.iter().try_fold(1usize, |p, &e| p.checked_mul(e));
        let shape = if product == Some(len) { block.shape.clone() } else { vec![len] };
        let tolerance = evidence.tolerance.get(b).copied().filter(|t| t.is_finite() && *t > 0.0);
        let mut part = Part {
            state,
            evidence,
            block,
            shape,
            start,
            len,
            tolerance: tolerance.unwrap_or(0.0),
            largest: 0.0,
            has_primal: evidence.primal.len() >= start + len && len > 0,
            wrong: false,
            exceeds: false,
            wrong_count: 0,
            decided: 0,
            covered: 0,
            not_finite: Vec::new(),
            comps: Vec::new(),
        };
        part.count();
        part.sample();
        part
    }

    fn count(&mut self) {
        for j in 0..self.len {
            let (g, n, verdict) = self.raw(j);
            for x in [g.abs(), n.abs()] {
                if x.is_finite() && x > self.largest {
                    self.largest = x;
                }
            }
            let unmeasured = self.evidence.bound[self.start + j].is_infinite() && g == n;
            match verdict {
                Verdict::Undecided => {
                    self.covered += usize::from(unmeasured);
                    self.decided += usize::from(unmeasured);
                }
                Verdict::Wrong => {
                    self.wrong_count += 1;
                    self.decided += 1;
                    if !g.is_finite() || !n.is_finite() {
                        self.not_finite.push(j);
                    }
                }
                Verdict::Agrees | Verdict::Kink => {
                    self.decided += 1;
                    self.covered += usize::from(verdict == Verdict::Agrees && !self.usable(j));
                }
            }
        }
        self.wrong = self.wrong_count > 0;
        if !self.wrong {
            let usable = || (0..self.len).filter(|&j| self.usable(j));
            let d = norm(usable().map(|j| self.raw(j).0 - self.raw(j).1));
            let scale =
                norm(usable().map(|j| self.raw(j).0)) + norm(usable().map(|j| self.raw(j).1));
            let bound = norm(usable().map(|j| self.evidence.bound[self.start + j].max(0.0)));
            self.exceeds = self.tolerance > 0.0 && d > self.tolerance * scale && d > 2.0 * bound;
            self.wrong = self.exceeds;
        }
    }

    fn sample(&mut self) {
        let stride = self.len / SAMPLE + 1;
        let mut extra = 0;
        for j in 0..self.len {
            let spread = j % stride == 0;
            let wrong = self.raw(j).2 == Verdict::Wrong;
            let taken = spread || (wrong && extra < SAMPLE_WRONG);
            if taken && let Some(c) = self.comp(j) {
                extra += usize::from(!spread);
                self.comps.push(c);
            }
        }
    }

    fn raw(&self, j: usize) -> (f64, f64, Verdict) {
        let k = self.start + j;
        (self.evidence.analytic[k], self.evidence.numeric[k], self.evidence.verdict[k])
    }

    /// Decided, finite and not on a kink.
    fn usable(&self, j: usize) -> bool {
        let (g, n, verdict) = self.raw(j);
        let bound = self.evidence.bound[self.start + j];
        (g - n).is_finite()
            && bound.is_finite()
            && matches!(verdict, Verdict::Agrees | Verdict::Wrong)
    }

    /// The component at `j`; `None` when nothing can be predicted from it.
    fn comp(&self, j: usize) -> Option<Comp> {
        if j >= self.len {
            return None;
        }
        let (g, n, verdict) = self.raw(j);
        let bound = self.evidence.bound[self.start + j];
        let d = (g - n).abs();
        let undecided = matches!(verdict, Verdict::Kink | Verdict::Undecided);
        if !d.is_finite() || !bound.is_finite() || bound < 0.0 || undecided {
            return None;
        }
        // The bounds are estimates: a prediction is not refuted by less than three of them.
        let u = self.block.roundoff.abs().min(1e-3);
        let noise = 3.0 * bound + 4.0 * u * (g.abs() + n.abs() + self.largest);
        // What the tolerance lets pass may be off beside the fault, up to a part of the fault.
        let tol = noise + (self.tolerance * g.abs().max(n.abs())).min(0.01 * d);
        let w = if self.has_primal { self.evidence.primal[self.start + j] } else { f64::NAN };
        let wrong = verdict == Verdict::Wrong || (self.exceeds && d > noise);
        let tolerance = self.tolerance;
        Some(Comp { i: j, g, n, w, d, noise, tol, tolerance, wrong })
    }

    /// The numeric derivative at `j` and its noise, as a prediction for component `c`.
    fn partner(&self, c: &Comp, j: usize) -> Option<(f64, f64)> {
        if j == c.i { Some((c.n, c.tol)) } else { self.comp(j).map(|p| (p.n, c.tol + p.noise)) }
    }

    /// What blocks of different states are matched by.
    fn id(&self) -> &'a str {
        &self.block.full_name
    }

    fn path(&self, j: usize) -> String {
        if self.shape == self.block.shape {
            self.block.component(j)
        } else {
            format!("{}[{j}]", self.block.name)
        }
    }

    /// Extent of an axis; 1 for one that this state's block does not have.
    fn extent(&self, axis: usize) -> usize {
        self.shape.get(axis).copied().unwrap_or(1).max(1)
    }

    /// Distance in the block between neighbours along an axis.
    fn stride(&self, axis: usize) -> usize {
        self.shape.iter().skip(axis + 1).product::<usize>().max(1)
    }

    fn index(&self, j: usize, axis: usize) -> usize {
        (j / self.stride(axis)) % self.extent(axis)
    }

    /// Position of the component whose index along `axis` is `to` instead.
    fn moved(&self, j: usize, axis: usize, to: usize) -> usize {
        j - self.index(j, axis) * self.stride(axis) + to * self.stride(axis)
    }

    /// Where the array with two axes exchanged has its component `j` from.
    fn transposed(&self, j: usize, axes: (usize, usize)) -> usize {
        if axes.0.max(axes.1) >= self.shape.len() {
            return j;
        }
        let mut shape = self.shape.clone();
        shape.swap(axes.0, axes.1);
        let mut index = vec![0; shape.len()];
        let mut rest = j;
        for (axis, &extent) in shape.iter().enumerate().rev() {
            index[axis] = rest % extent.max(1);
            rest /= extent.max(1);
        }
        index.swap(axes.0, axes.1);
        index.iter().zip(&self.shape).fold(0, |k, (i, e)| k * e + i)
    }

    /// Parameters of another block of the same state.
    fn primal_of(&self, name: &str) -> Option<&'a [f64]> {
        let block = self.evidence.blocks.iter().find(|b| b.full_name == name)?;
        self.evidence.primal.get(block.range.clone())
    }

    fn dim(&self, name: &str) -> Option<f64> {
        if let Some((_, value)) = self.evidence.dims.iter().find(|(n, _)| n == name) {
            return Some(*value as f64);
        }
        if name.starts_with("len(") {
            return Some(self.len as f64);
        }
        if name.starts_with("rows(") && self.shape.len() == 2 {
            return Some(self.shape[0] as f64);
        }
        if name.starts_with("columns(") && self.shape.len() == 2 {
            return Some(self.shape[1] as f64);
        }
        None
    }

    /// The same block with only the wrong components.
    fn only_wrong(&self) -> Part<'a> {
        Part {
            shape: self.shape.clone(),
            not_finite: Vec::new(),
            comps: self.comps.iter().filter(|c| c.wrong).copied().collect(),
            ..*self
        }
    }
}

// ---- Shapes and their fit ----------------------------------------------------------------

/// Predicts the analytic component, and how far off it may be; `None`: cannot say.
type Predict = Box<dyn Fn(&Part<'_>, &Comp) -> Option<(f64, f64)>>;

/// How often the free number of a shape is chosen anew.
#[derive(Clone, Copy, PartialEq)]
enum Free {
    Never,
    Once,
    EachState,
    /// For each slice along this axis, in each state.
    EachSlice(usize),
}

struct Candidate {
    kind: Kind,
    /// Bits that the choice among rivals costs.
    cost: f64,
    free: Free,
    predict: Predict,
}

struct Found {
    kind: Kind,
    bits: f64,
    cost: f64,
    /// The same prediction holds in the states in which these blocks are right.
    contrast: bool,
}

fn bits(d: f64, tol: f64) -> f64 {
    if tol <= 0.0 {
        return if d > 0.0 { CAP_BITS } else { 0.0 };
    }
    let b = (d / tol).log2();
    if b.is_nan() { 0.0 } else { b.clamp(0.0, CAP_BITS) }
}

/// Components that may miss a prediction, where so many are wrong.
fn allowed(wrong: usize) -> usize {
    if wrong < 12 { 0 } else { 1 + wrong / 50 }
}

/// Bits of evidence for a prediction, less what its free numbers use up; `None` when it does
/// not fit.
fn test(parts: &[&Part<'_>], free: Free, predict: &Predict) -> Option<f64> {
    let mut total = 0.0;
    let mut used: HashMap<(usize, usize), f64> = HashMap::new();
    // Of each block, over the states: its wrong components, those that are explained, and those
    // that miss the prediction.
    let mut blocks: HashMap<&str, (usize, usize, usize)> = HashMap::new();
    for part in parts {
        let wrong = part.comps.iter().filter(|c| c.wrong).count();
        blocks.entry(part.id()).or_insert((0, 0, 0)).0 += wrong;
    }
    for (p, part) in parts.iter().enumerate() {
        let of_block = blocks.entry(part.id()).or_insert((0, 0, 0));
        for c in &part.comps {
            match predict(part, c) {
                None => {}
                Some((h, tol)) if (c.g - h).abs() <= tol => {
                    of_block.1 += usize::from(c.wrong);
                    let b = bits(c.d, tol);
                    total += b;
                    let key = match free {
                        Free::Never => continue,
                        Free::Once => (0, 0),
                        Free::EachState => (part.state, 0),
                        Free::EachSlice(axis) => (p, part.index(c.i, axis)),
                    };
                    let most = used.entry(key).or_insert(0.0);
                    *most = most.max(b);
                }
                Some(_) => {
                    of_block.2 += 1;
                    if of_block.2 > allowed(of_block.0) {
                        return None;
                    }
                }
            }
        }
    }
    // Kinks among the partners leave components without a prediction, but not most of them.
    if blocks.values().any(|(wrong, explained, _)| 4 * explained < *wrong) {
        return None;
    }
    Some(total - used.values().sum::<f64>())
}

/// `k` and its uncertainty in `y = k x`: a weighted median, refined by least squares over what
/// lies near it. Samples are `(y, x, tolerance of y)`.
fn slope(samples: impl Iterator<Item = (f64, f64, f64)>) -> Option<(f64, f64)> {
    let mut all: Vec<(f64, f64, f64, f64)> = samples
        .filter(|(y, x, t)| y.is_finite() && x.is_finite() && *x != 0.0 && t.is_finite())
        .map(|(y, x, t)| (y / x, y, x, t.max(1e-17 * x.abs()).max(f64::MIN_POSITIVE)))
        .filter(|s| s.0.is_finite())
        .collect();
    if all.is_empty() {
        return None;
    }
    let weight = |s: &(f64, f64, f64, f64)| (s.2.abs() / s.3).clamp(1e-12, 1e4);
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = all.iter().map(weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let median = all
        .iter()
        .find(|s| {
            sum += weight(s);
            sum >= half
        })
        .map_or(all[0].0, |s| s.0);
    let (mut pq, mut pp) = (0.0, 0.0);
    for &(_, y, x, t) in &all {
        if (y - median * x).abs() <= 2.0 * t * median.abs().max(1.0) {
            pq += (y / t) * (x / t);
            pp += (x / t) * (x / t);
        }
    }
    let k = pq / pp;
    // The bounds are three times what is taken for one standard uncertainty.
    let uncertainty = median.abs().max(1.0) / (3.0 * pp.sqrt());
    if k.is_finite() && uncertainty.is_finite() {
        Some((k, uncertainty))
    } else {
        Some((median, f64::EPSILON * median.abs()))
    }
}

/// `k` of each state, and over all of them.
struct Slopes {
    each: BTreeMap<usize, f64>,
    all: (f64, f64),
}

fn slopes(parts: &[&Part<'_>], sample: &dyn Fn(&Comp) -> (f64, f64, f64)) -> Option<Slopes> {
    let all = slope(parts.iter().flat_map(|p| p.comps.iter().map(sample)))?;
    let states: BTreeSet<usize> = parts.iter().map(|p| p.state).collect();
    let each = states
        .into_iter()
        .filter_map(|s| {
            let own = parts.iter().filter(|p| p.state == s);
            slope(own.flat_map(|p| p.comps.iter().map(sample))).map(|k| (s, k.0))
        })
        .collect();
    Some(Slopes { each, all })
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.01 * b.abs()
}

/// Numbers that a factor is known by even in a single component.
const NUMBERS: [(f64, f64); 10] = [
    (2.0, 2.0),
    (0.5, 2.0),
    (-2.0, 3.0),
    (-0.5, 3.0),
    (4.0, 4.0),
    (0.25, 4.0),
    (3.0, 4.0),
    (1.0 / 3.0, 4.0),
    (10.0, 5.0),
    (0.1, 5.0),
];

fn scaled(factor: f64, uncertainty: f64, follows: Vec<Follows>) -> Kind {
    Kind::Scaled { factor, uncertainty, follows, range: None }
}

fn times(k: f64) -> Predict {
    Box::new(move |_, c| Some(c.times(k)))
}

/// `g = K g~`, with K a known number, a product of dimensions, any number, or one that differs
/// between states.
fn scale_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    out.push(Candidate {
        kind: Kind::SignFlipped,
        cost: 0.1,
        free: Free::Never,
        predict: times(-1.0),
    });
    let sample = |c: &Comp| (c.g, c.n, c.tol);
    let Some(Slopes { each, all: (k, uncertainty) }) = slopes(parts, &sample) else { return };
    let Some(&first) = each.values().next() else { return };
    for (number, cost) in NUMBERS {
        if near(k, number) {
            let kind = scaled(number, 0.0, Vec::new());
            out.push(Candidate { kind, cost, free: Free::Never, predict: times(number) });
        }
    }
    if k != 0.0 {
        let kind = scaled(k, uncertainty, Vec::new());
        out.push(Candidate { kind, cost: 1.0, free: Free::Once, predict: times(k) });
    }
    let formulas = formulas(parts);
    for (formula, cost) in &formulas {
        let signed = [1.0, -1.0].into_iter().find_map(|sign| {
            let f = Follows { number: sign * formula.number, terms: formula.terms.clone() };
            let fits = parts.iter().all(|p| match (f.value(p), each.get(&p.state)) {
                (Some(v), Some(&k)) => near(k, v),
                (Some(_), None) => true,
                (None, _) => false,
            });
            fits.then_some((f, sign))
        });
        if let Some((f, sign)) = signed {
            let cost = cost + if sign < 0.0 { 1.0 } else { 0.0 };
            let kind = scaled(f.value(parts[0]).unwrap_or(first), 0.0, vec![f.clone()]);
            let predict: Predict = Box::new(move |p, c| {
                let k = f.value(p)?;
                Some(c.times(k))
            });
            out.push(Candidate { kind, cost, free: Free::Never, predict });
        } else if let Some(c) = common_factor(parts, formula, &each, 3) {
            let f = formula.clone();
            let x = slope(parts.iter().flat_map(|p| {
                let v = formula.value(p).unwrap_or(f64::NAN);
                p.comps.iter().map(move |c| (c.g, v * c.n, c.tol))
            }));
            let k = x.map_or(c, |x| x.0);
            let follows = Follows { number: k * formula.number, terms: formula.terms.clone() };
            let kind = scaled(follows.value(parts[0]).unwrap_or(first), 0.0, vec![follows]);
            let predict: Predict = Box::new(move |p, c| {
                let k = k * f.value(p)?;
                Some(c.times(k))
            });
            out.push(Candidate { kind, cost: cost + 1.0, free: Free::Once, predict });
        }
    }
    if each.len() > 1 && !each.values().all(|&k| k == 0.0) {
        let (low, high) = extremes(each.values());
        let kind = Kind::Scaled {
            factor: first,
            uncertainty: 1e-3 * (high - low),
            follows: Vec::new(),
            range: Some((low, high)),
        };
        let predict: Predict = Box::new(move |p, c| {
            let k = *each.get(&p.state)?;
            Some(c.times(k))
        });
        out.push(Candidate { kind, cost: 2.0, free: Free::EachState, predict });
    }
}

fn extremes<'v>(values: impl Iterator<Item = &'v f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)))
}

/// `c` when `k = c f` in every state, over `least` states or more with differing `f`.
fn common_factor(
    parts: &[&Part<'_>],
    formula: &Follows,
    each: &BTreeMap<usize, f64>,
    least: usize,
) -> Option<f64> {
    let mut pairs: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for p in parts {
        let (Some(f), Some(&k)) = (formula.value(p), each.get(&p.state)) else { continue };
        pairs.insert(p.state, (k, f));
    }
    let &(k, f) = pairs.values().next()?;
    let c = k / f;
    let distinct: BTreeSet<u64> = pairs.values().map(|(_, f)| f.to_bits()).collect();
    (pairs.len() >= least
        && distinct.len() >= 2
        && c.is_finite()
        && c != 0.0
        && pairs.values().all(|(k, f)| near(*k, c * f)))
    .then_some(c)
}

/// `g = g~ + k x` with x the parameter, its sign or 1.
fn term_candidates(parts: &[&Part<'_>], offsets: bool, out: &mut Vec<Candidate>) {
    type X = fn(f64) -> f64;
    let one: X = |_| 1.0;
    let itself: X = |w| w;
    let sign: X = |w| if w > 0.0 { 1.0 } else { -1.0 };
    let mut of: Vec<(X, f64)> = Vec::new();
    if parts.iter().all(|p| p.has_primal) {
        of.extend([(itself, 1.5), (sign, 3.0)]);
    }
    if offsets {
        of.push((one, 2.0));
    }
    for (x, cost) in of {
        let is_offset = x(3.0) == x(-3.0);
        let is_sign = x(3.0) == 1.0;
        let of_sign = is_sign && !is_offset;
        let kind = |factor, uncertainty, follows, range| {
            if is_offset {
                Kind::ConstantOffset { offset: factor, uncertainty }
            } else {
                Kind::MissingTermProportionalToParameter {
                    factor,
                    uncertainty,
                    follows,
                    range,
                    sign: of_sign,
                }
            }
        };
        let sample = move |c: &Comp| (c.g - c.n, x(c.w), c.tol);
        let Some(Slopes { each, all: (k, uncertainty) }) = slopes(parts, &sample) else { continue };
        let Some(&first) = each.values().next() else { continue };
        if each.values().all(|&k| k == 0.0) {
            continue;
        }
        let predict: Predict = Box::new(move |_, c| Some((c.n + k * x(c.w), c.tol)));
        out.push(Candidate {
            kind: kind(k, uncertainty, None, None),
            cost,
            free: Free::Once,
            predict,
        });
        for (formula, extra) in formulas(parts) {
            if is_offset || formula.number != 1.0 || formula.terms.len() > 2 {
                continue;
            }
            let Some(c) = common_factor(parts, &formula, &each, 2) else { continue };
            let k = slope(parts.iter().flat_map(|p| {
                let v = formula.value(p).unwrap_or(f64::NAN);
                p.comps.iter().map(move |c| (c.g - c.n, v * x(c.w), c.tol))
            }))
            .map_or(c, |k| k.0);
            let follows = Follows { number: k, terms: formula.terms.clone() };
            let predict: Predict =
                Box::new(move |p, c| Some((c.n + k * formula.value(p)? * x(c.w), c.tol)));
            out.push(Candidate {
                kind: kind(first, 0.0, Some(follows), None),
                cost: cost + extra,
                free: Free::Once,
                predict,
            });
        }
        if each.len() > 1 {
            let range = extremes(each.values());
            let unc = 1e-3 * (range.1 - range.0);
            let predict: Predict =
                Box::new(move |p, c| Some((c.n + each.get(&p.state)? * x(c.w), c.tol)));
            out.push(Candidate {
                kind: kind(first, unc, None, Some(range)),
                cost: cost + 1.0,
                free: Free::EachState,
                predict,
            });
        }
    }
}

/// The gradient is zero, or the forward does not depend on the parameters.
fn zero_candidates(out: &mut Vec<Candidate>) {
    let predict: Predict =
        Box::new(|_, c| if c.g == 0.0 { Some((0.0, c.tol)) } else { Some((f64::NAN, 0.0)) });
    out.push(Candidate { kind: Kind::Zero, cost: 0.0, free: Free::Never, predict });
    let predict: Predict =
        Box::new(
            |_, c| {
                if c.n.abs() <= c.noise { Some((c.g, c.noise)) } else { Some((f64::NAN, 0.0)) }
            },
        );
    out.push(Candidate { kind: Kind::ForwardIgnores, cost: 1.0, free: Free::Never, predict });
}

/// The other sign of the imaginary parts.
fn complex_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    if parts.iter().all(|p| p.block.complex) {
        let predict: Predict =
            Box::new(|_, c| Some(if c.i % 2 == 1 { c.times(-1.0) } else { c.times(1.0) }));
        out.push(Candidate { kind: Kind::Conjugated, cost: 1.0, free: Free::Never, predict });
    }
}

/// The right numbers in the wrong places of one block.
fn order_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    let rank = parts[0].shape.len();
    if parts.iter().any(|p| p.shape.len() != rank) || rank > 8 {
        return;
    }
    for a in 0..rank {
        for b in a + 1..rank {
            let reshaped = parts.iter().any(|p| p.shape[a] != p.shape[b]);
            let predict: Predict = Box::new(move |p, c| p.partner(c, p.transposed(c.i, (a, b))));
            let kind = Kind::Transposed { axes: (a, b), reshaped };
            let cost = 3.0 + rank as f64 + f64::from(u8::from(reshaped));
            out.push(Candidate { kind, cost, free: Free::Never, predict });
        }
        let cost = 4.0 + (rank as f64).log2();
        let push = |out: &mut Vec<Candidate>, kind, extra, predict| {
            out.push(Candidate { kind, cost: cost + extra, free: Free::Never, predict });
        };
        push(
            out,
            Kind::ReversedAlongAxis { axis: a },
            0.0,
            Box::new(move |p, c| p.partner(c, p.moved(c.i, a, p.extent(a) - 1 - p.index(c.i, a)))),
        );
        if parts.iter().any(|p| p.shape[a] > 2) {
            for late in [true, false] {
                push(
                    out,
                    Kind::ShiftedByOne { axis: a, late },
                    1.0,
                    Box::new(move |p, c| {
                        // What falls off one end may come in at the other, or not at all.
                        let i = p.index(c.i, a);
                        let from = if late {
                            i.checked_sub(1)?
                        } else {
                            Some(i + 1).filter(|i| *i < p.extent(a))?
                        };
                        p.partner(c, p.moved(c.i, a, from))
                    }),
                );
            }
        }
        if parts.iter().all(|p| p.shape[a] <= 4096) {
            for slice in [Slice::First, Slice::Last, Slice::Mean, Slice::Sum] {
                push(
                    out,
                    Kind::OneSliceForAll { axis: a, slice },
                    2.0,
                    Box::new(move |p, c| one_slice(p, c, a, slice)),
                );
            }
        }
        if rank >= 2 {
            along_axis_candidates(parts, a, out);
        }
    }
}

fn one_slice(p: &Part<'_>, c: &Comp, axis: usize, slice: Slice) -> Option<(f64, f64)> {
    let extent = p.extent(axis);
    match slice {
        Slice::First => p.partner(c, p.moved(c.i, axis, 0)),
        Slice::Last => p.partner(c, p.moved(c.i, axis, extent - 1)),
        Slice::Mean | Slice::Sum => {
            let (mut sum, mut tol) = (0.0, c.tol);
            for i in 0..extent {
                let other = p.comp(p.moved(c.i, axis, i))?;
                sum += other.n;
                tol += other.noise;
            }
            let divide = if slice == Slice::Mean { extent as f64 } else { 1.0 };
            Some((sum / divide, tol))
        }
    }
}

/// A factor, or an offset, for each slice along an axis.
fn along_axis_candidates(parts: &[&Part<'_>], axis: usize, out: &mut Vec<Candidate>) {
    let mut groups: HashMap<(usize, usize), Vec<Comp>> = HashMap::new();
    for p in parts {
        if p.shape[axis] < 2 || p.len / p.shape[axis] < 2 {
            return;
        }
        for c in &p.comps {
            groups.entry((p.state, p.index(c.i, axis))).or_default().push(*c);
        }
    }
    let solve = |sample: fn(&Comp) -> (f64, f64, f64)| -> HashMap<(usize, usize), f64> {
        let all = groups.iter();
        all.filter_map(|(key, g)| Some((*key, slope(g.iter().map(sample))?.0))).collect()
    };
    // One factor for some slices and none for the others is a matter of some components.
    let differ = |k: &HashMap<(usize, usize), f64>, neutral: f64| {
        let mut other = k.values().filter(|k| (*k - neutral).abs() > 1e-3);
        other.next().is_some_and(|first| other.any(|k| !near(*k, *first)))
    };
    let scales = solve(|c| (c.g, c.n, c.tol));
    let offsets = solve(|c| (c.g - c.n, 1.0, c.tol));
    if differ(&scales, 1.0) {
        out.push(Candidate {
            kind: Kind::ScaledAlongAxis { axis },
            cost: 6.0,
            free: Free::EachSlice(axis),
            predict: Box::new(move |p, c| {
                Some(c.times(*scales.get(&(p.state, p.index(c.i, axis)))?))
            }),
        });
    }
    if differ(&offsets, 0.0) {
        out.push(Candidate {
            kind: Kind::OffsetAlongAxis { axis },
            cost: 7.0,
            free: Free::EachSlice(axis),
            predict: Box::new(move |p, c| {
                Some((c.n + offsets.get(&(p.state, p.index(c.i, axis)))?, c.tol))
            }),
        });
    }
}

/// The numeric derivative at a place of the flattened vector, and its noise.
fn numeric(e: &Evidence, at: usize, roundoff: f64) -> Option<(f64, f64)> {
    let (n, bound) = (*e.numeric.get(at)?, *e.bound.get(at)?);
    let decided = matches!(e.verdict.get(at)?, Verdict::Agrees | Verdict::Wrong);
    let usable = n.is_finite() && bound.is_finite() && decided;
    usable.then(|| (n, 3.0 * bound.abs() + 4.0 * roundoff * n.abs()))
}

/// The block holds another block's gradient.
fn copy_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    let blocks = &parts[0].evidence.blocks;
    if blocks.len() > 256 {
        return;
    }
    let cost = 3.0 + (blocks.len() as f64).log2();
    for other in blocks.iter().filter(|b| b.full_name != parts[0].id()) {
        let at: HashMap<usize, usize> = parts
            .iter()
            .filter_map(|p| {
                let same = |b: &&Block| b.full_name == other.full_name && b.range.len() == p.len;
                Some((p.state, p.evidence.blocks.iter().find(same)?.range.start))
            })
            .collect();
        if at.len() < parts.len() {
            continue;
        }
        let predict: Predict = Box::new(move |p, c| {
            let (n, noise) = numeric(p.evidence, at.get(&p.state)? + c.i, p.block.roundoff)?;
            Some((n, c.tol + noise))
        });
        let kind = Kind::CopyOf(other.name.clone());
        out.push(Candidate { kind, cost, free: Free::Never, predict });
    }
}

impl Function {
    const ALL: [Function; 6] = [
        Function::Itself,
        Function::Inverse,
        Function::Square,
        Function::InverseSquare,
        Function::Exp,
        Function::InverseExp,
    ];

    /// Its value at `p`.
    pub fn value(self, p: f64) -> f64 {
        match self {
            Function::Itself => p,
            Function::Inverse => 1.0 / p,
            Function::Square => p * p,
            Function::InverseSquare => 1.0 / (p * p),
            Function::Exp => p.exp(),
            Function::InverseExp => (-p).exp(),
        }
    }
}

/// Each component is off by a function of its parameter, or of another block's.
fn factor_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    if !parts.iter().all(|p| p.has_primal) {
        return;
    }
    let own = parts[0].block;
    let mut of: Vec<(&Block, Function)> = Function::ALL.map(|f| (own, f)).to_vec();
    for other in parts[0].evidence.blocks.iter().take(64) {
        if other.full_name != own.full_name {
            of.extend([(other, Function::Itself), (other, Function::Inverse)]);
        }
    }
    let cost = 3.0 + (of.len() as f64).log2();
    for (block, function) in of {
        let name = block.full_name.clone();
        let predict: Predict = Box::new(move |p, c| {
            let values = p.primal_of(&name)?;
            let v = if values.len() == p.len {
                values[c.i]
            } else if let [v] = values {
                *v
            } else {
                let axis = p.shape.iter().rposition(|&e| e == values.len())?;
                values[p.index(c.i, axis)]
            };
            let k = function.value(v);
            Some(c.times(k))
        });
        let kind = Kind::ParameterFactor { parameter: block.name.clone(), function };
        out.push(Candidate { kind, cost, free: Free::Never, predict });
    }
}

fn clip_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    let at = parts.iter().flat_map(|p| &p.comps).fold(0.0_f64, |m, c| m.max(c.g.abs()));
    if at > 0.0 {
        let predict: Predict = Box::new(move |_, c| Some((c.n.clamp(-at, at), c.tol)));
        let kind = Kind::Clipped { at };
        out.push(Candidate { kind, cost: 3.0, free: Free::Once, predict });
    }
}

/// The best shape of a set of blocks. Several blocks share only what no single block's axes
/// or neighbours are needed for.
fn best(parts: &[&Part<'_>], contrast: &[&Part<'_>]) -> Option<Found> {
    // Where most components are unmeasured, and those that are were searched out for being
    // wrong, nothing holds for the whole of a block. Many measured ones are a sample.
    let unseen = |p: &&&Part<'_>| p.wrong && 4 * p.covered > p.len && p.comps.len() < SEARCHED_OUT;
    if parts.iter().all(|p| p.comps.is_empty()) || parts.iter().find(unseen).is_some() {
        return None;
    }
    let single = parts.iter().all(|p| p.id() == parts[0].id());
    let mut candidates = Vec::new();
    zero_candidates(&mut candidates);
    complex_candidates(parts, &mut candidates);
    scale_candidates(parts, &mut candidates);
    term_candidates(parts, single, &mut candidates);
    clip_candidates(parts, &mut candidates);
    if single {
        order_candidates(parts, &mut candidates);
        copy_candidates(parts, &mut candidates);
        factor_candidates(parts, &mut candidates);
    }
    choose(parts, contrast, candidates).or_else(|| single_precision(parts))
}

fn choose(parts: &[&Part<'_>], contrast: &[&Part<'_>], all: Vec<Candidate>) -> Option<Found> {
    let mut fits: Vec<Found> = all
        .into_iter()
        .filter_map(|c| {
            let mut left = test(parts, c.free, &c.predict)?;
            if c.kind.moves_values() {
                let elsewhere = matches!(c.kind, Kind::CopyOf(_));
                left = left.min(distinct_bits(parts, elsewhere, &c.predict));
            }
            left -= c.cost;
            // States in which the blocks are right speak against a shape that would show there.
            let contrast = c.free == Free::EachState
                || contrast.is_empty()
                || test(contrast, Free::Never, &c.predict).is_some();
            (left >= MIN_BITS).then_some(Found { kind: c.kind, bits: left, cost: c.cost, contrast })
        })
        .collect();
    let rank = |f: &Found| f.bits - if f.contrast { 0.0 } else { 6.0 };
    // Of equals the first.
    let at = (0..fits.len()).rev().max_by(|&a, &b| rank(&fits[a]).total_cmp(&rank(&fits[b])))?;
    let mut found = fits.swap_remove(at);
    // A single state cannot tell m from n where both are 5: say both.
    if let Kind::Scaled { factor, follows, range: None, .. } = &mut found.kind {
        for other in &fits {
            if let Kind::Scaled { factor: f, follows: more, range: None, .. } = &other.kind
                && near(*f, *factor)
                && other.contrast >= found.contrast
                && other.cost <= found.cost + 2.5
                && (follows.is_empty() || other.cost <= found.cost + 0.5)
                && follows.len() < 3
            {
                follows.extend(more.iter().cloned());
            }
        }
    }
    Some(found)
}

/// Bits of evidence for values that were found in other places. Each value counts once; one that
/// the block holds many times, as where all derivatives are 0 or 1, is met by chance.
fn distinct_bits(parts: &[&Part<'_>], elsewhere: bool, predict: &Predict) -> f64 {
    let (mut total, mut most, mut repeats) = (0.0, 0.0_f64, false);
    for part in parts {
        let mut fits: Vec<(&Comp, f64, f64)> = part
            .comps
            .iter()
            .filter_map(|c| predict(part, c).map(|(h, tol)| (c, h, tol)))
            .filter(|(c, h, tol)| (c.g - h).abs() <= *tol)
            .collect();
        fits.sort_by(|a, b| a.0.g.total_cmp(&b.0.g));
        // Where the values are taken from.
        let mut values: Vec<f64> = if elsewhere {
            fits.iter().map(|f| f.1).collect()
        } else {
            part.comps.iter().map(|c| c.n).collect()
        };
        values.sort_by(f64::total_cmp);
        let mut noisy: Vec<(f64, f64)> = part.comps.iter().map(|c| (c.n, c.noise)).collect();
        noisy.sort_by(|a, b| a.0.total_cmp(&b.0));
        repeats |= noisy.windows(2).any(|w| w[1].0 - w[0].0 <= w[0].1 + w[1].1);
        let mut last = f64::NAN;
        for (c, h, tol) in fits.into_iter().filter(|f| f.0.wrong) {
            let below = values.partition_point(|v| *v < h - tol);
            let same = values.partition_point(|v| *v <= h + tol).saturating_sub(below);
            let again = (c.g - last).abs() <= tol;
            repeats |= again || same > 1;
            last = c.g;
            if again || c.g == 0.0 {
                continue;
            }
            let by_chance = (values.len() as f64 / same.max(1) as f64).log2().max(0.0);
            let full = bits(c.d, tol);
            let own = if same > 1 { full.min(by_chance) } else { full };
            total += own;
            most = most.max(own);
        }
    }
    // Among values that repeat, one alone may have met its like by chance.
    if repeats { total - most } else { total }
}

/// Errors of the size of single-precision rounding where the parameters are in double.
fn single_precision(parts: &[&Part<'_>]) -> Option<Found> {
    if parts.iter().any(|p| p.block.roundoff > 1e-12) {
        return None;
    }
    let comps = || parts.iter().flat_map(|p| &p.comps).filter(|c| c.n != 0.0);
    let d = norm(comps().map(|c| c.d));
    let size = norm(comps().map(|c| c.n));
    let found = |bits| {
        let kind = Kind::SinglePrecision;
        Some(Found { kind, bits, cost: 2.0, contrast: true })
    };
    if d.is_nan() || size.is_nan() || d > 1e-5 * size {
        return None;
    }
    // Every number is one of single precision, and not for being simple.
    let single = |g: f64| f64::from(g as f32) == g;
    let simple = |g: f64| g.to_bits().trailing_zeros() > 40;
    let rich = comps().filter(|c| !simple(c.g)).count();
    if rich >= 3 && comps().all(|c| single(c.g)) {
        return found(29.0 * rich as f64);
    }
    // Or their errors are all about that large, of either sign, and none stands out.
    let mut relative: Vec<f64> = comps()
        .filter(|c| c.n.abs() >= 1e-3 * size / (parts.len() as f64))
        .map(|c| (c.g - c.n) / c.n)
        .collect();
    let n = relative.len();
    if n < 10 || comps().filter(|c| c.d > c.noise).count() * 10 < 6 * comps().count() {
        return None;
    }
    let positive = relative.iter().filter(|r| **r > 0.0).count();
    relative.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (median, most) = (relative[n / 2].abs(), relative[n - 1].abs());
    let random = 4 * positive >= n && 4 * positive <= 3 * n;
    (random && median > 3e-9 && median < 1e-6 && most < 30.0 * median)
        .then(|| found(n as f64))
        .flatten()
}

// ---- Products of dimensions --------------------------------------------------------------

impl Follows {
    fn of(number: f64, terms: &[(&str, i64, i32)]) -> Self {
        let term =
            |&(dim, shift, halves): &(&str, i64, i32)| Term { dim: dim.to_owned(), shift, halves };
        Follows { number, terms: terms.iter().map(term).collect() }
    }

    fn value(&self, part: &Part<'_>) -> Option<f64> {
        let mut v = self.number;
        for t in &self.terms {
            let base = part.dim(&t.dim)? + t.shift as f64;
            v *= if t.halves % 2 == 0 {
                base.powi(t.halves / 2)
            } else {
                base.sqrt().powi(t.halves)
            };
        }
        (v.is_finite() && v != 0.0).then_some(v)
    }
}

/// The products that are tried, each with its cost in bits.
fn formulas(parts: &[&Part<'_>]) -> Vec<(Follows, f64)> {
    let Some(first) = parts.first() else { return Vec::new() };
    let everywhere = |name: &str| parts.iter().all(|p| p.dim(name).is_some());
    let mut dims: Vec<String> =
        first.evidence.dims.iter().map(|d| d.0.clone()).filter(|d| everywhere(d)).collect();
    dims.truncate(8);
    let drawn = dims.len();
    if parts.iter().all(|p| p.id() == first.id()) {
        let name = &first.block.name;
        let rank = first.shape.len();
        let own: &[&str] = if rank == 2 { &["len", "rows", "columns"] } else { &["len"] };
        for extent in own.iter().map(|o| format!("{o}({name})")) {
            // An extent that is one of the drawn dimensions is better known by that name.
            let known =
                dims[..drawn].iter().any(|d| parts.iter().all(|p| p.dim(d) == p.dim(&extent)));
            if everywhere(&extent) && !known {
                dims.push(extent);
            }
        }
    }
    let simple = 1.0 + (2.0 * dims.len() as f64).log2();
    let mut all: Vec<(Follows, f64)> = Vec::new();
    for (at, d) in dims.iter().enumerate() {
        let cost = simple + if at < drawn { 0.0 } else { 2.0 };
        all.push((Follows::of(1.0, &[(d, 0, 2)]), cost));
        all.push((Follows::of(1.0, &[(d, 0, -2)]), cost));
    }
    let mut rest: Vec<Follows> = Vec::new();
    for d in &dims[..drawn] {
        rest.extend([
            Follows::of(1.0, &[(d, 0, 4)]),
            Follows::of(1.0, &[(d, 0, -4)]),
            Follows::of(1.0, &[(d, 0, 1)]),
            Follows::of(1.0, &[(d, 0, -1)]),
            Follows::of(2.0, &[(d, 0, 2)]),
            Follows::of(2.0, &[(d, 0, -2)]),
            Follows::of(0.5, &[(d, 0, 2)]),
            Follows::of(0.5, &[(d, 0, -2)]),
            Follows::of(1.0, &[(d, 0, 2), (d, -1, -2)]),
            Follows::of(1.0, &[(d, -1, 2), (d, 0, -2)]),
            Follows::of(1.0, &[(d, -1, 2)]),
            Follows::of(1.0, &[(d, -1, -2)]),
        ]);
    }
    for (i, a) in dims[..drawn].iter().enumerate() {
        for (j, b) in dims[..drawn].iter().enumerate().skip(i + 1) {
            rest.extend([
                Follows::of(1.0, &[(a, 0, 2), (b, 0, 2)]),
                Follows::of(1.0, &[(a, 0, -2), (b, 0, -2)]),
                Follows::of(1.0, &[(a, 0, 2), (b, 0, -2)]),
                Follows::of(1.0, &[(b, 0, 2), (a, 0, -2)]),
            ]);
            for c in &dims[j + 1..drawn] {
                rest.extend([
                    Follows::of(1.0, &[(a, 0, 2), (b, 0, 2), (c, 0, 2)]),
                    Follows::of(1.0, &[(a, 0, -2), (b, 0, -2), (c, 0, -2)]),
                ]);
            }
        }
    }
    let cost = (2.0 + (all.len() + rest.len()) as f64).log2() + 1.0;
    all.extend(rest.into_iter().map(|f| (f, cost)));
    // Where a product is 1 in every state it explains nothing.
    all.retain(|(f, _)| parts.iter().any(|p| f.value(p).is_some_and(|v| v != 1.0)));
    all
}

// ---- Some components ---------------------------------------------------------------------

/// `log2` of the chance that `wrong` of `all` fall among `inside` of them.
fn chance_bits(wrong: usize, inside: usize, all: usize) -> f64 {
    (0..wrong.min(10_000))
        .map(|i| ((all - i) as f64 / (inside.saturating_sub(i)).max(1) as f64).log2())
        .sum()
}

/// A block in which some components are wrong and others right.
fn some_components(parts: &[&Part<'_>]) -> Option<(Kind, Region, Vec<String>, f64)> {
    let agree = |p: &Part<'_>| p.comps.iter().filter(|c| !c.wrong).count() + p.covered;
    let mixed = |p: &&Part<'_>| agree(p) > 0 && agree(p) < p.comps.len() + p.covered;
    if parts.is_empty() || !parts.iter().all(mixed) {
        return None;
    }
    let wrong: Vec<Part<'_>> = parts.iter().map(|p| p.only_wrong()).collect();
    let wrong: Vec<&Part<'_>> = wrong.iter().collect();
    let how = how(&wrong);
    if let Some(paths) = listed(parts) {
        let bits = how.as_ref().map_or(0.0, |h| h.bits);
        let how = how.map(|h| Box::new(h.kind));
        return Some((Kind::Components { how }, Region::Listed, paths, bits));
    }
    let region = region(parts);
    let found = region.unwrap_or(Region::Scattered);
    let paths = wrong[0].comps.iter().take(LISTED).map(|c| wrong[0].path(c.i)).collect();
    let count = wrong.iter().map(|p| p.comps.len()).sum::<usize>();
    let right = parts.iter().map(|p| agree(p)).sum::<usize>();
    match how {
        Some(h) if region.is_some() || (count >= 3 && right >= 2) => {
            let kind = match h.kind {
                Kind::Zero => Kind::ZeroOnSubset { analytic: true },
                Kind::ForwardIgnores => Kind::ZeroOnSubset { analytic: false },
                other => Kind::Components { how: Some(Box::new(other)) },
            };
            Some((kind, found, paths, h.bits))
        }
        None if region.is_some() => Some((Kind::Components { how: None }, found, paths, 0.0)),
        _ => None,
    }
}

/// What is wrong with components that are wrong among others that are right.
fn how(wrong: &[&Part<'_>]) -> Option<Found> {
    let mut candidates = Vec::new();
    zero_candidates(&mut candidates);
    scale_candidates(wrong, &mut candidates);
    term_candidates(wrong, true, &mut candidates);
    // With a choice of components, only the plainest of all is said of few.
    candidates.retain(|c| {
        c.free != Free::EachState
            && match &c.kind {
                Kind::Scaled { follows, .. } => follows.is_empty(),
                Kind::MissingTermProportionalToParameter { sign, follows, .. } => {
                    !sign && follows.is_none()
                }
                _ => true,
            }
    });
    choose(wrong, &[], candidates).or_else(|| {
        permuted(wrong).map(|bits| Found { kind: Kind::Permuted, bits, cost: 0.0, contrast: true })
    })
}

/// Paths of the same one or few components, when the wrong ones are always those.
fn listed(parts: &[&Part<'_>]) -> Option<Vec<String>> {
    let mut union: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for p in parts {
        for c in p.comps.iter().filter(|c| c.wrong) {
            let entry = union.entry(p.path(c.i)).or_insert((c.i, 0));
            entry.1 += 1;
            if union.len() > 20 {
                return None;
            }
        }
    }
    let least = parts.iter().map(|p| p.comps.len() + p.covered).min()?;
    let always = union.values().all(|(_, times)| *times == parts.len());
    let few = union.len() <= (least / 4).max(1);
    let clear = least >= 8 && (always || union.len() * 10 <= least) || always && parts.len() >= 3;
    (few && clear).then(|| {
        let mut paths: Vec<(usize, String)> = union.into_iter().map(|(p, (i, _))| (i, p)).collect();
        paths.sort();
        paths.into_iter().map(|p| p.1).collect()
    })
}

/// The region that all wrong components and (nearly) no others stand in.
fn region(parts: &[&Part<'_>]) -> Option<Region> {
    type Inside = Box<dyn Fn(&Part<'_>, &Comp) -> bool>;
    let mut regions: Vec<(Region, f64, Inside)> = Vec::new();
    let rank = parts[0].shape.len();
    if parts.iter().all(|p| p.shape.len() == rank) {
        for axis in 0..rank {
            let first: Inside = Box::new(move |p, c| p.index(c.i, axis) == 0);
            let last: Inside = Box::new(move |p, c| p.index(c.i, axis) + 1 == p.shape[axis]);
            regions.push((Region::FirstSlice { axis }, 0.5, first));
            regions.push((Region::LastSlice { axis }, 0.5, last));
        }
        if rank == 2 && parts.iter().all(|p| p.shape[0] == p.shape[1]) {
            let place = |p: &Part<'_>, c: &Comp| p.index(c.i, 0).cmp(&p.index(c.i, 1));
            regions.push((Region::Diagonal, 0.7, Box::new(move |p, c| place(p, c).is_eq())));
            regions.push((Region::UpperTriangle, 0.7, Box::new(move |p, c| place(p, c).is_lt())));
            regions.push((Region::LowerTriangle, 0.7, Box::new(move |p, c| place(p, c).is_gt())));
            regions.push((Region::OffDiagonal, 0.7, Box::new(move |p, c| place(p, c).is_ne())));
        }
    }
    if parts.iter().all(|p| p.has_primal) {
        regions.push((Region::NegativeParameter, 0.9, Box::new(|_, c| c.w < 0.0)));
        regions.push((Region::PositiveParameter, 0.9, Box::new(|_, c| c.w > 0.0)));
    }
    regions.push((Region::NegativeNumeric, 0.9, Box::new(|_, c| c.n < 0.0)));
    regions.push((Region::PositiveNumeric, 0.9, Box::new(|_, c| c.n > 0.0)));
    let price = 5.0 + (regions.len() as f64).log2();
    let mut best: Option<(f64, Region)> = None;
    for (region, share, inside) in regions {
        let mut total = -price;
        let (mut wrong_all, mut inside_all) = (0, 0);
        let mut holds = true;
        for p in parts {
            let within = p.comps.iter().filter(|c| inside(p, c)).count();
            let wrong = p.comps.iter().filter(|c| c.wrong).count();
            holds &= p.comps.iter().all(|c| !c.wrong || inside(p, c));
            if !holds {
                break;
            }
            total += chance_bits(wrong, within, p.comps.len());
            wrong_all += wrong;
            inside_all += within;
        }
        if holds
            && total > 0.0
            && wrong_all as f64 >= share * inside_all as f64
            && best.as_ref().is_none_or(|b| total > b.0)
        {
            best = Some((total, region));
        }
    }
    best.map(|b| b.1).or_else(|| between(parts))
}

/// The wrong components are those with parameters in an interval.
fn between(parts: &[&Part<'_>]) -> Option<Region> {
    if !parts.iter().all(|p| p.has_primal) {
        return None;
    }
    let comps = || parts.iter().flat_map(|p| &p.comps);
    let wrong: Vec<f64> = comps().filter(|c| c.wrong).map(|c| c.w).collect();
    let (low, high) = extremes(wrong.iter());
    let outside = comps().filter(|c| !c.wrong).all(|c| c.w < low || c.w > high);
    let all = comps().count();
    let evidence: f64 =
        (0..wrong.len()).map(|i| ((all - i) as f64 / (wrong.len() - i) as f64).log2()).sum();
    (outside && low.is_finite() && high.is_finite() && evidence - 2.0 * (all as f64).log2() > 5.0)
        .then_some(Region::Between { low, high })
}

/// The same numbers in another order: bits of evidence.
fn permuted(parts: &[&Part<'_>]) -> Option<f64> {
    let (mut total, mut most) = (0.0, 0.0_f64);
    for p in parts {
        let mut g: Vec<&Comp> = p.comps.iter().collect();
        let mut n: Vec<&Comp> = p.comps.iter().collect();
        g.sort_by(|a, b| a.g.total_cmp(&b.g));
        n.sort_by(|a, b| a.n.total_cmp(&b.n));
        for (to, from) in g.into_iter().zip(n) {
            let tol = if to.i == from.i { to.tol } else { to.tol + from.noise };
            if (to.g - from.n).abs() > tol {
                return None;
            }
            let same = p.comps.iter().filter(|c| (c.n - from.n).abs() <= tol).count();
            let own = if same > 1 || to.g == 0.0 { 0.0 } else { bits(to.d, tol) };
            total += own;
            most = most.max(own);
        }
        // The order itself is what was free to choose.
        total -= (1..=p.comps.len()).map(|i| (i as f64).log2()).sum::<f64>();
    }
    // One value alone may have met its like by chance.
    let left = total - most - 6.0;
    (left >= MIN_BITS).then_some(left)
}

// ---- From blocks to findings -------------------------------------------------------------

/// Blocks that are wrong in the same way.
struct Group<'s> {
    names: Vec<&'s str>,
    kind: Kind,
    bits: f64,
    /// The kind also says why the blocks are right where they are.
    contrast: bool,
    /// What the wrong components of the one block have in common, and their paths.
    some: Option<(Region, Vec<String>)>,
}

impl<'s> Group<'s> {
    fn new(names: Vec<&'s str>, found: Found) -> Self {
        Group { names, kind: found.kind, bits: found.bits, contrast: found.contrast, some: None }
    }

    fn unknown(names: Vec<&'s str>) -> Self {
        Group { names, kind: Kind::Unknown, bits: 0.0, contrast: true, some: None }
    }
}

struct Search<'s, 'a> {
    parts: &'s [Part<'a>],
    failing: &'s BTreeSet<usize>,
    /// Names of the first few blocks that are right in every state.
    right: &'s [String],
}

impl<'s, 'a> Search<'s, 'a> {
    /// The parts of these blocks that are wrong.
    fn wrong(&self, names: &[&str]) -> Vec<&'s Part<'a>> {
        self.parts.iter().filter(|p| p.wrong && names.contains(&p.id())).collect()
    }

    fn right(&self, names: &[&str]) -> Vec<&'s Part<'a>> {
        let right = |p: &&Part<'_>| !p.wrong && !p.comps.is_empty() && names.contains(&p.id());
        self.parts.iter().filter(right).collect()
    }

    fn findings(&self) -> Vec<Finding> {
        let mut names: Vec<&'s str> = Vec::new();
        for p in self.parts.iter().filter(|p| p.wrong) {
            if !names.contains(&p.id()) {
                names.push(p.id());
            }
        }
        if names.is_empty() {
            return Vec::new();
        }
        let mut out = self.not_finite(&names);
        names.retain(|n| {
            let shows = |p: &Part<'_>| p.comps.iter().any(|c| c.wrong);
            let infinite = |p: &Part<'_>| !p.not_finite.is_empty();
            let wrong = self.wrong(&[n]);
            wrong.iter().any(|p| shows(p)) || !wrong.iter().any(|p| infinite(p))
        });
        if names.is_empty() {
            return out;
        }
        for group in self.groups(&names) {
            out.push(self.finding(group));
        }
        out
    }

    /// Blocks gathered by what is wrong with them: all of the gradient, else all wrong blocks,
    /// else block by block.
    fn groups(&self, names: &[&'s str]) -> Vec<Group<'s>> {
        let everything: Vec<&Part<'_>> = self
            .parts
            .iter()
            .filter(|p| self.failing.contains(&p.state) && !p.comps.is_empty())
            .collect();
        let passing: Vec<&Part<'_>> =
            self.parts.iter().filter(|p| !self.failing.contains(&p.state)).collect();
        let several = everything.iter().any(|p| p.id() != everything[0].id());
        if several
            && everything.iter().any(|p| !p.wrong)
            && let Some(found) = best(&everything, &passing)
        {
            let mut all: Vec<&str> = Vec::new();
            for p in self.parts {
                if !all.contains(&p.id()) {
                    all.push(p.id());
                }
            }
            return vec![Group::new(all, found)];
        }
        if names.len() > 1
            && let Some(found) = best(&self.wrong(names), &self.right(names))
        {
            return vec![Group::new(names.to_vec(), found)];
        }
        let mut groups: Vec<Group<'s>> = Vec::new();
        for name in names {
            let group = self.block(name);
            let same = groups.iter_mut().find(|g| {
                g.some.is_none()
                    && group.some.is_none()
                    && g.contrast == group.contrast
                    && same_kind(&g.kind, &group.kind)
            });
            match same {
                Some(home) => {
                    home.names.push(name);
                    home.bits = home.bits.max(group.bits);
                }
                None => groups.push(group),
            }
        }
        self.absorb(&mut groups);
        self.pair_swaps(&mut groups);
        groups
    }

    fn finding(&self, group: Group<'s>) -> Finding {
        let Group { names, kind, bits, contrast, some } = group;
        let facts = self.facts(&names, bits);
        let explained = contrast && !matches!(kind, Kind::Unknown | Kind::Components { .. });
        let only = if explained { None } else { self.only(&names) };
        let all: BTreeSet<&str> = self.parts.iter().filter(|p| p.len > 0).map(|p| p.id()).collect();
        let place = match some {
            Some((region, paths)) => {
                Place::Components { block: self.short(names[0]), paths, region }
            }
            None if names.len() >= 2 && names.len() == all.len() => Place::Whole,
            None => Place::Blocks(names.iter().map(|n| self.short(n)).collect()),
        };
        let (kind, only) = match (kind, only) {
            (Kind::Unknown, Some(Only::AfterTraining)) => (Kind::OnlyAfterTraining, None),
            (Kind::Unknown, Some(Only::AtSize { dim, values })) => {
                let has_it = |p: &&Part<'_>| {
                    let value = p.evidence.dims.iter().find(|d| d.0 == dim).map(|d| d.1);
                    value.is_some_and(|v| p.shape.contains(&v))
                };
                let own = names.iter().any(|n| self.wrong(&[n]).iter().all(has_it));
                (Kind::OnlyAtSize { dim, values, own }, None)
            }
            other => other,
        };
        Finding { place, kind, only, facts }
    }

    /// Name of the block as the report prints it.
    fn short(&self, name: &str) -> String {
        let block = self.parts.iter().find(|p| p.id() == name).map(|p| p.block.name.clone());
        block.unwrap_or_else(|| name.to_owned())
    }

    /// What is wrong with one block.
    fn block(&self, name: &'s str) -> Group<'s> {
        let wrong: Vec<&Part<'_>> =
            self.wrong(&[name]).into_iter().filter(|p| !p.comps.is_empty()).collect();
        if wrong.is_empty() {
            return Group::unknown(vec![name]);
        }
        let right = self.right(&[name]);
        if let Some(found) = best(&wrong, &right) {
            return Group::new(vec![name], found);
        }
        let whole = wrong.iter().all(|p| p.comps.len() == p.len);
        if whole && let Some(bits) = permuted(&wrong) {
            return Group { kind: Kind::Permuted, bits, ..Group::unknown(vec![name]) };
        }
        match some_components(&wrong) {
            Some((kind, region, paths, bits)) => Group {
                names: vec![name],
                kind,
                bits,
                contrast: right.is_empty(),
                some: Some((region, paths)),
            },
            None => Group::unknown(vec![name]),
        }
    }

    /// Blocks too small to show a kind by themselves join one that they fit.
    fn absorb(&self, groups: &mut Vec<Group<'s>>) {
        let Some(at) = groups.iter().position(|g| matches!(g.kind, Kind::Unknown)) else { return };
        if groups[at].names.len() > 32 || groups.len() > 32 {
            return;
        }
        let unknown = groups.remove(at);
        let mut left = Vec::new();
        for name in unknown.names {
            let home = groups.iter_mut().find(|g| {
                let scalable = matches!(
                    g.kind,
                    Kind::Scaled { .. } | Kind::MissingTermProportionalToParameter { .. }
                );
                let names: Vec<&str> = g.names.iter().copied().chain([name]).collect();
                scalable
                    && best(&self.wrong(&names), &[]).is_some_and(|f| same_kind(&f.kind, &g.kind))
            });
            match home {
                Some(group) => group.names.push(name),
                None => left.push(name),
            }
        }
        if !left.is_empty() {
            groups.push(Group::unknown(left));
        }
    }

    /// Two blocks that each hold the other's gradient are swapped.
    fn pair_swaps(&self, groups: &mut Vec<Group<'s>>) {
        let mut i = 0;
        while i < groups.len() {
            let mine = self.short(groups[i].names[0]);
            let partner = groups.iter().position(|g| {
                matches!((&g.kind, &groups[i].kind), (Kind::CopyOf(a), Kind::CopyOf(b))
                    if *a == mine && *b == self.short(g.names[0]))
            });
            if let Some(j) = partner.filter(|&j| j > i) {
                let other = groups.remove(j);
                groups[i].kind = Kind::SwappedWith(self.short(other.names[0]));
                groups[i].names.extend(other.names);
                groups[i].bits += other.bits;
            }
            i += 1;
        }
    }

    fn not_finite(&self, names: &[&str]) -> Vec<Finding> {
        let mut out = Vec::new();
        for name in names {
            let wrong = self.wrong(&[name]);
            let Some(p) = wrong.iter().find(|p| !p.not_finite.is_empty()) else { continue };
            let paths = p.not_finite.iter().take(LISTED).map(|&j| p.path(j)).collect();
            let mut facts = self.facts(&[name], 0.0);
            (facts.analytic, facts.numeric, _) = p.raw(p.not_finite[0]);
            facts.worst = p.path(p.not_finite[0]);
            facts.wrong = p.not_finite.len();
            let block = p.block.name.clone();
            let place = if p.not_finite.len() == p.len {
                Place::Blocks(vec![block])
            } else {
                Place::Components { block, paths, region: Region::Scattered }
            };
            out.push(Finding { place, kind: Kind::NotFinite, only: None, facts });
        }
        out
    }

    fn facts(&self, names: &[&str], bits: f64) -> Facts {
        let wrong = self.wrong(names);
        let states: BTreeSet<usize> = wrong.iter().map(|p| p.state).collect();
        let first: Vec<&Part<'_>> =
            wrong.iter().filter(|p| Some(&p.state) == states.first()).copied().collect();
        let comps = || first.iter().flat_map(|p| p.comps.iter().map(move |c| (*p, c)));
        let worst = comps().max_by(|a, b| a.1.d.total_cmp(&b.1.d));
        let g = norm(comps().map(|c| c.1.g));
        let n = norm(comps().map(|c| c.1.n));
        let cosine = comps().map(|(_, c)| (c.g / g) * (c.n / n)).sum::<f64>().clamp(-1.0, 1.0);
        let sizes: Vec<(f64, f64)> =
            comps().filter(|c| c.1.wrong).map(|(_, c)| (c.d, c.w.abs())).collect();
        Facts {
            states: states.len(),
            worst: worst.map_or_else(String::new, |(p, c)| p.path(c.i)),
            analytic: worst.map_or(f64::NAN, |w| w.1.g),
            numeric: worst.map_or(f64::NAN, |w| w.1.n),
            wrong: first.iter().map(|p| p.wrong_count).sum(),
            decided: first.iter().map(|p| p.decided).sum(),
            cosine,
            norm_ratio: g / n,
            grows_with_parameter: sizes.len() >= 10 && rank_correlation(&sizes) > 0.8,
            right_blocks: self.right.to_vec(),
            bits,
        }
    }

    /// What sets the states apart in which these blocks are wrong.
    fn only(&self, names: &[&str]) -> Option<Only> {
        let wrong = self.wrong(names);
        let failing: BTreeMap<usize, &Evidence> =
            wrong.iter().map(|p| (p.state, p.evidence)).collect();
        let right: BTreeMap<usize, &Evidence> = self
            .right(names)
            .into_iter()
            .filter(|p| !failing.contains_key(&p.state))
            .map(|p| (p.state, p.evidence))
            .collect();
        if failing.is_empty() || right.is_empty() {
            return None;
        }
        let all = failing.len() + right.len();
        let mut best: Option<(f64, Only)> = None;
        let trained = right.values().filter(|e| e.steps > 0).count() + failing.len();
        if failing.values().all(|e| e.steps > 0) && trained < all {
            let evidence = chance_bits(failing.len(), trained, all);
            if evidence > 4.1 {
                best = Some((evidence, Only::AfterTraining));
            }
        }
        let dims = &failing.values().next()?.dims;
        for (dim, _) in dims {
            let value = |e: &&Evidence| e.dims.iter().find(|d| d.0 == *dim).map(|d| d.1);
            let (f, r): (Option<Vec<usize>>, Option<Vec<usize>>) =
                (failing.values().map(value).collect(), right.values().map(value).collect());
            let (Some(f), Some(r)) = (f, r) else { continue };
            let (f_low, f_high) = (*f.iter().min()?, *f.iter().max()?);
            let (r_low, r_high) = (*r.iter().min()?, *r.iter().max()?);
            // At 1 and above 1 are what faults care for; other limits are free to choose.
            let (values, price) = if f_low == f_high && !r.contains(&f_low) {
                (Sizes::Equal(f_low), if f_low == 1 { 0.0 } else { 3.0 })
            } else if r_high < f_low {
                // Of sizes between that were not drawn nothing is known; above 1 is natural.
                if r_high == 1 { (Sizes::AtLeast(2), 0.0) } else { (Sizes::AtLeast(f_low), 3.0) }
            } else if f_high < r_low {
                (Sizes::AtMost(f_high), 3.0)
            } else {
                continue;
            };
            let evidence = chance_bits(f.len(), f.len(), all) - price - (dims.len() as f64).log2();
            if evidence > 5.0 && best.as_ref().is_none_or(|b| evidence > b.0) {
                best = Some((evidence, Only::AtSize { dim: dim.clone(), values }));
            }
        }
        best.map(|b| b.1)
    }
}

/// The same kind, factors and all: blocks of the same kind share a finding.
fn same_kind(a: &Kind, b: &Kind) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-4 * (a - 1.0).abs().min(a.abs());
    match (a, b) {
        (
            Kind::Scaled { factor: f, range: None, .. },
            Kind::Scaled { factor: g, range: None, .. },
        ) => close(*f, *g),
        (
            Kind::MissingTermProportionalToParameter { factor: f, sign: s, range: None, .. },
            Kind::MissingTermProportionalToParameter { factor: g, sign: t, range: None, .. },
        ) => s == t && (f - g).abs() <= 1e-4 * f.abs(),
        (Kind::Scaled { range: Some(_), .. }, Kind::Scaled { range: Some(_), .. }) => true,
        (Kind::Permuted, _) | (Kind::CopyOf(_), _) => false,
        _ => a == b,
    }
}

/// Spearman's correlation of pairs; 0 when one side holds no order.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |value: fn(&(f64, f64)) -> f64| {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by(|&a, &b| value(&pairs[a]).total_cmp(&value(&pairs[b])));
        let mut rank = vec![0.0; pairs.len()];
        for (r, &i) in order.iter().enumerate() {
            rank[i] = r as f64;
        }
        rank
    };
    if pairs.iter().any(|p| !p.0.is_finite() || !p.1.is_finite()) {
        return 0.0;
    }
    let (a, b) = (ranks(|p| p.0), ranks(|p| p.1));
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let product: f64 = a.iter().zip(&b).map(|(a, b)| (a - mean) * (b - mean)).sum();
    let square: f64 = a.iter().map(|a| (a - mean) * (a - mean)).sum();
    if square > 0.0 { product / square } else { 0.0 }
}

// ---- In words ----------------------------------------------------------------------------

/// `x` to so many significant digits, without trailing zeros.
fn digits(x: f64, count: usize) -> String {
    if !x.is_finite() {
        return x.to_string();
    }
    let rounded: f64 = format!("{:.*e}", count.saturating_sub(1), x).parse().unwrap_or(x);
    if rounded == 0.0 || (1e-4..1e6).contains(&rounded.abs()) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

/// A number that is known to `uncertainty`, with as few digits as that allows; near 1 the
/// digits are those of its distance from 1.
fn known(x: f64, uncertainty: f64) -> String {
    let delta = x - 1.0;
    let one = delta != 0.0 && delta.abs() < 0.01;
    let y = if one { delta } else { x };
    let slack = (3.0 * uncertainty).max(1e-9 * y.abs()).min(0.3 * y.abs());
    let fits = |count: &usize| {
        let r: f64 = format!("{:.*e}", count - 1, y).parse().unwrap_or(y);
        (r - y).abs() <= slack
    };
    let count = (1..=6).find(fits).unwrap_or(4);
    if !one {
        return digits(x, count);
    }
    let places = count as f64 - 1.0 - delta.abs().log10().floor();
    let places = if places.is_finite() { places.clamp(2.0, 16.0) as usize } else { 16 };
    let text = format!("{x:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Two numbers with as many digits as it takes to see that they differ.
fn pair(a: f64, b: f64) -> (String, String) {
    let apart = ((a - b).abs() / a.abs().max(b.abs())).log10();
    let count = if apart.is_finite() { (3.0 - apart).clamp(6.0, 17.0) as usize } else { 6 };
    (digits(a, count), digits(b, count))
}

fn list(names: &[String]) -> String {
    let mut text = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text += &format!(" and {} more", names.len() - LISTED);
    }
    text
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match self.shift {
            0 => self.dim.clone(),
            s if s < 0 => format!("({} - {})", self.dim, -s),
            s => format!("({} + {s})", self.dim),
        };
        match self.halves.abs() {
            1 => write!(f, "sqrt({})", base.trim_matches(['(', ')'])),
            2 => write!(f, "{base}"),
            h if h % 2 == 0 => write!(f, "{base}^{}", h / 2),
            h => write!(f, "{base}^({h}/2)"),
        }
    }
}

impl fmt::Display for Follows {
    /// `m`, `1/m`, `-2 m`, `m/(m - 1)`, `1/(m n)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inverse = 1.0 / self.number.abs();
        let under = inverse > 1.5 && inverse < 1e3 && (inverse - inverse.round()).abs() < 1e-12;
        let mut above: Vec<String> = Vec::new();
        let mut below: Vec<String> = Vec::new();
        if under {
            below.push(format!("{}", inverse.round()));
        } else if self.number.abs() != 1.0 {
            above.push(digits(self.number.abs(), 4));
        }
        for term in &self.terms {
            let side = if term.halves > 0 { &mut above } else { &mut below };
            side.push(term.to_string());
        }
        if above.is_empty() {
            above.push("1".to_owned());
        }
        let sign = if self.number < 0.0 { "-" } else { "" };
        write!(f, "{sign}{}", above.join(" "))?;
        match below.as_slice() {
            [] => Ok(()),
            [one] => write!(f, "/{one}"),
            more => write!(f, "/({})", more.join(" ")),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sizes::Equal(v) => write!(f, "= {v}"),
            Sizes::AtLeast(v) => write!(f, ">= {v}"),
            Sizes::AtMost(v) => write!(f, "<= {v}"),
        }
    }
}

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Only::AfterTraining => write!(f, "wrong only after training"),
            Only::AtSize { dim, values } => write!(f, "wrong only where {dim} {values}"),
        }
    }
}

impl Function {
    /// Written as a function of `p`.
    fn of(self, p: &str) -> String {
        match self {
            Function::Itself => p.to_owned(),
            Function::Inverse => format!("1/{p}"),
            Function::Square => format!("{p}^2"),
            Function::InverseSquare => format!("1/{p}^2"),
            Function::Exp => format!("exp({p})"),
            Function::InverseExp => format!("exp(-{p})"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => write!(f, "the whole gradient"),
            Place::Blocks(names) => write!(f, "{}", list(names)),
            Place::Components { block, paths, region } => match region {
                Region::Listed => write!(f, "{}", list(paths)),
                Region::Scattered => {
                    let dots = if paths.len() >= LISTED { ", .." } else { "" };
                    write!(f, "components of {block} ({}{dots})", list(paths))
                }
                Region::FirstSlice { axis } => write!(
                    f,
                    "the first slice along axis {axis} of {block} ({}, ..)",
                    paths.first().map_or("", String::as_str)
                ),
                Region::LastSlice { axis } => write!(
                    f,
                    "the last slice along axis {axis} of {block} ({}, ..)",
                    paths.first().map_or("", String::as_str)
                ),
                Region::Diagonal => write!(f, "the diagonal of {block}"),
                Region::OffDiagonal => write!(f, "all but the diagonal of {block}"),
                Region::UpperTriangle => write!(f, "the upper triangle of {block}"),
                Region::LowerTriangle => write!(f, "the lower triangle of {block}"),
                Region::NegativeParameter => write!(f, "{block} where the parameter is negative"),
                Region::PositiveParameter => write!(f, "{block} where the parameter is positive"),
                Region::NegativeNumeric => {
                    write!(f, "{block} where the numeric derivative is negative")
                }
                Region::PositiveNumeric => {
                    write!(f, "{block} where the numeric derivative is positive")
                }
                Region::Between { low, high } => write!(
                    f,
                    "{block} where the parameter is between {} and {}",
                    digits(*low, 3),
                    digits(*high, 3)
                ),
            },
        }
    }
}

impl Kind {
    /// The shape takes values from other places, and would fit repeated values by chance.
    fn moves_values(&self) -> bool {
        matches!(
            self,
            Kind::Transposed { .. }
                | Kind::ReversedAlongAxis { .. }
                | Kind::ShiftedByOne { .. }
                | Kind::OneSliceForAll { .. }
                | Kind::CopyOf(_)
        )
    }

    /// The kind in one or a few plain words, without numbers or names: `sign flipped`,
    /// `scaled`, `no known shape`. The same for all faults of a kind, so that they can be counted.
    pub fn label(&self) -> &'static str {
        match self {
            Kind::SignFlipped => "sign flipped",
            Kind::Conjugated => "conjugated",
            Kind::Scaled { .. } => "scaled",
            Kind::ScaledAlongAxis { .. } => "scaled slice by slice",
            Kind::ParameterFactor { .. } => "factor of a parameter",
            Kind::Zero => "zero gradient",
            Kind::ForwardIgnores => "forward does not depend on it",
            Kind::MissingTermProportionalToParameter { sign: false, .. } => {
                "term proportional to the parameter"
            }
            Kind::MissingTermProportionalToParameter { sign: true, .. } => {
                "term proportional to the sign of the parameter"
            }
            Kind::ConstantOffset { .. } => "constant offset",
            Kind::OffsetAlongAxis { .. } => "offset slice by slice",
            Kind::Transposed { .. } => "transposed",
            Kind::ReversedAlongAxis { .. } => "reversed",
            Kind::ShiftedByOne { .. } => "shifted by one",
            Kind::Permuted => "in another order",
            Kind::SwappedWith(_) => "swapped",
            Kind::CopyOf(_) => "another block's gradient",
            Kind::OneSliceForAll { .. } => "one slice for all",
            Kind::ZeroOnSubset { .. } => "zero on a subset",
            Kind::Clipped { .. } => "clipped",
            Kind::SinglePrecision => "single precision",
            Kind::Components { .. } => "some components",
            Kind::NotFinite => "not finite",
            Kind::OnlyAfterTraining => "wrong only after training",
            Kind::OnlyAtSize { .. } => "wrong only at a size",
            Kind::Unknown => "no known shape",
        }
    }
}

/// `scaled by 5 = m` and a question that may lead to the fault.
fn scaled_words(
    factor: f64,
    uncertainty: f64,
    follows: &[Follows],
    range: Option<(f64, f64)>,
) -> (String, &'static str, String) {
    if let Some((low, high)) = range {
        let words = format!(
            "scaled by {} to {} (a factor for each state)",
            digits(low, 3),
            digits(high, 3)
        );
        return (words, "", "is a norm, a weight or a drawn setting left out?".to_owned());
    }
    let mut words = format!("scaled by {}", known(factor, uncertainty));
    for f in follows {
        words += &format!(" = {f}");
    }
    let number = if (factor - 2.0).abs() < 1e-9 {
        "is it counted twice, or a 1/2 left out?"
    } else if (factor - 0.5).abs() < 1e-9 {
        "is the 2 of a square left out?"
    } else {
        ""
    };
    let hint = match follows {
        [only] if only.number == 1.0 => match only.terms.as_slice() {
            [t] if t.halves == -2 && t.shift == 0 => {
                format!("is it divided by {} once too often?", t.dim)
            }
            terms if terms.iter().all(|t| t.halves > 0 && t.halves != 1 && t.shift == 0) => {
                let inverse = Follows {
                    number: 1.0,
                    terms: terms.iter().map(|t| Term { halves: -t.halves, ..t.clone() }).collect(),
                };
                format!("is a mean's {inverse} missing?")
            }
            terms => {
                let inverse = Follows {
                    number: 1.0,
                    terms: terms.iter().map(|t| Term { halves: -t.halves, ..t.clone() }).collect(),
                };
                format!("is a factor {inverse} missing?")
            }
        },
        _ => String::new(),
    };
    (words, number, hint)
}

impl Finding {
    /// What is wrong, and the question that it raises (empty when there is none).
    fn words(&self) -> (String, String) {
        let place = &self.place;
        let plain = |words: &str, hint: &str| (format!("{words} in {place}"), hint.to_owned());
        match &self.kind {
            Kind::SignFlipped => plain("sign flipped", ""),
            Kind::Conjugated => plain(
                "conjugated",
                "is it meant in another convention, such as `complex = Convention::Conjugate`?",
            ),
            Kind::Scaled { factor, uncertainty, follows, range } => {
                let (words, number, hint) = scaled_words(*factor, *uncertainty, follows, *range);
                let hint = if hint.is_empty() { number.to_owned() } else { hint };
                (format!("{words} in {place}"), hint)
            }
            Kind::ScaledAlongAxis { axis } => (
                format!("scaled by a factor for each index of axis {axis} in {place}"),
                "is a factor that belongs to that axis missing?".to_owned(),
            ),
            Kind::ParameterFactor { parameter, function } => {
                let f = function.of(parameter);
                (
                    format!("factor of a parameter: {place} is the numeric times {f}"),
                    "is a factor of the chain rule missing, or one too many?".to_owned(),
                )
            }
            Kind::Zero => plain("zero gradient", "is it ever filled in?"),
            Kind::ForwardIgnores => (
                format!("the forward does not depend on {place}: its numeric derivative is zero"),
                "is the analytic one another parameter's?".to_owned(),
            ),
            Kind::MissingTermProportionalToParameter { .. } => self.term_words(),
            Kind::ConstantOffset { offset, uncertainty } => (
                format!(
                    "constant offset in {place}: {} in each component",
                    known(*offset, *uncertainty)
                ),
                String::new(),
            ),
            Kind::OffsetAlongAxis { axis } => (
                format!("constant offset for each index of axis {axis} in {place}"),
                "is a mean not subtracted?".to_owned(),
            ),
            Kind::Transposed { axes, reshaped } => {
                let how = if *reshaped { ", read in the shape of the parameter" } else { "" };
                let axes = if axes.1 > 1 || axes.0 > 0 {
                    format!(" (axes {} and {})", axes.0, axes.1)
                } else {
                    String::new()
                };
                let hint = if *reshaped { "is row-major taken for column-major?" } else { "" };
                (format!("transposed in {place}{axes}{how}"), hint.to_owned())
            }
            Kind::ReversedAlongAxis { axis } => plain(&format!("reversed along axis {axis}"), ""),
            Kind::ShiftedByOne { axis, late } => {
                let to = if *late { "later" } else { "earlier" };
                (
                    format!(
                        "shifted by one along axis {axis} in {place}: each stands one place {to}"
                    ),
                    String::new(),
                )
            }
            Kind::Permuted => plain("the right numbers in another order", ""),
            Kind::SwappedWith(_) => {
                let names = match place {
                    Place::Blocks(names) => names.join(" and "),
                    other => other.to_string(),
                };
                let (a, b) = names.split_once(" and ").unwrap_or((&names, "another block"));
                (format!("{a} swapped with {b}"), String::new())
            }
            Kind::CopyOf(other) => {
                (format!("another block's gradient: {place} holds that of {other}"), String::new())
            }
            Kind::OneSliceForAll { axis, slice } => {
                let which = match slice {
                    Slice::First => "the first slice stands",
                    Slice::Last => "the last slice stands",
                    Slice::Mean => "the mean of all slices stands",
                    Slice::Sum => "the sum of all slices stands",
                };
                (
                    format!("one slice for all in {place}: {which} for each along axis {axis}"),
                    String::new(),
                )
            }
            Kind::ZeroOnSubset { analytic: true } => (
                format!("zero where the numeric is not, in {}", self.counted()),
                "is a mask wrong?".to_owned(),
            ),
            Kind::ZeroOnSubset { analytic: false } => (
                format!("not zero where the numeric is, in {}", self.counted()),
                "is a mask missing?".to_owned(),
            ),
            Kind::Clipped { at } => (
                format!("clipped at {} in {place}", digits(*at, 4)),
                "is a clipping of the gradient left in?".to_owned(),
            ),
            Kind::SinglePrecision => {
                plain("errors of the size of single precision", "is something computed in f32?")
            }
            Kind::Components { how } => self.components_words(how.as_deref()),
            Kind::NotFinite => {
                let of = if self.facts.analytic.is_finite() { "numeric" } else { "analytic" };
                (format!("not finite: the {of} derivative in {place}"), String::new())
            }
            Kind::OnlyAfterTraining => plain("wrong only after training", ""),
            Kind::OnlyAtSize { dim, values, own } => {
                let hint = match values {
                    Sizes::AtLeast(2) if !own => {
                        format!("is one slice taken in place of a sum over {dim}?")
                    }
                    _ => String::new(),
                };
                (format!("wrong only where {dim} {values}, in {place}"), hint)
            }
            Kind::Unknown => plain("no known shape", ""),
        }
    }

    fn term_words(&self) -> (String, String) {
        let Kind::MissingTermProportionalToParameter { factor, uncertainty, follows, range, sign } =
            &self.kind
        else {
            return (String::new(), String::new());
        };
        let missing = *factor < 0.0;
        let size = match (follows, range) {
            (Some(f), _) => Follows { number: f.number.abs(), terms: f.terms.clone() }.to_string(),
            (None, Some((low, high))) => {
                let (low, high) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
                format!("{} to {}", digits(low, 3), digits(high, 3))
            }
            (None, None) => known(factor.abs(), *uncertainty),
        };
        let what = if *sign { "sign of the parameter" } else { "parameter" };
        let words = match &self.place {
            Place::Blocks(names) if names.len() == 1 => {
                let name = &names[0];
                let of = if *sign { format!("sign({name})") } else { name.clone() };
                format!("term proportional to the {what} {name} (+{size} {of})")
            }
            place => format!("term proportional to the {what} in {place} (+{size} times it)"),
        };
        if missing {
            (format!("missing {words}"), "is a penalty on one side only?".to_owned())
        } else {
            (
                format!("extra {words}"),
                "is a penalty on one side only, or counted twice?".to_owned(),
            )
        }
    }

    fn counted(&self) -> String {
        format!("{} of {} components: {}", self.facts.wrong, self.facts.decided, self.place)
    }

    fn components_words(&self, how: Option<&Kind>) -> (String, String) {
        let Facts { wrong, decided, analytic, numeric, .. } = self.facts;
        let there = match how {
            Some(Kind::SignFlipped) => "sign flipped".to_owned(),
            Some(Kind::Zero) => format!("zero where the numeric is {}", digits(numeric, 3)),
            Some(Kind::ForwardIgnores) => {
                format!("{} where the numeric is zero", digits(analytic, 3))
            }
            Some(Kind::Scaled { factor, uncertainty, .. }) => {
                format!("scaled by {}", known(*factor, *uncertainty))
            }
            Some(Kind::MissingTermProportionalToParameter { factor, uncertainty, .. }) => {
                let side = if *factor < 0.0 { "missing" } else { "extra" };
                let size = known(factor.abs(), *uncertainty);
                format!("{side} term proportional to the parameter, +{size} times it")
            }
            Some(Kind::ConstantOffset { offset, uncertainty }) => {
                format!("off by {} each", known(*offset, *uncertainty))
            }
            Some(Kind::Permuted) => "each other's values".to_owned(),
            _ => {
                let (g, n) = pair(analytic, numeric);
                format!("analytic {g}, numeric {n}")
            }
        };
        let words = match &self.place {
            Place::Components { region: Region::Listed, .. } if wrong == 1 => {
                format!("one component of {decided}: {} ({there})", self.place)
            }
            Place::Components { region: Region::Listed, .. } => {
                format!("{wrong} components of {decided}: {} ({there})", self.place)
            }
            _ => format!("{wrong} of {decided} components, {} ({there})", self.place),
        };
        (words, String::new())
    }
}

impl fmt::Display for Finding {
    /// One line, or two where no shape is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, hint) = self.words();
        f.write_str(&words)?;
        if self.facts.states > 1 {
            write!(f, ", in {} states", self.facts.states)?;
        }
        if let Some(only) = &self.only {
            write!(f, "; {only}")?;
        }
        if !hint.is_empty() {
            write!(f, ": {hint}")?;
        }
        let facts_too =
            matches!(self.kind, Kind::Unknown | Kind::OnlyAfterTraining | Kind::OnlyAtSize { .. });
        if facts_too { write!(f, "\n  {}", self.facts) } else { Ok(()) }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wrong {
            0 => write!(f, "no component by itself is wrong, all together are")?,
            wrong => write!(f, "{wrong} of {} components wrong", self.decided)?,
        }
        if !self.worst.is_empty() {
            let (g, n) = pair(self.analytic, self.numeric);
            write!(f, ", most {}: analytic {g}, numeric {n}", self.worst)?;
        }
        if self.decided > 1 && self.cosine.is_finite() && self.norm_ratio.is_finite() {
            let (c, r) = (digits(self.cosine, 3), digits(self.norm_ratio, 3));
            write!(f, "; cosine {c}, norm ratio {r}")?;
        }
        if self.grows_with_parameter {
            write!(f, "; differences grow with the parameter")?;
        }
        if !self.right_blocks.is_empty() {
            write!(f, "; right: {}", list(&self.right_blocks))?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnosis {
    /// The findings, one or two lines each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.findings.iter().take(SHOWN).enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{finding}")?;
        }
        if self.findings.len() > SHOWN {
            write!(f, "\nand {} more findings", self.findings.len() - SHOWN)?;
        }
        Ok(())
    }
}
