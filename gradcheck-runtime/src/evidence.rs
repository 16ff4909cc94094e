//! What one state showed: the numbers every judgement, diagnosis and report is made from.
use std::collections::BTreeMap;
use std::ops::{Index, IndexMut, Range};
use std::sync::Arc;

/// A named block of components: one array, scalar or plain sequence of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Path of the block, as the report prints it: `layers[1].weight`, `W2`, `d out / d pose`.
    pub name: String,
    /// Path with the name of the `wrt` place always in front: `network.layers[1].weight`.
    pub full_name: String,
    /// Extents of the axes, outermost first; `[]` for a scalar. A Jacobian's block has the
    /// number of outputs and the number of parameters.
    pub shape: Vec<usize>,
    /// The last axis holds real and imaginary parts.
    pub complex: bool,
    /// Where its components stand in the flattened vectors.
    pub range: Range<usize>,
    /// Unit roundoff of its scalar type.
    pub roundoff: f64,
    /// For a block of a Jacobian: the blocks of the outputs, and the block of the parameters.
    pub jacobian: Option<Arc<(Vec<Block>, Block)>>,
}

impl Block {
    /// A block of doubles that begins at a component.
    #[cfg(test)]
    pub(crate) fn doubles(name: &str, full_name: String, shape: &[usize], start: usize) -> Block {
        Block {
            name: name.to_owned(),
            full_name,
            shape: shape.to_vec(),
            complex: false,
            range: start..start + shape.iter().product::<usize>(),
            roundoff: f64::EPSILON / 2.0,
            jacobian: None,
        }
    }

    /// Path of component `i` (counted within the block): `W2[0, 1]`.
    pub fn component(&self, i: usize) -> String {
        if let Some(parts) = &self.jacobian {
            let (outputs, input) = &**parts;
            let columns = input.range.len().max(1);
            let (row, column) = (i / columns, i % columns);
            let output = outputs.iter().find(|block| block.range.contains(&row));
            let output = output.map_or_else(String::new, |b| b.component(row - b.range.start));
            return format!("d {output} / d {}", input.component(column));
        }
        if self.shape.is_empty() {
            return self.name.clone();
        }
        let mut index = vec![0; self.shape.len()];
        let mut rest = i;
        for (axis, &extent) in self.shape.iter().enumerate().rev() {
            index[axis] = rest % extent;
            rest /= extent;
        }
        let part = match self.complex {
            true if index.pop() == Some(0) => ".re",
            true => ".im",
            false => "",
        };
        if index.is_empty() {
            return format!("{}{part}", self.name);
        }
        let index: Vec<String> = index.iter().map(ToString::to_string).collect();
        format!("{}[{}]{part}", self.name, index.join(", "))
    }

    /// The shape in words: `[2, 3]`, or `[2, 3] complex`.
    pub(crate) fn extents(&self) -> String {
        extents(&self.shape, self.complex)
    }
}

/// A shape in words. The axis of real and imaginary parts is no axis to a reader.
pub(crate) fn extents(shape: &[usize], complex: bool) -> String {
    match shape {
        [axes @ .., _] if complex => format!("{axes:?} complex"),
        _ => format!("{shape:?}"),
    }
}

/// What is known of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The difference is under the tolerance, and the bounds are small enough to say so.
    Agrees,
    /// The two one-sided derivatives differ, and the analytic one lies between them.
    Kink,
    /// Rounding hides the answer: nothing speaks against the gradient, nothing proves it.
    Undecided,
    /// The difference exceeds tolerance and bounds together, at more than one step.
    Wrong,
}

/// Numbers of components by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Components that agree.
    pub agreed: usize,
    /// Components on a kink.
    pub kinks: usize,
    /// Components that rounding leaves open.
    pub undecided: usize,
    /// Components that are wrong.
    pub wrong: usize,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> usize {
        self.agreed + self.kinks + self.undecided + self.wrong
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.agreed += other.agreed;
        self.kinks += other.kinks;
        self.undecided += other.undecided;
        self.wrong += other.wrong;
    }
}

/// One number for each component: all of them side by side, or, where only some components were
/// measured by themselves, those alone and what stands for the rest.
///
/// Read and written by index; `Column::from(vec![..])` holds them all.
#[derive(Clone, Debug, PartialEq)]
pub struct Column(Kept);

#[derive(Clone, Debug, PartialEq)]
enum Kept {
    All(Vec<f64>),
    Some { rest: Rest, len: usize, own: BTreeMap<usize, f64> },
}

/// What stands for the components that have no number of their own.
#[derive(Clone, Debug, PartialEq)]
enum Rest {
    One(f64),
    Shared(Arc<Vec<f64>>),
}

impl Rest {
    fn get(&self, i: usize) -> &f64 {
        match self {
            Rest::One(value) => value,
            Rest::Shared(values) => &values[i],
        }
    }
}

impl Column {
    /// `len` components, of which none has a number other than `value` yet.
    pub(crate) fn of_one(value: f64, len: usize) -> Column {
        Column(Kept::Some { rest: Rest::One(value), len, own: BTreeMap::new() })
    }

    /// Numbers that are those of another vector until they are written to.
    pub(crate) fn like(values: &Arc<Vec<f64>>) -> Column {
        let rest = Rest::Shared(values.clone());
        Column(Kept::Some { rest, len: values.len(), own: BTreeMap::new() })
    }

    /// Number of components.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::All(values) => values.len(),
            Kept::Some { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of component `i`, if there is such a component.
    pub fn get(&self, i: usize) -> Option<&f64> {
        (i < self.len()).then(|| &self[i])
    }

    /// The components of a range that have a number of their own.
    pub(crate) fn own(&self, range: Range<usize>) -> Box<dyn Iterator<Item = usize> + '_> {
        match &self.0 {
            Kept::All(_) => Box::new(range),
            Kept::Some { own, .. } => Box::new(own.range(range).map(|(&i, _)| i)),
        }
    }
}

impl From<Vec<f64>> for Column {
    fn from(values: Vec<f64>) -> Column {
        Column(Kept::All(values))
    }
}

impl Index<usize> for Column {
    type Output = f64;
    fn index(&self, i: usize) -> &f64 {
        match &self.0 {
            Kept::All(values) => &values[i],
            Kept::Some { rest, own, .. } => own.get(&i).unwrap_or_else(|| rest.get(i)),
        }
    }
}

impl IndexMut<usize> for Column {
    fn index_mut(&mut self, i: usize) -> &mut f64 {
        match &mut self.0 {
            Kept::All(values) => &mut values[i],
            Kept::Some { rest, len, own } => {
                assert!(i < *len, "component {i} of {len}");
                own.entry(i).or_insert_with(|| *rest.get(i))
            }
        }
    }
}

/// The analytic and the numeric gradient of one state, component by component.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The blocks, in the order of the flattened parameters.
    pub blocks: Arc<[Block]>,
    /// The drawn dimensions, by name.
    pub dims: Vec<(String, usize)>,
    /// Training steps taken before this state was reached; 0 for a random initialisation.
    pub steps: usize,
    /// The flattened parameters; empty for a Jacobian or a Jacobian-vector product.
    pub primal: Vec<f64>,
    /// The user's gradient.
    pub analytic: Arc<Vec<f64>>,
    /// The numeric derivative.
    pub numeric: Column,
    /// Error bound of the difference: truncation, rounding of the forward, rounding of the
    /// analytic side. Infinite where nothing is known.
    pub bound: Column,
    /// The verdict on each component.
    pub verdict: Vec<Verdict>,
    /// Largest relative difference that is accepted, for each block.
    pub tolerance: Vec<f64>,
    /// Slopes along random directions, where not every component was measured by itself: a
    /// component whose bound is infinite was not, and shows the analytic value as numeric.
    pub directions: Vec<Slope>,
}

/// The analytic and the numeric slope along a random direction through some blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    /// The components that the direction moves.
    pub range: Range<usize>,
    /// The number that the direction is drawn from.
    pub tag: u64,
    /// Length of the direction's entries, which are 0.5 to 1.5 times this; for several blocks,
    /// of each one's own, NaN.
    pub scale: f64,
    /// Inner product of the user's gradient with the direction.
    pub analytic: f64,
    /// The difference of the forward.
    pub numeric: f64,
    /// Its error bound.
    pub bound: f64,
    /// The size that such a slope has: `2 |g * u|_2`, entry by entry.
    pub reference: f64,
    /// The verdict on it.
    pub verdict: Verdict,
}

impl Evidence {
    /// No components at all.
    pub(crate) fn empty() -> Evidence {
        Evidence {
            blocks: Arc::new([]),
            dims: Vec::new(),
            steps: 0,
            primal: Vec::new(),
            analytic: Arc::default(),
            numeric: Vec::new().into(),
            bound: Vec::new().into(),
            verdict: Vec::new(),
            tolerance: Vec::new(),
            directions: Vec::new(),
        }
    }

    /// `|g - g~|_2 / (|g|_2 + |g~|_2)` over a range of components; 0 when both are zero, NaN
    /// when either holds a NaN. This is the classical rule of gradient checking. On a kink
    /// there is no derivative to compare with, and where rounding hides it none is known: there
    /// the analytic value stands for both.
    pub fn relative_difference(&self, range: Range<usize>) -> f64 {
        // Elsewhere the analytic value stands for both.
        let mut measured: Vec<usize> = self.numeric.own(range.clone()).collect();
        measured.retain(|&i| !matches!(self.verdict[i], Verdict::Kink | Verdict::Undecided));
        let difference = norm(measured.iter().map(|&i| self.analytic[i] - self.numeric[i]));
        let mut own = measured.iter().peekable();
        let numeric = range.clone().map(move |i| match own.next_if_eq(&&i) {
            Some(_) => self.numeric[i],
            None => self.analytic[i],
        });
        let measured = if difference == 0.0 {
            0.0
        } else {
            difference / (norm(self.analytic[range.clone()].iter().copied()) + norm(numeric))
        };
        // A slope's difference, relative to its size, is an estimate of the same ratio.
        let slopes = self.directions.iter().filter(|slope| {
            !matches!(slope.verdict, Verdict::Kink | Verdict::Undecided)
                && slope.range.start >= range.start
                && slope.range.end <= range.end
        });
        slopes
            .map(|slope| (slope.analytic - slope.numeric).abs() / slope.reference)
            .filter(|ratio| ratio.is_finite())
            .fold(measured, f64::max)
    }

    /// Blocks that are off by more than their tolerance along two directions or more, one slope
    /// for each: wrong even where no component could be singled out.
    pub fn wrong_slopes(&self) -> impl Iterator<Item = &Slope> {
        let off = |slope: &&Slope, tolerance: f64| {
            slope.verdict == Verdict::Wrong
                && (slope.analytic - slope.numeric).abs()
                    > tolerance * slope.reference + slope.bound
        };
        self.blocks.iter().zip(&self.tolerance).filter_map(move |(block, &tolerance)| {
            let mut slopes =
                self.directions.iter().filter(|s| s.range == block.range && off(s, tolerance));
            slopes.next()?;
            slopes.next()
        })
    }

    /// The largest relative difference that is accepted for component `i`.
    pub(crate) fn tolerance_of(&self, i: usize) -> f64 {
        self.tolerance[block_of(&self.blocks, i)]
    }

    /// How many components of a range have each verdict.
    pub fn counts(&self, range: Range<usize>) -> Counts {
        let mut counts = Counts::default();
        for verdict in &self.verdict[range] {
            match verdict {
                Verdict::Agrees => counts.agreed += 1,
                Verdict::Kink => counts.kinks += 1,
                Verdict::Undecided => counts.undecided += 1,
                Verdict::Wrong => counts.wrong += 1,
            }
        }
        counts
    }
}

/// The number of the block that component `i` is in.
pub(crate) fn block_of(blocks: &[Block], i: usize) -> usize {
    blocks.partition_point(|block| block.range.end <= i)
}

/// `|a - b|_2 / (|a|_2 + |b|_2)`; 0 when both are zero.
pub fn relative_difference(a: &[f64], b: &[f64]) -> f64 {
    let difference = norm(a.iter().zip(b).map(|(a, b)| a - b));
    let scale = norm(a.iter().copied()) + norm(b.iter().copied());
    if difference == 0.0 { 0.0 } else { difference / scale }
}

/// Euclidean norm, scaled so that neither huge nor tiny entries overflow when squared.
pub fn norm(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values
        .clone()
        .fold(0.0_f64, |m, v| if m.is_nan() || v.is_nan() { f64::NAN } else { m.max(v.abs()) });
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * values.map(|v| (v / largest) * (v / largest)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_holds_what_was_written_and_stands_in_for_the_rest() {
        let shared = Arc::new(vec![1.0, 2.0, 3.0]);
        let mut column = Column::like(&shared);
        column[1] = 5.0;
        assert_eq!((column[0], column[1], column[2]), (1.0, 5.0, 3.0));
        assert_eq!(column.own(0..3).collect::<Vec<_>>(), [1]);
        assert_eq!((column.get(2), column.get(3)), (Some(&3.0), None));
        let mut unknown = Column::of_one(f64::INFINITY, 3);
        unknown[2] = 0.5;
        assert_eq!((unknown[0], unknown[2], unknown.len()), (f64::INFINITY, 0.5, 3));
        let all = Column::from(vec![1.0, 2.0]);
        assert_eq!(all.own(0..2).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(shared[1], 2.0);
    }

    /// Few components of their own or all of them: the same ratio.
    #[test]
    fn the_difference_is_that_of_all_components() {
        let (g, d) = (vec![3.0, -4.0, 12.0], vec![3.0, -4.5, 12.0]);
        let mut evidence = Evidence {
            analytic: Arc::new(g.clone()),
            numeric: d.clone().into(),
            verdict: vec![Verdict::Wrong; 3],
            ..Evidence::empty()
        };
        let all = evidence.relative_difference(0..3);
        assert!((all - relative_difference(&g, &d)).abs() < 1e-15);
        evidence.numeric = Column::like(&evidence.analytic);
        assert_eq!(evidence.relative_difference(0..3), 0.0);
        evidence.numeric[1] = -4.5;
        assert_eq!(evidence.relative_difference(0..3), all);
    }
}
