//! Strategies for what a gradient is checked at: parameters, inputs and targets.
//!
//! Each takes a shape the way `ndarray` does and draws an array of that shape:
//!
//! | shape | value |
//! | --- | --- |
//! | `normal(())` | `Array0<F>` |
//! | `normal(n)` | `Array1<F>` |
//! | `normal([n, m])`, `normal((n, m))` | `Array2<F>` |
//! | `normal([n, m, k])`, up to six axes | `Array3<F>`, .. |
//! | `normal(vec![n, m])`, `normal(&sizes[..])` | `ArrayD<F>` |
//! | `normal(x.raw_dim())` | an array like `x` |
//!
//! Any of these with `.to::<C>()` behind it draws a `C` in place of the array: a `Vec`, or a matrix
//! or vector of `nalgebra` or `faer` ([`FromArray`]). With the feature `num-complex`, `.complex()`
//! draws complex elements: `normal([2, 3]).complex().to::<DMatrix<Complex64>>()`.
//!
//! The float is what the use asks for; where nothing does, it is named:
//! `normal::<f32, _>([n, m])`. An axis of length 0 gives an empty array.
//!
//! # Corners
//!
//! A draw takes one `u64` of the runner's randomness, whatever the shape, and an element is a
//! hash of that seed and of the element's own index. So a smaller array is a corner of the
//! larger one of the same seed, which is what makes a failing size shrinkable, and no draw
//! disturbs the next. Elements are computed in `f64` and rounded to `F`: `f32`, `f64` and a
//! tape scalar draw the same numbers. `he_normal` and `xavier_uniform` scale with the fans, so
//! their corners agree only up to that scale.
//!
//! # Shrinking
//!
//! Three times the magnitudes are brought down, by halving whatever is above 8, then 2, then 1;
//! then everything is rounded to three, two and one significant digits. A step that changes
//! nothing is skipped. No element becomes zero or changes its sign (zeros are kinks and dead
//! units), and none leaves the range that it is drawn from. A scaling that is undone by
//! `complicate` ends the scaling, an undone rounding the rounding. Where `simplify` leads
//! depends on nothing but the seed: `k` simplifications of the same draw give the same value.
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::Range;

use ndarray::{Array, Array1, Dimension, IntoDimension, IxDyn};
use num_traits::{Float, NumCast};
use proptest::strategy::{BoxedStrategy, Just, NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::random;

mod containers;
pub use containers::{FromArray, ToContainer};

/// Standard normal elements: mean 0, variance 1.
///
/// Never exactly zero, and never larger than 8.6 in magnitude. Shapes and shrinking are those of
/// [the module](self).
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::normal};
///
/// proptest!(|(x in normal::<f64, _>([2, 3]), n in 0_usize..4)| {
///     prop_assert_eq!(x.dim(), (2, 3));
///     prop_assert!(x.iter().all(|x| x.abs() < 8.6));
/// });
/// ```
pub fn normal<F, Sh>(shape: Sh) -> Elements<F, Sh::Dim>
where
    F: Float + Debug + 'static,
    Sh: IntoDimension,
{
    Elements::new(Law::Normal { deviation: 1.0 }, shape)
}

/// Elements uniform over `range`, in the range's own units.
///
/// The range is half-open and holds for the rounded element, in `f32` too, and throughout
/// shrinking: `uniform(n, 3.0..9.0)` never shrinks below 3. Shapes and shrinking are those of
/// [the module](self).
///
/// # Panics
///
/// When the range is empty or one of its ends is not finite.
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::uniform};
///
/// proptest!(|(landmark in uniform(2, 3.0..9.0))| {
///     prop_assert!(landmark.iter().all(|x| (3.0..9.0).contains(x)));
/// });
/// ```
#[track_caller]
pub fn uniform<F, Sh>(shape: Sh, range: Range<F>) -> Elements<F, Sh::Dim>
where
    F: Float + Debug + 'static,
    Sh: IntoDimension,
{
    let finite = range.start.is_finite() && range.end.is_finite();
    assert!(finite && range.start < range.end, "uniform: {range:?} is empty or not finite");
    let end = |end: F| end.to_f64().expect("a float has a value in f64");
    Elements::new(Law::Uniform { start: end(range.start), end: end(range.end) }, shape)
}

/// Normal weights of variance `2 / fan_in`, which keep the scale of a signal through layers of
/// rectified units (He et al. 2015, "Delving Deep into Rectifiers", equation 10).
///
/// Fans by rank:
///
/// | shape | `fan_in` | `fan_out` |
/// | --- | --- | --- |
/// | `[]` | 1 | 1 |
/// | `[n]`, the weights of one unit | `n` | 1 |
/// | `[out, in]` | `in` | `out` |
/// | `[out, in, k, ..]`, a convolution's kernels | `in * k * ..` | `out * k * ..` |
///
/// For weights stored as `[in, out]` draw the transpose and map it. A fan of 0 counts as 1.
/// Shapes and shrinking are those of [the module](self).
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::he_normal};
///
/// // 1000 inputs: the standard deviation is sqrt(2 / 1000) = 0.045
/// proptest!(|(weight in he_normal::<f64, _>([2, 1000]))| {
///     prop_assert!((0.04..0.05).contains(&weight.std(0.0)));
/// });
/// ```
pub fn he_normal<F, Sh>(shape: Sh) -> Elements<F, Sh::Dim>
where
    F: Float + Debug + 'static,
    Sh: IntoDimension,
{
    let dim = shape.into_dimension();
    let (fan_in, _) = fans(&dim);
    Elements::new(Law::Normal { deviation: (2.0 / fan_in).sqrt() }, dim)
}

/// Weights uniform in `-limit..limit` with `limit = sqrt(6 / (fan_in + fan_out))`, so of
/// variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010, "Understanding the difficulty of
/// training deep feedforward neural networks", equation 16).
///
/// Fans are those of [`he_normal`]. Shapes and shrinking are those of [the module](self);
/// shrinking stays within the limit.
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::xavier_uniform};
///
/// proptest!(|(weight in xavier_uniform::<f64, _>([4, 2]))| {
///     prop_assert!(weight.iter().all(|w| w.abs() <= 1.0)); // sqrt(6 / (2 + 4))
/// });
/// ```
pub fn xavier_uniform<F, Sh>(shape: Sh) -> Elements<F, Sh::Dim>
where
    F: Float + Debug + 'static,
    Sh: IntoDimension,
{
    let dim = shape.into_dimension();
    let (fan_in, fan_out) = fans(&dim);
    let limit = rounded::<F>((6.0 / (fan_in + fan_out)).sqrt());
    Elements::new(Law::Uniform { start: -limit, end: limit }, dim)
}

/// Class labels: each element is 0 or 1, with equal probability.
///
/// They do not shrink. Shapes are those of [the module](self).
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::labels};
///
/// proptest!(|(y in labels::<f64, _>([1, 7]))| {
///     prop_assert!(y.iter().all(|&y| y == 0.0 || y == 1.0));
/// });
/// ```
pub fn labels<F, Sh>(shape: Sh) -> Elements<F, Sh::Dim>
where
    F: Float + Debug + 'static,
    Sh: IntoDimension,
{
    Elements::new(Law::Choice([0.0, 1.0]), shape)
}

/// Signs: each element is -1 or 1, with equal probability.
///
/// They do not shrink. Shapes are those of [the module](self).
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::signs};
///
/// proptest!(|(y in signs::<f32, _>(7))| {
///     prop_assert!(y.iter().all(|&y| y == -1.0 || y == 1.0));
/// });
/// ```
pub fn signs<F, Sh>(shape: Sh) -> Elements<F, Sh::Dim>
where
    F: Float + Debug + 'static,
    Sh: IntoDimension,
{
    Elements::new(Law::Choice([-1.0, 1.0]), shape)
}

/// One-hot rows: along the last axis one element is 1 and all others are 0.
///
/// Every position is equally probable. With fewer classes, a row whose class is still there
/// keeps it. `one_hot(k)` is a single row, `one_hot(())` a 1. The rows do not shrink. Shapes are
/// those of [the module](self).
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::one_hot};
///
/// proptest!(|(y in one_hot::<f64, _>([5, 3]))| {
///     for row in y.rows() {
///         prop_assert_eq!(row.iter().filter(|&&y| y == 1.0).count(), 1);
///         prop_assert_eq!(row.sum(), 1.0);
///     }
/// });
/// ```
pub fn one_hot<F, Sh>(shape: Sh) -> Elements<F, Sh::Dim>
where
    F: Float + Debug + 'static,
    Sh: IntoDimension,
{
    Elements::new(Law::OneHot, shape)
}

/// A `Vec` of `n` standard normal numbers, drawn and shrunk like [`normal`].
///
/// ```
/// use gradcheck_runtime::{proptest::prelude::*, strategy::vec};
///
/// proptest!(|(weight in vec::<f32>(12))| {
///     prop_assert_eq!(weight.len(), 12);
/// });
/// ```
pub fn vec<F>(n: usize) -> impl Strategy<Value = Vec<F>> + Clone + use<F>
where
    F: Float + Debug + 'static,
{
    normal(n).prop_map(|array: Array1<F>| array.into_raw_vec_and_offset().0)
}

/// Parameters with string keys: a `BTreeMap<String, V>` of a strategy for each key.
///
/// `V` is what the strategies draw. [`Dictionary::with`] adds blocks that are drawn in another
/// way, [`Elements::into_dyn`] lets blocks of different ranks share one dictionary of `ArrayD`s,
/// and [`Dictionary::hashed`] makes it a `HashMap`.
///
/// ```
/// use std::collections::{BTreeMap, HashMap};
///
/// use gradcheck_runtime::{
///     proptest::prelude::*,
///     strategy::{dictionary, he_normal, normal},
/// };
/// use ndarray::{Array2, ArrayD};
///
/// fn init(n: usize, h: usize) -> impl Strategy<Value = BTreeMap<String, Array2<f64>>> {
///     dictionary([("W1", he_normal([h, n])), ("b1", normal([h, 1]))])
/// }
///
/// /// "W1", "b1", .., "WL", "bL" for the layer sizes given.
/// fn layers(sizes: &[usize]) -> impl Strategy<Value = BTreeMap<String, Array2<f64>>> + use<> {
///     dictionary(sizes.windows(2).zip(1..).flat_map(|(pair, l)| {
///         [
///             (format!("W{l}"), he_normal([pair[1], pair[0]])),
///             (format!("b{l}"), normal([pair[1], 1])),
///         ]
///     }))
/// }
///
/// /// A matrix beside a vector of small numbers, unordered.
/// fn mixed(n: usize, h: usize) -> impl Strategy<Value = HashMap<String, ArrayD<f32>>> {
///     dictionary([("W", he_normal([h, n]).into_dyn())])
///         .with("b", normal(h).prop_map(|b| (b * 0.1).into_dyn()))
///         .hashed()
/// }
///
/// proptest!(|(p in init(2, 3), q in layers(&[2, 3, 1]), r in mixed(2, 3))| {
///     prop_assert_eq!(p["b1"].dim(), (3, 1));
///     prop_assert_eq!(q.keys().collect::<Vec<_>>(), ["W1", "W2", "b1", "b2"]);
///     prop_assert_eq!(r["b"].shape(), [3]);
/// });
/// ```
pub fn dictionary<K, S>(blocks: impl IntoIterator<Item = (K, S)>) -> Dictionary<S::Value>
where
    K: Into<String>,
    S: Strategy + 'static,
{
    let blocks = blocks.into_iter().map(|(key, block)| (Just(key.into()), block.boxed()));
    Dictionary { blocks: blocks.collect(), map: PhantomData }
}

/// The strategy that [`dictionary`] makes: a map `M` from strings to `V`.
///
/// Blocks are drawn and shrunk one after another, in the order they were given; of two with the
/// same key the later one stays.
#[must_use = "strategies do nothing unless used"]
pub struct Dictionary<V, M = BTreeMap<String, V>> {
    blocks: Vec<(Just<String>, BoxedStrategy<V>)>,
    map: PhantomData<fn() -> M>,
}

impl<V: Debug, M> Dictionary<V, M> {
    /// Adds a block drawn by a strategy of any type.
    pub fn with<S>(mut self, key: impl Into<String>, block: S) -> Self
    where
        S: Strategy<Value = V> + 'static,
    {
        self.blocks.push((Just(key.into()), block.boxed()));
        self
    }

    /// The same parameters in a `HashMap`.
    pub fn hashed(self) -> Dictionary<V, HashMap<String, V>> {
        Dictionary { blocks: self.blocks, map: PhantomData }
    }
}

impl<V, M> Clone for Dictionary<V, M> {
    fn clone(&self) -> Self {
        Dictionary { blocks: self.blocks.clone(), map: PhantomData }
    }
}

impl<V: Debug, M> Debug for Dictionary<V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.blocks.iter().map(|(key, block)| (&key.0, block))).finish()
    }
}

impl<V, M> Strategy for Dictionary<V, M>
where
    V: Debug,
    M: FromIterator<(String, V)> + Debug,
{
    type Tree = DictionaryTree<V, M>;
    type Value = M;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(DictionaryTree { blocks: self.blocks.new_tree(runner)?, map: PhantomData })
    }
}

/// One draw of a [`Dictionary`].
pub struct DictionaryTree<V: Debug, M> {
    blocks: <Vec<(Just<String>, BoxedStrategy<V>)> as Strategy>::Tree,
    map: PhantomData<fn() -> M>,
}

impl<V, M> ValueTree for DictionaryTree<V, M>
where
    V: Debug,
    M: FromIterator<(String, V)> + Debug,
{
    type Value = M;

    fn current(&self) -> M {
        self.blocks.current().into_iter().collect()
    }

    fn simplify(&mut self) -> bool {
        self.blocks.simplify()
    }

    fn complicate(&mut self) -> bool {
        self.blocks.complicate()
    }
}

/// The strategy behind [`normal`] and its kin: arrays of dimension `D` of independent elements.
#[must_use = "strategies do nothing unless used"]
pub struct Elements<F, D> {
    law: Law,
    dim: D,
    float: PhantomData<fn() -> F>,
}

impl<F: Float, D: Dimension> Elements<F, D> {
    fn new(law: Law, shape: impl IntoDimension<Dim = D>) -> Self {
        Elements { law, dim: shape.into_dimension(), float: PhantomData }
    }

    /// The same elements in an `ArrayD`, so that blocks of different ranks have one type.
    ///
    /// ```
    /// use gradcheck_runtime::strategy::{Elements, he_normal, normal};
    /// use ndarray::IxDyn;
    ///
    /// let blocks: Vec<Elements<f64, IxDyn>> =
    ///     vec![he_normal([3, 2]).into_dyn(), normal(3).into_dyn()];
    /// ```
    pub fn into_dyn(self) -> Elements<F, IxDyn> {
        Elements { law: self.law, dim: self.dim.into_dyn(), float: PhantomData }
    }
}

impl<F, D: Clone> Clone for Elements<F, D> {
    fn clone(&self) -> Self {
        Elements { law: self.law, dim: self.dim.clone(), float: PhantomData }
    }
}

impl<F, D: Dimension> Debug for Elements<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.dim.as_array_view().to_vec();
        f.debug_struct("Elements").field("law", &self.law).field("shape", &shape).finish()
    }
}

impl<F, D> Strategy for Elements<F, D>
where
    F: Float + Debug + 'static,
    D: Dimension,
{
    type Tree = ElementsTree<F, D>;
    type Value = Array<F, D>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        // Through a strategy of proptest's: its `rand` is no part of this interface.
        let seed = proptest::num::u64::ANY.new_tree(runner)?.current();
        let drawn = self.law.draw::<F>(seed, &self.dim.as_array_view().to_vec());
        Ok(ElementsTree {
            law: self.law,
            dim: self.dim.clone(),
            ladder: &LADDER,
            shown: View { limit: f64::INFINITY, digits: None, values: drawn.clone() },
            drawn,
            undo: None,
            float: PhantomData,
        })
    }
}

/// One draw of [`Elements`], and how far it is simplified.
pub struct ElementsTree<F, D> {
    law: Law,
    dim: D,
    /// The elements as drawn.
    drawn: Vec<f64>,
    /// The elements as they are now.
    shown: View,
    /// The elements before the last simplification.
    undo: Option<(Rung, View)>,
    /// What is left to try.
    ladder: &'static [Rung],
    float: PhantomData<fn() -> F>,
}

/// Elements in row-major order, scaled and rounded; exact values of the strategy's float.
#[derive(Clone)]
struct View {
    limit: f64,
    digits: Option<usize>,
    values: Vec<f64>,
}

/// One attempt at simpler elements.
#[derive(Clone, Copy)]
enum Rung {
    /// Halve whatever is larger than this.
    Limit(f64),
    /// Round to so many significant digits.
    Digits(usize),
}

const MOST_DIGITS: usize = 3;
const LADDER: [Rung; 6] = [
    Rung::Limit(8.0),
    Rung::Limit(2.0),
    Rung::Limit(1.0),
    Rung::Digits(MOST_DIGITS),
    Rung::Digits(2),
    Rung::Digits(1),
];

impl<F, D> ValueTree for ElementsTree<F, D>
where
    F: Float + Debug + 'static,
    D: Dimension,
{
    type Value = Array<F, D>;

    fn current(&self) -> Array<F, D> {
        let values = self.shown.values.iter().map(|&value| from_f64(value)).collect();
        Array::from_shape_vec(self.dim.clone(), values).expect("as many elements as the shape has")
    }

    fn simplify(&mut self) -> bool {
        while let Some((&rung, rest)) = self.ladder.split_first() {
            self.ladder = rest;
            let mut next = self.shown.clone();
            match rung {
                Rung::Limit(limit) => next.limit = limit,
                Rung::Digits(digits) => next.digits = Some(digits),
            }
            for (value, &drawn) in next.values.iter_mut().zip(&self.drawn) {
                *value = self.law.simplified::<F>(drawn, next.limit, next.digits);
            }
            if next.values != self.shown.values {
                self.undo = Some((rung, std::mem::replace(&mut self.shown, next)));
                return true;
            }
        }
        false
    }

    fn complicate(&mut self) -> bool {
        let Some((rung, before)) = self.undo.take() else { return false };
        self.shown = before;
        while let Some((next, rest)) = self.ladder.split_first()
            && std::mem::discriminant(next) == std::mem::discriminant(&rung)
        {
            self.ladder = rest;
        }
        true
    }
}

/// What the elements of an array are drawn from.
#[derive(Clone, Copy, Debug)]
enum Law {
    /// Mean zero, and this standard deviation.
    Normal { deviation: f64 },
    /// Half-open, both ends exact in the strategy's float.
    Uniform { start: f64, end: f64 },
    /// One of the two.
    Choice([f64; 2]),
    /// One 1 along the last axis.
    OneHot,
}

impl Law {
    /// The elements in row-major order, rounded to `F`.
    fn draw<F: Float>(self, seed: u64, shape: &[usize]) -> Vec<f64> {
        let hashes = hashes(seed, shape);
        match self {
            Law::Normal { deviation } => hashes
                .into_iter()
                .map(|hash| rounded::<F>(deviation * standard_normal(hash)))
                .collect(),
            Law::Uniform { start, end } => {
                hashes.into_iter().map(|hash| uniform_within::<F>(hash, start, end)).collect()
            }
            Law::Choice(values) => {
                hashes.into_iter().map(|hash| values[(hash >> 63) as usize]).collect()
            }
            Law::OneHot => largest_of_each(&hashes, shape.last().copied().unwrap_or(1)),
        }
    }

    /// Whether shrinking may lead to `value`.
    fn allows(self, value: f64) -> bool {
        match self {
            Law::Uniform { start, end } => (start..end).contains(&value),
            // A choice of 0, 1 and -1 is as simple as it gets: no step changes it.
            Law::Normal { .. } | Law::Choice(_) | Law::OneHot => true,
        }
    }

    /// `value` halved until it is no larger than `limit`, then rounded to `digits` significant
    /// digits, or to as few more as the law allows.
    fn simplified<F: Float>(self, value: f64, limit: f64, digits: Option<usize>) -> f64 {
        let legal = |simpler: f64| {
            let simpler = rounded::<F>(simpler);
            (simpler != 0.0 && self.allows(simpler)).then_some(simpler)
        };
        let mut scaled = value;
        while scaled.abs() > limit
            && let Some(half) = legal(scaled / 2.0)
        {
            scaled = half;
        }
        digits
            .into_iter()
            .flat_map(|fewest| fewest..=MOST_DIGITS)
            .find_map(|digits| {
                legal(significant(scaled, digits)).or_else(|| legal(cut(scaled, digits)))
            })
            .unwrap_or(scaled)
    }
}

/// `value` rounded to the nearest number of `digits` significant decimal digits.
fn significant(value: f64, digits: usize) -> f64 {
    quickly(value, digits)
        .unwrap_or_else(|| format!("{value:.*e}", digits - 1).parse().expect("a float reads back"))
}

/// The same without a text, which takes ten times as long: `None` where rounding here might not
/// be that of the decimal number, next to a tie or a power of ten, or far from 1.
///
/// A small integer and a power of ten below 10^22 are exact, so that their quotient is the float
/// nearest to the decimal number.
fn quickly(value: f64, digits: usize) -> Option<f64> {
    let exponent = value.abs().log10().floor();
    if exponent.abs() > 15.0 || exponent.is_nan() {
        return None;
    }
    let places = digits as i32 - 1 - exponent as i32;
    let power = 10.0_f64.powi(places.abs());
    let scaled = if places >= 0 { value * power } else { value / power };
    let least = 10.0_f64.powi(digits as i32 - 1);
    let inside = (least * (1.0 + 1e-9)..10.0 * least * (1.0 - 1e-9)).contains(&scaled.abs());
    let is_tie = (scaled.abs().fract() - 0.5).abs() < 1e-9;
    let whole = scaled.round();
    (inside && !is_tie).then(|| if places >= 0 { whole / power } else { whole * power })
}

/// `value` with all but the first `digits` significant decimal digits cut off.
fn cut(value: f64, digits: usize) -> f64 {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').expect("an exponent was asked for");
    let mantissa = &mantissa[..mantissa.len().min(".".len() + digits)];
    let kept: f64 = format!("{mantissa}e{exponent}").parse().expect("a float reads back");
    kept.copysign(value)
}

/// `value` in the float `F`.
fn from_f64<F: Float>(value: f64) -> F {
    <F as NumCast>::from(value).expect("a float takes every value of f64")
}

/// The value of `F` nearest to `value`.
fn rounded<F: Float>(value: f64) -> f64 {
    from_f64::<F>(value).to_f64().expect("a float has a value in f64")
}

/// `(fan_in, fan_out)` as the table of [`he_normal`] has them.
fn fans(dim: &impl Dimension) -> (f64, f64) {
    let shape: Vec<f64> = dim.as_array_view().iter().map(|&n| n as f64).collect();
    let (fan_in, fan_out) = match shape[..] {
        [] => (1.0, 1.0),
        [n] => (n, 1.0),
        [outputs, inputs, ref field @ ..] => {
            let field: f64 = field.iter().product();
            (inputs * field, outputs * field)
        }
    };
    (fan_in.max(1.0), fan_out.max(1.0))
}

/// A hash of the seed and the index for each element, in row-major order.
fn hashes(seed: u64, shape: &[usize]) -> Vec<u64> {
    if shape.contains(&0) {
        return Vec::new(); // and not a hash for each row of no elements
    }
    let mut hashes = vec![seed];
    for &extent in shape {
        let mut within = Vec::with_capacity(hashes.len() * extent);
        for hash in hashes {
            within.extend((0..extent as u64).map(|i| random::hash(hash, i)));
        }
        hashes = within;
    }
    hashes
}

/// A number strictly between 0 and 1: the middle of one of 2^52 equal cells, which is exact.
fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// A standard normal number (Box and Muller 1958). Never zero: the radius is not, and no
/// cell's middle is a quarter turn.
fn standard_normal(hash: u64) -> f64 {
    let radius = (-2.0 * unit(hash).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(random::hash(hash, 0))).cos()
}

/// A number of `F` in `start..end`, drawn again where rounding to `F` would leave the range.
fn uniform_within<F: Float>(mut hash: u64, start: f64, end: f64) -> f64 {
    for _ in 0..64 {
        // Not `start + u (end - start)`: the width of f64::MIN..f64::MAX overflows.
        let u = unit(hash);
        let value = rounded::<F>(start * (1.0 - u) + end * u);
        if (start..end).contains(&value) {
            return value;
        }
        hash = random::hash(hash, 0);
    }
    start
}

/// 1 at the largest hash of each row of `classes`, 0 elsewhere. The largest hash of the row,
/// not a hash of the row: with fewer classes most rows keep theirs.
fn largest_of_each(hashes: &[u64], classes: usize) -> Vec<f64> {
    let mut values = vec![0.0; hashes.len()];
    if classes > 0 {
        for (row, values) in hashes.chunks(classes).zip(values.chunks_mut(classes)) {
            let class = (0..classes).max_by_key(|&class| row[class]);
            values[class.expect("a row has classes")] = 1.0;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To the last bit, at ties and powers of ten too.
    #[test]
    fn rounding_without_a_text_is_that_of_the_text() {
        let by_text = |value: f64, digits: usize| -> f64 {
            format!("{value:.*e}", digits - 1).parse().expect("a float reads back")
        };
        let drawn = (0..20_000_u64).map(|k| {
            let size = 10.0_f64.powf(36.0 * unit(random::hash(1, k)) - 18.0);
            standard_normal(random::hash(2, k)) * size
        });
        let awkward = (1..2000_u32).flat_map(|k| {
            let tie = 0.5 * k as f64;
            let near = [tie, tie.next_up(), tie.next_down(), 1e-3 * tie, 1e5 * tie];
            [near, near.map(|value| -value)].concat()
        });
        let powers = (-20..20).flat_map(|k| {
            let power = 10.0_f64.powi(k);
            [power, power.next_up(), power.next_down(), 9.996 * power, 0.999_5 * power]
        });
        let extremes = [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0 / 3.0];
        let (mut quick, mut all) = (0, 0);
        for value in drawn.chain(awkward).chain(powers).chain(extremes) {
            for digits in 1..=MOST_DIGITS {
                let (got, wanted) = (significant(value, digits), by_text(value, digits));
                assert_eq!(got.to_bits(), wanted.to_bits(), "{value:e} to {digits}: {got:e}");
                quick += <usize as From<bool>>::from(quickly(value, digits).is_some());
                all += 1;
            }
        }
        assert!(quick > all / 2, "{quick} of {all}");
    }

    #[test]
    fn a_cut_number_keeps_its_first_digits() {
        let cuts = [(1.29, 2), (-0.0678, 1), (999.0, 2), (5.0, 3)].map(|(v, d)| cut(v, d));
        assert_eq!(cuts, [1.2, -0.06, 990.0, 5.0]);
    }
}
