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
use std::collections::{BTreeSet, HashSet};

use crate::evidence::Evidence;
use part::Part;
use search::Search;

mod fit;
mod formula;
mod part;
mod search;
mod shapes;
mod some;
#[cfg(test)]
mod tests;
mod words;

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
        /// What the offset equals, where it varies with a dimension.
        follows: Option<Follows>,
        /// Smallest and largest c, where it differs between the states and follows nothing.
        range: Option<(f64, f64)>,
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
    /// A part of what is summed along a dimension stands for the sum, as states with the same
    /// parameters and fewer slices show: the first slices of a larger state are a smaller one.
    PartOfSum {
        /// Name of the dimension.
        dim: String,
        /// Which slices are summed.
        part: SumPart,
        /// Which others it may be as well: of two slices the last is all but the first.
        or: Option<SumPart>,
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
    /// NaN or infinite, in a component that is [`Verdict::Wrong`](crate::evidence::Verdict::Wrong).
    NotFinite,
    /// No known shape, but wrong in trained states only.
    OnlyAfterTraining,
    /// No known shape, but wrong at some sizes only.
    OnlyAtSize {
        /// Name of the dimension.
        dim: String,
        /// The sizes at which it is wrong.
        values: Sizes,
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

/// The slices that are summed, of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumPart {
    /// The first one.
    First,
    /// The last one.
    Last,
    /// All but the first one.
    AllButFirst,
    /// All but the last one.
    AllButLast,
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

impl Sizes {
    /// Whether a size is one of them.
    pub fn contains(self, size: usize) -> bool {
        match self {
            Sizes::Equal(v) => size == v,
            Sizes::AtLeast(v) => size >= v,
            Sizes::AtMost(v) => size <= v,
        }
    }
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
    /// Number of states in which anything is wrong.
    pub failing: usize,
    /// Position of the state that the numbers are of, among those given.
    pub state: usize,
    /// Its dimensions.
    pub dims: Vec<(String, usize)>,
    /// Path of the component with the largest difference.
    pub worst: String,
    /// Its analytic derivative.
    pub analytic: f64,
    /// Its numeric derivative.
    pub numeric: f64,
    /// Number of wrong components.
    pub wrong: usize,
    /// Slopes are off by more than these components: others are wrong that were not singled out.
    pub at_least: bool,
    /// Number of components, measured or not.
    pub components: usize,
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
/// `states` are those of one check, failing ones first, and first of all the one that the
/// numbers shall be of; passing ones among them serve as contrast, best those that differ from a
/// failing one in one dimension only. A state fails when a component is
/// [`Verdict::Wrong`](crate::evidence::Verdict::Wrong), or when a whole block
/// exceeds its tolerance and its bounds. The blocks of different states are matched by
/// [`Block::full_name`](crate::evidence::Block::full_name); their shapes may differ. The cost is linear in the number of
/// components, and of large blocks an evenly spread sample is looked at.
pub fn diagnose<E: Borrow<Evidence>>(states: &[E]) -> Diagnosis {
    let mut parts: Vec<Part<'_>> = states
        .iter()
        .enumerate()
        .flat_map(|(s, e)| {
            let e = e.borrow();
            (0..e.blocks.len()).map(move |b| Part::new(s, e, b))
        })
        .collect();
    part::mark_repeats(&mut parts);
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
