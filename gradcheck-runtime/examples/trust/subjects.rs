//! Functions with hand-written gradients, and the states they are checked at.
//!
//! Every function is generic over its scalar ([`Real`]), so that the same code runs in `f64`,
//! in `f32` and on the dual numbers of `oracle.rs`, which prove each gradient. Arrays are
//! row-major slices; a batch is the last axis (features by samples) unless a function says
//! otherwise.
use std::fmt::Debug;
use std::ops::{Index, IndexMut};

use gradcheck_runtime::flatten::{Flatten, FlattenMut, Scalar, Step, Visitor, VisitorMut};
use ndarray::{ArrayD, IxDyn};
use num_traits::{Float, NumAssign};

#[path = "subjects/images.rs"]
mod images;
#[path = "subjects/network.rs"]
mod network;
#[path = "subjects/normalise.rs"]
mod normalise;
#[path = "subjects/regressions.rs"]
mod regressions;
#[path = "subjects/scalars.rs"]
mod scalars;
#[path = "subjects/sequences.rs"]
mod sequences;

pub(crate) use images::{Convolution, MaxPool};
pub(crate) use network::{Activation, Loss, Network};
pub(crate) use normalise::{Normalisation, Over};
pub(crate) use regressions::{
    Affine, Embedding, Factorisation, Hinge, Huber, Logistic, SoftmaxCrossEntropy,
};
pub(crate) use scalars::{
    Cosine, Density, LogSumExp, Reciprocal, Rosenbrock, SoftplusGap, Steep, Variational,
};
pub(crate) use sequences::{Attention, Gru, Lstm, Recurrent};

/// The scalar a function runs on.
///
/// A tape scalar needs no more than `impl Real for Var {}`.
pub(crate) trait Real: Float + NumAssign + Debug + 'static {
    /// `self > other` where both branches are the same function: no kink (the stable forms of
    /// softplus and log-sum-exp branch so).
    fn above(self, other: Self) -> bool {
        self > other
    }
    /// Rounded to single precision, in value only.
    fn single(self) -> Self {
        self
    }
    /// Rounded to a multiple of `step`, in value only.
    fn grid(self, _step: f64) -> Self {
        self
    }
}

impl Real for f64 {
    fn single(self) -> f64 {
        f64::from(self as f32)
    }
    fn grid(self, step: f64) -> f64 {
        if step > 0.0 { (self / step).round() * step } else { self }
    }
}

impl Real for f32 {}

/// A constant.
pub(crate) fn lit<F: Real>(value: f64) -> F {
    <F as num_traits::NumCast>::from(value).expect("a constant that the scalar can hold")
}

/// The same for sizes.
pub(crate) fn count<F: Real>(value: usize) -> F {
    lit(value as f64)
}

/// splitmix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A stream for each list of numbers.
    pub(crate) fn new(parts: &[u64]) -> Rng {
        let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
        for &part in parts {
            rng.0 ^= part;
            rng.0 = rng.bits();
        }
        rng
    }
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Uniform in `[low, high)`.
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
    /// Uniform in `low..=high`.
    pub(crate) fn size(&mut self, low: usize, high: usize) -> usize {
        low + (self.bits() % (high - low + 1) as u64) as usize
    }
    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.size(0, n - 1)
    }
    pub(crate) fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }
    /// 1 or -1.
    pub(crate) fn sign(&mut self) -> f64 {
        if self.coin() { 1.0 } else { -1.0 }
    }
    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform(0.0, 1.0)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(0.0, 1.0)).cos()
    }
    pub(crate) fn normals(&mut self, n: usize, scale: f64) -> Vec<f64> {
        (0..n).map(|_| scale * self.normal()).collect()
    }
    pub(crate) fn uniforms(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| self.uniform(low, high)).collect()
    }
    /// 0 or 1.
    pub(crate) fn labels(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| f64::from(u8::from(self.coin()))).collect()
    }
    pub(crate) fn indices(&mut self, n: usize, below: usize) -> Vec<usize> {
        (0..n).map(|_| self.below(below)).collect()
    }
    /// From `1e-high` to `1e-low`, evenly in the exponent, of either sign.
    pub(crate) fn tiny(&mut self, low: f64, high: f64) -> f64 {
        self.sign() * 10_f64.powf(-self.uniform(low, high))
    }
}

/// Named arrays: parameters, or a gradient with respect to them.
#[derive(Clone, Debug)]
pub(crate) struct Params<F> {
    blocks: Vec<(&'static str, ArrayD<F>)>,
}

impl<F: Real> Params<F> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Params { blocks: Vec::new() }
    }
    /// One block more, row-major.
    pub(crate) fn with(mut self, name: &'static str, shape: &[usize], values: Vec<F>) -> Self {
        let array = ArrayD::from_shape_vec(IxDyn(shape), values).expect("values that fill a shape");
        self.blocks.push((name, array));
        self
    }
    pub(crate) fn zeros(&self) -> Self {
        self.map(|_| F::zero())
    }
    pub(crate) fn blocks(&self) -> usize {
        self.blocks.len()
    }
    /// Names of the blocks.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.blocks.iter().map(|(name, _)| *name).collect()
    }
    pub(crate) fn shape(&self, block: usize) -> &[usize] {
        self.blocks[block].1.shape()
    }
    /// Number of scalars.
    pub(crate) fn len(&self) -> usize {
        self.blocks.iter().map(|(_, array)| array.len()).sum()
    }
    pub(crate) fn map<G: Real>(&self, mut f: impl FnMut(F) -> G) -> Params<G> {
        let blocks = self.blocks.iter().map(|(name, array)| (*name, array.mapv(&mut f))).collect();
        Params { blocks }
    }
    pub(crate) fn cast<G: Real>(&self) -> Params<G> {
        self.map(cast)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = F> + '_ {
        (0..self.blocks()).flat_map(|b| self[b].iter().copied())
    }
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut F> + '_ {
        self.blocks.iter_mut().flat_map(|(_, array)| array.iter_mut())
    }
    /// All scalars in `f64`.
    pub(crate) fn flat(&self) -> Vec<f64> {
        self.iter().map(cast).collect()
    }
    /// Block and place in it of scalar `i` of all.
    pub(crate) fn locate(&self, mut i: usize) -> (usize, usize) {
        for block in 0..self.blocks() {
            let len = self[block].len();
            if i < len {
                return (block, i);
            }
            i -= len;
        }
        panic!("an index beyond the last scalar")
    }
    /// The block's position.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.blocks.iter().position(|(n, _)| *n == name)
    }
    pub(crate) fn is_finite(&self) -> bool {
        self.iter().all(Float::is_finite)
    }
}

fn cast<F: Real, G: Real>(value: F) -> G {
    <G as num_traits::NumCast>::from(value).expect("a value that the scalar can hold")
}

impl<F: Real> Index<usize> for Params<F> {
    type Output = [F];
    fn index(&self, block: usize) -> &[F] {
        self.blocks[block].1.as_slice().expect("row-major blocks")
    }
}

impl<F: Real> IndexMut<usize> for Params<F> {
    fn index_mut(&mut self, block: usize) -> &mut [F] {
        self.blocks[block].1.as_slice_mut().expect("row-major blocks")
    }
}

impl<F: Scalar> Flatten for Params<F> {
    fn flatten(&self, visitor: &mut dyn Visitor) {
        for (name, array) in &self.blocks {
            visitor.enter(Step::Key(name));
            array.flatten(visitor);
            visitor.leave();
        }
    }
}

impl<F: Scalar> FlattenMut for Params<F> {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        for (name, array) in &mut self.blocks {
            visitor.enter(Step::Key(name));
            array.flatten_mut(visitor);
            visitor.leave();
        }
    }
}

/// What a function is given beside its parameters. The features come first, targets next.
#[derive(Clone, Debug)]
pub(crate) struct Data<F> {
    pub(crate) arrays: Vec<Vec<F>>,
    pub(crate) index: Vec<usize>,
}

impl<F: Real> Data<F> {
    pub(crate) fn new(arrays: Vec<Vec<F>>) -> Self {
        Data { arrays, index: Vec::new() }
    }
    pub(crate) fn cast<G: Real>(&self) -> Data<G> {
        let arrays = self.arrays.iter().map(|a| a.iter().map(|&v| cast(v)).collect()).collect();
        Data { arrays, index: self.index.clone() }
    }
}

impl<F> Index<usize> for Data<F> {
    type Output = [F];
    fn index(&self, array: usize) -> &[F] {
        &self.arrays[array]
    }
}

/// The known shape of a fault, where it has one: what a diagnosis should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Known {
    /// Multiplied by the batch size: a mean's 1/m is missing.
    TimesBatch,
    /// Divided by the batch size once too often.
    OverBatch,
    /// Multiplied by a number that is no dimension: 2, 1/2, 1 + 1e-6, ..
    Scaled,
    /// Sign flipped, of all, of a block or of one component.
    Sign,
    /// Zero, all of it or one block.
    Zero,
    /// A square block transposed.
    Transposed,
    /// Two blocks of equal shape in each other's place.
    Swapped,
    /// Moved by one along an axis.
    Shifted,
    /// A term proportional to the parameter missing or too much.
    Proportional,
    /// One component is wrong.
    OneComponent,
    /// A handful of components is wrong.
    FewComponents,
    /// The first slice of what had to be summed.
    FirstSlice,
    /// The last slice of what had to be summed.
    LastSlice,
    /// Two components or rows in each other's place.
    Exchanged,
    /// The right formula in single precision.
    SinglePrecision,
    /// A NaN or an infinity.
    NotFinite,
    /// The same number added to every component.
    Constant,
    /// Only wrong in states of one kind (trained, saturated, batch of one).
    OnlyThere,
}

impl Known {
    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Known::TimesBatch => "scaled by m",
            Known::OverBatch => "scaled by 1/m",
            Known::Scaled => "scaled",
            Known::Sign => "sign",
            Known::Zero => "zero",
            Known::Transposed => "transposed",
            Known::Swapped => "swapped",
            Known::Shifted => "shifted",
            Known::Proportional => "proportional",
            Known::OneComponent => "one component",
            Known::FewComponents => "few components",
            Known::FirstSlice => "first slice",
            Known::LastSlice => "last slice",
            Known::Exchanged => "exchanged",
            Known::SinglePrecision => "single precision",
            Known::NotFinite => "not finite",
            Known::Constant => "constant",
            Known::OnlyThere => "only there",
        }
    }
}

macro_rules! bugs {
    ($($variant:ident $text:literal $known:expr;)*) => {
        /// A mistake inside a backward function. `None` is the correct one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Bug { None, $($variant),* }
        impl Bug {
            /// All mistakes.
            pub(crate) const ALL: &'static [Bug] = &[$(Bug::$variant),*];
            /// What it is, in words.
            pub(crate) fn name(self) -> &'static str {
                match self { Bug::None => "correct", $(Bug::$variant => $text),* }
            }
            /// The shape a diagnosis could know it by.
            pub(crate) fn known(self) -> Option<Known> {
                match self { Bug::None => None, $(Bug::$variant => $known),* }
            }
        }
    };
}

bugs! {
    MeanMissing "mean: 1/m missing" Some(Known::TimesBatch);
    MeanTwice "mean: 1/m applied twice" Some(Known::OverBatch);
    MeanOffByOne "mean: 1/(m - 1)" Some(Known::Scaled);
    HalfSquareTwo "square: factor 2 too many" Some(Known::Scaled);
    TargetForgotten "residual without the target" None;
    LabelShifted "one-hot label shifted by one class" None;
    BiasFirst "bias: first sample in place of the sum" Some(Known::FirstSlice);
    BiasLast "bias: last sample in place of the sum" Some(Known::LastSlice);
    BiasMean "bias: mean in place of the sum" None;
    FirstSample "only the first sample counted" None;
    LastSampleDropped "last sample left out" None;
    PenaltyMissing "penalty: term missing" Some(Known::Proportional);
    PenaltyDoubled "penalty: term doubled" Some(Known::Proportional);
    PenaltyOnBias "penalty: on the biases too" Some(Known::Proportional);
    PenaltyNotMean "penalty: 1/m missing" Some(Known::Proportional);
    MaskAbove "relu: mask z > 0.25" None;
    MaskInverted "relu: mask inverted" None;
    MaskDropped "relu: mask forgotten" None;
    MaskWrongLayer "relu: mask of another layer" None;
    MaskOnGradient "relu: mask taken from the gradient" None;
    LeakForgotten "leaky relu: slope forgotten" None;
    LeakEverywhere "leaky relu: slope on both sides" None;
    TanhOfPre "tanh' = 1 - z^2" None;
    TanhNotSquared "tanh' = 1 - a" None;
    TanhForgotten "tanh' forgotten" None;
    SigmoidNoComplement "sigmoid' = s, without (1 - s)" None;
    SigmoidOfSigmoid "sigmoid' taken at s in place of z" None;
    GeluNoDensity "gelu': second term missing" None;
    GeluFactorThree "gelu': inner 3 forgotten" None;
    GeluConstant "gelu: 0.044715 mistyped as 0.04475" None;
    GeluOtherForm "gelu: tanh form behind an erf forward" None;
    GeluDensityScale "gelu': density without 1/sqrt(2 pi)" None;
    SiluNoProduct "silu' = s" None;
    WeightsNotTransposed "chain: W in place of its transpose" None;
    PreActivation "chain: pre-activation in place of activation" None;
    Detached "chain: stopped below the last layer" Some(Known::Zero);
    ClippedProbability "cross-entropy: probability clipped at 1e-4" None;
    NormMeanTerm "normalisation: mean term missing" None;
    NormVarianceTerm "normalisation: variance term missing" None;
    NormBothTerms "normalisation: statistics held constant" None;
    NormEpsOutside "normalisation: eps outside the root" None;
    NormEpsForgotten "normalisation: eps forgotten" None;
    NormBessel "normalisation: variance over m - 1" None;
    NormSumNotMean "normalisation: sums in place of means" None;
    NormGammaForgotten "normalisation: gamma forgotten in the chain" None;
    NormGammaInput "normalisation: dgamma with x in place of x^" None;
    ConvFlippedKernel "convolution: kernel gradient flipped" None;
    ConvFlippedInput "convolution: input gradient with the kernel flipped" None;
    ConvPadding "convolution: a padding column missing" None;
    ConvChannels "convolution: channels in reverse" None;
    PoolAllTies "max pool: gradient to every tie" None;
    PoolFirst "max pool: gradient to the first of the window" None;
    PoolAverage "max pool: gradient spread over the window" None;
    GatesSwapped "lstm: input and forget gates swapped" Some(Known::Swapped);
    ForgetDerivative "lstm: forget gate's derivative missing" None;
    CellPath "lstm: cell state's path cut" None;
    CellTanh "lstm: tanh' of the cell missing" None;
    HiddenPath "recurrent: hidden state's path cut" None;
    StepOverwritten "recurrent: steps overwritten, not accumulated" None;
    ResetPath "gru: reset gate's gradient missing" Some(Known::Zero);
    ResetFactor "gru: reset gate forgotten in dh" None;
    UpdateSign "gru: update gate's sign" Some(Known::Sign);
    ScoreScale "attention: 1/sqrt(d) missing backwards" None;
    SoftmaxDiagonal "softmax: Jacobian's off-diagonal dropped" None;
    SoftmaxNoSum "softmax: row sum not subtracted" None;
    KeysQueries "attention: queries and keys swapped" Some(Known::Swapped);
    CausalMask "attention: causal mask ignored backwards" None;
    RowsOverwritten "embedding: repeated rows overwritten" None;
    RowsAveraged "embedding: repeated rows averaged" None;
    RowsOffByOne "embedding: rows off by one" Some(Known::Shifted);
    NotClamped "huber: residual not clamped" None;
    ClampedAtOne "huber: clamped at 1, not at delta" None;
    AbsSign "l1: sign always +1" None;
    HingeMargin "hinge: margin 0 in place of 1" None;
    LogDetMissing "density: log-determinant missing" None;
    LogDiagonal "density: exp of the log-diagonal forgotten" None;
    OffDiagonal "density: off-diagonal terms dropped" None;
    CrossTerm "cross term dropped" None;
    NeighbourShifted "neighbour's term shifted" None;
    Temperature "temperature forgotten" None;
    Unnormalised "exponentials not normalised" None;
    ChainFactor "inner derivative forgotten" None;
    HalfInExponent "exp(v/2): 1/2 forgotten" None;
    ProjectionTerm "cosine: projection dropped" None;
    NormSquared "cosine: norm squared by mistake" None;
    PowerOfDenominator "1/x: derivative -1/x" None;
    LeftFactor "product: left factor not transposed" None;
}

/// What a function can tell of itself.
pub(crate) trait Model: Clone {
    /// The value.
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F;
    /// The gradient of [`Model::forward`] with respect to `p`, by hand, with one mistake.
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F>;
    /// The mistakes that its backward function knows.
    fn bugs(&self) -> Vec<Bug>;
    /// Sizes by name; `m` is the batch.
    fn dims(&self) -> Vec<(&'static str, usize)>;
    /// A random initialisation with random inputs.
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>);
    /// The blocks that start at zero in practice.
    fn biases(&self) -> &'static [&'static str] {
        &[]
    }
    /// The same with a batch of `m`, where samples are the last axis of every array of the data.
    fn of_samples(&self, _m: usize) -> Option<Self> {
        None
    }
    /// Where the samples lie in the features (array 0 of the data); `None` without features.
    fn features(&self) -> Option<Samples> {
        None
    }
    /// The largest pre-activation, and the blocks it is proportional to.
    fn drive(&self, _p: &Params<f64>, _x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        None
    }
    /// Puts a unit at `offset` from its kink, exactly at it when 0.
    fn kink(&self, _rng: &mut Rng, _p: &mut Params<f64>, _x: &mut Data<f64>, _offset: f64) -> bool {
        false
    }
    /// Changes the targets so that the fit is perfect.
    fn fit(&self, _p: &Params<f64>, _x: &mut Data<f64>) -> bool {
        false
    }
    /// Whether a value has nothing left but rounding.
    fn is_lost(&self, _value: f64) -> bool {
        false
    }
    /// Range of pre-activations in the saturated class.
    fn saturation(&self) -> (f64, f64) {
        (8.0, 16.0)
    }
}

/// Layout of the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Samples {
    /// Features by samples.
    Last,
    /// Samples by features.
    First,
}

macro_rules! models {
    ($($name:ident),* $(,)?) => {
        /// Any of the functions.
        #[derive(Clone, Debug)]
        pub(crate) enum AnyModel { $($name($name)),* }
        $(impl From<$name> for AnyModel {
            fn from(model: $name) -> AnyModel { AnyModel::$name(model) }
        })*
        impl Model for AnyModel {
            fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
                match self { $(AnyModel::$name(model) => model.forward(p, x)),* }
            }
            fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
                match self { $(AnyModel::$name(model) => model.backward(p, x, bug)),* }
            }
            fn bugs(&self) -> Vec<Bug> {
                match self { $(AnyModel::$name(model) => model.bugs()),* }
            }
            fn dims(&self) -> Vec<(&'static str, usize)> {
                match self { $(AnyModel::$name(model) => model.dims()),* }
            }
            fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
                match self { $(AnyModel::$name(model) => model.draw(rng)),* }
            }
            fn biases(&self) -> &'static [&'static str] {
                match self { $(AnyModel::$name(model) => model.biases()),* }
            }
            fn of_samples(&self, m: usize) -> Option<AnyModel> {
                match self { $(AnyModel::$name(model) => model.of_samples(m).map(Into::into)),* }
            }
            fn features(&self) -> Option<Samples> {
                match self { $(AnyModel::$name(model) => model.features()),* }
            }
            fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
                match self { $(AnyModel::$name(model) => model.drive(p, x)),* }
            }
            fn kink(
                &self,
                rng: &mut Rng,
                p: &mut Params<f64>,
                x: &mut Data<f64>,
                offset: f64,
            ) -> bool {
                match self { $(AnyModel::$name(model) => model.kink(rng, p, x, offset)),* }
            }
            fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
                match self { $(AnyModel::$name(model) => model.fit(p, x)),* }
            }
            fn is_lost(&self, value: f64) -> bool {
                match self { $(AnyModel::$name(model) => model.is_lost(value)),* }
            }
            fn saturation(&self) -> (f64, f64) {
                match self { $(AnyModel::$name(model) => model.saturation()),* }
            }
        }
    };
}

models! {
    Network, Affine, Normalisation, Convolution, MaxPool, Lstm, Gru, Recurrent, Attention,
    Embedding, SoftmaxCrossEntropy, Huber, Hinge, Logistic, Factorisation, Density, Rosenbrock,
    LogSumExp, Steep, Reciprocal, SoftplusGap, Variational, Cosine,
}

/// A function at a state.
#[derive(Clone, Debug)]
pub(crate) struct Case<F> {
    pub(crate) model: AnyModel,
    pub(crate) params: Params<F>,
    pub(crate) data: Data<F>,
    /// Added to the value.
    pub(crate) constant: F,
    /// What each block is multiplied by before the function sees it; empty for 1.
    pub(crate) scales: Vec<F>,
    /// Training steps that led here.
    pub(crate) steps: usize,
}

impl<F: Real> Case<F> {
    fn seen(&self, p: &Params<F>) -> Params<F> {
        let mut p = p.clone();
        for (block, &scale) in self.scales.iter().enumerate() {
            p[block].iter_mut().for_each(|v| *v *= scale);
        }
        p
    }
    /// The value at `p`.
    pub(crate) fn forward(&self, p: &Params<F>) -> F {
        let value = if self.scales.is_empty() {
            self.model.forward(p, &self.data)
        } else {
            self.model.forward(&self.seen(p), &self.data)
        };
        value + self.constant
    }
    /// The gradient at `p`, with one mistake.
    pub(crate) fn gradient(&self, p: &Params<F>, bug: Bug) -> Params<F> {
        if self.scales.is_empty() {
            return self.model.backward(p, &self.data, bug);
        }
        let mut g = self.model.backward(&self.seen(p), &self.data, bug);
        for (block, &scale) in self.scales.iter().enumerate() {
            g[block].iter_mut().for_each(|v| *v *= scale);
        }
        g
    }
    /// Whether there is anything to check.
    fn is_finite(&self) -> bool {
        self.forward(&self.params).is_finite() && self.gradient(&self.params, Bug::None).is_finite()
    }
    /// The same function and state on another scalar, rounded where it is narrower.
    pub(crate) fn cast<G: Real>(&self) -> Case<G> {
        Case {
            model: self.model.clone(),
            params: self.params.cast(),
            data: self.data.cast(),
            constant: cast(self.constant),
            scales: self.scales.iter().map(|&s| cast(s)).collect(),
            steps: self.steps,
        }
    }
    /// The same parameters with the first `m` samples only.
    pub(crate) fn first_samples(&self, m: usize) -> Option<Case<F>> {
        let all = self.dim("m").filter(|&all| m < all)?;
        let model = self.model.of_samples(m)?;
        let first = |values: &Vec<F>| -> Vec<F> {
            values.chunks_exact(all).flat_map(|row| &row[..m]).copied().collect()
        };
        let arrays = self.data.arrays.iter().map(first).collect();
        let index = self.data.index.iter().take(m).copied().collect();
        Some(Case { model, data: Data { arrays, index }, ..self.clone() })
    }
    /// A size by name.
    pub(crate) fn dim(&self, name: &str) -> Option<usize> {
        self.model.dims().iter().find(|(n, _)| *n == name).map(|&(_, size)| size)
    }
}

impl Case<f64> {
    /// Plain descent: the rate halves until the value decreases.
    fn train(&mut self, steps: usize) {
        self.descend(steps, f64::NEG_INFINITY, 1.0);
    }
    /// The same until the value is below a target; the rate grows while it decreases.
    fn converge(&mut self, target: f64) {
        self.descend(1500, target, 1.3);
    }
    fn descend(&mut self, steps: usize, target: f64, growth: f64) {
        let mut value = self.forward(&self.params);
        let mut rate = 0.2;
        for _ in 0..steps {
            if value <= target {
                return;
            }
            let g = self.gradient(&self.params, Bug::None);
            let arrived = (0..60).find_map(|_| {
                let mut p = self.params.clone();
                p.iter_mut().zip(g.iter()).for_each(|(p, g)| *p -= rate * g);
                let next = self.forward(&p);
                if next < value {
                    return Some((p, next));
                }
                rate *= 0.5;
                None
            });
            let Some((p, next)) = arrived else { return };
            (self.params, value) = (p, next);
            self.steps += 1;
            rate *= growth;
        }
    }
}

macro_rules! classes {
    ($($variant:ident $name:literal $ordinary:literal;)*) => {
        /// A kind of state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Class { $($variant),* }
        impl Class {
            /// All kinds.
            pub(crate) const ALL: &'static [Class] = &[$(Class::$variant),*];
            /// Its name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Class::$variant => $name),* }
            }
            /// Where hardly a component may stay undecided.
            pub(crate) fn is_ordinary(self) -> bool {
                match self { $(Class::$variant => $ordinary),* }
            }
        }
    };
}

classes! {
    Random "random" true;
    ZeroBiases "zero biases" true;
    Trained "trained" true;
    Converged "converged" false;
    PerfectFit "perfect fit" false;
    Saturated "saturated" false;
    SmallInputs "inputs 1e-3" true;
    LargeInputs "inputs 1e3" true;
    MixedScales "mixed scales" false;
    OnKink "on a kink" false;
    NearKink "near a kink" false;
    LargeConstant "constant 1e6" false;
    BatchOfOne "batch of one" true;
    Single "f32" false;
}

/// A function with the sizes it is drawn at.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// Share of the states, 1 for a small function.
    pub(crate) weight: f64,
    make: fn(&mut Rng, bool) -> Option<AnyModel>,
}

impl Subject {
    /// Whether its forward rounds on purpose, to fewer digits than its type has: no ordinary
    /// function in any class.
    pub(crate) fn is_rounded(&self) -> bool {
        matches!(self.name, "f32 inside" | "quantised")
    }
    /// What its states are drawn by.
    fn id(&self) -> u64 {
        // FNV-1a, so that a new subject does not move the states of the others.
        self.name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
    }
    /// State `index` of a class, or `None` where the function has no such state.
    pub(crate) fn state(&self, class: Class, seed: u64, index: u64) -> Option<Case<f64>> {
        let class_id = class.name().bytes().fold(0, |h: u64, b| h.wrapping_mul(31) + u64::from(b));
        let mut rng = Rng::new(&[seed, self.id(), class_id, index]);
        (0..6).find_map(|_| {
            let case = self.attempt(class, &mut rng)?;
            let fine = if class == Class::Single {
                case.cast::<f32>().is_finite()
            } else {
                case.is_finite()
            };
            (fine && !case.model.is_lost(case.forward(&case.params))).then_some(case)
        })
    }

    fn attempt(&self, class: Class, rng: &mut Rng) -> Option<Case<f64>> {
        let model = (self.make)(rng, class == Class::BatchOfOne)?;
        let (params, data) = model.draw(rng);
        let mut case = Case { model, params, data, constant: 0.0, scales: Vec::new(), steps: 0 };
        match class {
            Class::Random | Class::BatchOfOne | Class::Single => {
                // A third of the single-precision states are trained ones.
                if class == Class::Single && rng.below(3) == 0 {
                    case.train(rng.size(1, 50));
                }
            }
            Class::ZeroBiases => {
                let names = case.model.biases();
                if names.is_empty() {
                    return None;
                }
                for name in names {
                    if let Some(block) = case.params.find(name) {
                        case.params[block].fill(0.0);
                    }
                }
            }
            Class::Trained => case.train(rng.size(1, 50)),
            Class::Converged => {
                case.converge(0.1);
                let cost = case.forward(&case.params);
                if cost.is_nan() || cost >= 0.1 {
                    return None;
                }
                case.train(rng.size(1, 20));
            }
            Class::PerfectFit => {
                if !case.model.fit(&case.params, &mut case.data) {
                    return None;
                }
            }
            Class::Saturated => {
                let (low, high) = case.model.saturation();
                let target = rng.uniform(low, high);
                let (largest, blocks) = case.model.drive(&case.params, &case.data)?;
                scale_blocks(&mut case.params, &blocks, target / largest);
            }
            Class::SmallInputs | Class::LargeInputs => {
                case.model.features()?;
                let factor = if class == Class::SmallInputs { 1e-3 } else { 1e3 };
                case.data.arrays[0].iter_mut().for_each(|v| *v *= factor);
                // Beyond some 30 a sigmoid is 0 or 1 and the cost infinite: no state to check.
                if let Some((largest, blocks)) = case.model.drive(&case.params, &case.data)
                    && largest > 8.0
                {
                    scale_blocks(&mut case.params, &blocks, rng.uniform(1.0, 8.0) / largest);
                }
            }
            Class::MixedScales => {
                if case.params.blocks() < 2 {
                    return None;
                }
                let chosen = rng.below(case.params.blocks());
                case.scales = vec![1.0; case.params.blocks()];
                match rng.below(3) {
                    // Parameters of 1e9, gradient of 1e-9.
                    0 => {
                        case.scales[chosen] = 1e-9;
                        scale_blocks(&mut case.params, &[chosen], 1e9);
                    }
                    // Parameters of 1e-9, gradient of 1e9.
                    1 => {
                        case.scales[chosen] = 1e9;
                        scale_blocks(&mut case.params, &[chosen], 1e-9);
                    }
                    // Ordinary parameters that hardly matter.
                    _ => case.scales[chosen] = 1e-9,
                }
            }
            Class::OnKink | Class::NearKink => {
                let offset = if class == Class::OnKink { 0.0 } else { rng.tiny(5.0, 9.0) };
                if !case.model.kink(rng, &mut case.params, &mut case.data, offset) {
                    return None;
                }
            }
            Class::LargeConstant => case.constant = 1e6,
        }
        if class == Class::Single {
            case = case.cast::<f32>().cast();
        }
        Some(case)
    }
}

fn scale_blocks(params: &mut Params<f64>, blocks: &[usize], factor: f64) {
    for &block in blocks {
        params[block].iter_mut().for_each(|v| *v *= factor);
    }
}

fn batch(rng: &mut Rng, one: bool, low: usize, high: usize) -> usize {
    let drawn = rng.size(low, high);
    if one { 1 } else { drawn }
}

fn small_sizes(rng: &mut Rng) -> Vec<usize> {
    let hidden = rng.size(2, 4);
    // Square layers now and then, so that a transposition can hide.
    let second = if rng.coin() { hidden } else { rng.size(2, 4) };
    if rng.coin() {
        vec![rng.size(2, 4), hidden, second, 1]
    } else {
        vec![rng.size(2, 4), hidden, 1]
    }
}

/// A network of given layer sizes with the course's cross-entropy.
fn classical(sizes: &[usize], m: usize) -> AnyModel {
    Network::new(sizes.to_vec(), m, Activation::Relu, Loss::CrossEntropy).into()
}

fn hidden(rng: &mut Rng, one: bool, activation: Activation, loss: Loss) -> Network {
    let mut sizes = small_sizes(rng);
    if loss == Loss::Squares {
        *sizes.last_mut().expect("layers") = rng.size(1, 3);
    }
    Network::new(sizes, batch(rng, one, 2, 6), activation, loss)
}

/// Layer sizes of the network with 47 parameters.
pub(crate) const NETWORK_47: &[usize] = &[4, 5, 3, 1];
/// Layer sizes of the network with 951 parameters.
pub(crate) const NETWORK_951: &[usize] = &[10, 25, 25, 1];
/// Layer sizes of the network with 7,521 parameters.
pub(crate) const NETWORK_7521: &[usize] = &[11, 80, 80, 1];
/// Layer sizes of the network with 79,521 parameters: only where it is asked for by name.
pub(crate) const NETWORK_79521: &[usize] = &[15, 224, 336, 1];

/// The functions, in the order of the tables.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "network 47",
        weight: 2.0,
        make: |rng, one| Some(classical(NETWORK_47, batch(rng, one, 3, 8))),
    },
    Subject {
        name: "network 951",
        weight: 0.25,
        make: |rng, one| Some(classical(NETWORK_951, batch(rng, one, 4, 8))),
    },
    Subject {
        name: "network 7521",
        weight: 0.004,
        make: |rng, one| Some(classical(NETWORK_7521, batch(rng, one, 6, 8))),
    },
    Subject {
        name: "network 79521",
        weight: 0.0,
        make: |rng, one| Some(classical(NETWORK_79521, batch(rng, one, 6, 8))),
    },
    Subject {
        name: "network, logits",
        weight: 1.0,
        make: |rng, one| Some(hidden(rng, one, Activation::Relu, Loss::Logits).into()),
    },
    Subject {
        name: "network, penalty",
        weight: 1.0,
        make: |rng, one| {
            Some(hidden(rng, one, Activation::Relu, Loss::CrossEntropy).penalty(0.3).into())
        },
    },
    Subject {
        name: "network, leaky",
        weight: 1.0,
        make: |rng, one| Some(hidden(rng, one, Activation::Leaky, Loss::Squares).into()),
    },
    Subject {
        name: "network, tanh",
        weight: 1.0,
        make: |rng, one| Some(hidden(rng, one, Activation::Tanh, Loss::CrossEntropy).into()),
    },
    Subject {
        name: "network, sigmoid",
        weight: 1.0,
        make: |rng, one| Some(hidden(rng, one, Activation::Sigmoid, Loss::Squares).into()),
    },
    Subject {
        name: "network, silu",
        weight: 1.0,
        make: |rng, one| Some(hidden(rng, one, Activation::Silu, Loss::Squares).into()),
    },
    Subject {
        name: "gelu, tanh form",
        weight: 1.0,
        make: |rng, one| Some(hidden(rng, one, Activation::GeluTanh, Loss::Squares).into()),
    },
    Subject {
        name: "gelu, erf form",
        weight: 0.5,
        make: |rng, one| Some(hidden(rng, one, Activation::GeluErf, Loss::Squares).into()),
    },
    Subject {
        name: "f32 inside",
        weight: 1.0,
        make: |rng, one| {
            Some(hidden(rng, one, Activation::Tanh, Loss::Squares).single_inside().into())
        },
    },
    Subject {
        name: "quantised",
        weight: 1.0,
        make: |rng, one| {
            let step = (-rng.uniform(20.0, 34.0)).exp2();
            Some(hidden(rng, one, Activation::Tanh, Loss::Logits).quantised(step).into())
        },
    },
    Subject {
        name: "affine, squares",
        weight: 1.0,
        make: |rng, one| {
            let n = rng.size(1, 4);
            let k = if rng.coin() { n } else { rng.size(1, 4) };
            Some(Affine { n, k, m: batch(rng, one, 2, 6) }.into())
        },
    },
    Subject {
        name: "batch norm",
        weight: 1.0,
        make: |rng, one| {
            let (n, k) = (rng.size(1, 3), rng.size(1, 3));
            Some(Normalisation { over: Over::Batch, n, k, m: batch(rng, one, 3, 7) }.into())
        },
    },
    Subject {
        name: "layer norm",
        weight: 1.0,
        make: |rng, one| {
            let (n, k) = (rng.size(1, 3), rng.size(3, 5));
            Some(Normalisation { over: Over::Features, n, k, m: batch(rng, one, 1, 5) }.into())
        },
    },
    Subject {
        name: "convolution",
        weight: 0.5,
        make: |rng, one| {
            let (height, width) = (rng.size(4, 6), rng.size(4, 6));
            let (channels, stride) = (rng.size(1, 3), rng.size(1, 2));
            let m = batch(rng, one, 1, 3);
            Some(Convolution { height, width, channels, stride, m }.into())
        },
    },
    Subject {
        name: "max pool",
        weight: 1.0,
        make: |rng, one| {
            Some(MaxPool { channels: rng.size(1, 2), m: batch(rng, one, 1, 3) }.into())
        },
    },
    Subject {
        name: "lstm",
        weight: 0.5,
        make: |rng, one| {
            let (n, h, t) = (rng.size(1, 3), rng.size(1, 3), rng.size(1, 4));
            Some(Lstm { n, h, t, m: batch(rng, one, 1, 4) }.into())
        },
    },
    Subject {
        name: "gru",
        weight: 0.5,
        make: |rng, one| {
            let (n, h, t) = (rng.size(1, 3), rng.size(1, 3), rng.size(2, 4));
            Some(Gru { n, h, t, m: batch(rng, one, 1, 4) }.into())
        },
    },
    Subject {
        name: "recurrent",
        weight: 1.0,
        make: |rng, one| {
            let (n, h, t) = (rng.size(1, 3), rng.size(2, 4), rng.size(2, 6));
            Some(Recurrent { n, h, t, m: batch(rng, one, 1, 4) }.into())
        },
    },
    Subject {
        name: "attention",
        weight: 0.5,
        make: |rng, one| {
            let d = rng.size(2, 4);
            let k = if rng.coin() { d } else { rng.size(2, 4) };
            let t = batch(rng, one, 2, 5);
            Some(Attention { d, k, t, causal: rng.coin() }.into())
        },
    },
    Subject {
        name: "embedding",
        weight: 1.0,
        make: |rng, one| {
            let (rows, d) = (rng.size(3, 6), rng.size(2, 4));
            Some(Embedding { rows, d, m: batch(rng, one, 4, 8) }.into())
        },
    },
    Subject {
        name: "softmax cross-entropy",
        weight: 1.0,
        make: |rng, one| {
            let (n, k) = (rng.size(2, 4), rng.size(2, 5));
            Some(SoftmaxCrossEntropy { n, k, m: batch(rng, one, 2, 6) }.into())
        },
    },
    Subject {
        name: "huber and l1",
        weight: 1.0,
        make: |rng, one| {
            let delta = rng.uniform(0.4, 0.9);
            Some(Huber { n: rng.size(2, 6), m: batch(rng, one, 3, 8), delta }.into())
        },
    },
    Subject {
        name: "hinge",
        weight: 1.0,
        make: |rng, one| Some(Hinge { n: rng.size(2, 6), m: batch(rng, one, 3, 8) }.into()),
    },
    Subject {
        name: "logistic, penalty",
        weight: 1.0,
        make: |rng, one| {
            let (n, m) = (rng.size(2, 6), batch(rng, one, 3, 8));
            Some(Logistic { n, m, lambda: 0.4, stable: true }.into())
        },
    },
    Subject {
        name: "lost digits",
        weight: 1.0,
        make: |rng, one| {
            let (n, m) = (rng.size(2, 6), batch(rng, one, 3, 8));
            Some(Logistic { n, m, lambda: 0.0, stable: false }.into())
        },
    },
    Subject {
        name: "kept digits",
        weight: 1.0,
        make: |rng, one| {
            let (n, m) = (rng.size(2, 6), batch(rng, one, 3, 8));
            Some(Logistic { n, m, lambda: 0.0, stable: true }.into())
        },
    },
    Subject {
        name: "factorisation",
        weight: 1.0,
        make: |rng, one| {
            let k = rng.size(2, 4);
            (!one).then(|| Factorisation { k }.into())
        },
    },
    Subject {
        name: "gaussian density",
        weight: 1.0,
        make: |rng, one| Some(Density { d: rng.size(2, 5), m: batch(rng, one, 3, 8) }.into()),
    },
    Subject {
        name: "variational",
        weight: 1.0,
        make: |rng, one| (!one).then(|| Variational { d: rng.size(2, 8) }.into()),
    },
    Subject {
        name: "rosenbrock",
        weight: 1.0,
        make: |rng, one| (!one).then(|| Rosenbrock { n: rng.size(2, 9) }.into()),
    },
    Subject {
        name: "log-sum-exp",
        weight: 1.0,
        make: |rng, one| {
            let (n, k) = (rng.size(1, 5), rng.size(2, 6));
            (!one).then(|| LogSumExp { n, k }.into())
        },
    },
    Subject {
        name: "exp(50 x)",
        weight: 1.0,
        make: |rng, one| (!one).then(|| Steep { n: rng.size(2, 6) }.into()),
    },
    Subject {
        name: "1/x near 0.01",
        weight: 1.0,
        make: |rng, one| (!one).then(|| Reciprocal { n: rng.size(2, 6) }.into()),
    },
    Subject {
        name: "softplus(z) - z",
        weight: 1.0,
        make: |rng, one| (!one).then(|| SoftplusGap { n: rng.size(2, 6) }.into()),
    },
    Subject {
        name: "cosine",
        weight: 1.0,
        make: |rng, one| (!one).then(|| Cosine { d: rng.size(2, 6) }.into()),
    },
];

/// `w x`: `[o, i]` by `[i, m]`.
pub(crate) fn product<F: Real>(w: &[F], x: &[F], i: usize, m: usize) -> Vec<F> {
    let mut z = vec![F::zero(); w.len() / i * m];
    for (row, out) in w.chunks_exact(i).zip(z.chunks_exact_mut(m)) {
        for (&w, x) in row.iter().zip(x.chunks_exact(m)) {
            for (out, &x) in out.iter_mut().zip(x) {
                *out += w * x;
            }
        }
    }
    z
}

/// `d x'`: `[o, m]` by the transpose of `[i, m]`.
pub(crate) fn product_transposed<F: Real>(d: &[F], x: &[F], m: usize) -> Vec<F> {
    let mut g = Vec::with_capacity(d.len() / m * (x.len() / m));
    for d in d.chunks_exact(m) {
        for x in x.chunks_exact(m) {
            g.push(d.iter().zip(x).fold(F::zero(), |s, (&d, &x)| s + d * x));
        }
    }
    g
}

/// `w' d`: the transpose of `[o, i]` by `[o, m]`.
pub(crate) fn transposed_product<F: Real>(w: &[F], d: &[F], i: usize, m: usize) -> Vec<F> {
    let mut g = vec![F::zero(); i * m];
    for (row, d) in w.chunks_exact(i).zip(d.chunks_exact(m)) {
        for (&w, g) in row.iter().zip(g.chunks_exact_mut(m)) {
            for (g, &d) in g.iter_mut().zip(d) {
                *g += w * d;
            }
        }
    }
    g
}

/// Adds `b` to each of the `m` columns of `z`.
pub(crate) fn add_bias<F: Real>(z: &mut [F], b: &[F], m: usize) {
    for (row, &b) in z.chunks_exact_mut(m).zip(b) {
        row.iter_mut().for_each(|z| *z += b);
    }
}

/// Gradient of a bias: the sum over the batch.
pub(crate) fn sum_columns<F: Real>(d: &[F], m: usize, bug: Bug) -> Vec<F> {
    d.chunks_exact(m)
        .map(|row| match bug {
            Bug::BiasFirst => row[0],
            Bug::BiasLast => row[m - 1],
            Bug::BiasMean => total(row) / count(m),
            _ => total(row),
        })
        .collect()
}

/// Sum of all.
pub(crate) fn total<F: Real>(values: &[F]) -> F {
    values.iter().fold(F::zero(), |s, &v| s + v)
}

/// Sum of products.
pub(crate) fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).fold(F::zero(), |s, (&a, &b)| s + a * b)
}

/// `1 / (1 + exp(-z))`.
pub(crate) fn sigmoid<F: Real>(z: F) -> F {
    F::one() / (F::one() + (-z).exp())
}

/// `ln(1 + exp(z))`, at full precision on both sides.
pub(crate) fn softplus<F: Real>(z: F) -> F {
    if z.above(F::zero()) { z + (-z).exp().ln_1p() } else { z.exp().ln_1p() }
}

/// The largest, as a shift that changes no value: not a kink.
pub(crate) fn shift<F: Real>(values: impl Iterator<Item = F>) -> F {
    values.fold(F::neg_infinity(), |m, v| if v.above(m) { v } else { m })
}

/// Half the squared distance to the targets, over the batch: value.
pub(crate) fn half_squares<F: Real>(out: &[F], y: &[F], m: usize) -> F {
    let sum = out.iter().zip(y).fold(F::zero(), |s, (&o, &y)| s + (o - y) * (o - y));
    sum / count::<F>(2 * m)
}

/// Half the squared distance to the targets, over the batch: derivative by the outputs, whose
/// samples are the last axis.
pub(crate) fn residuals<F: Real>(out: &[F], y: &[F], m: usize, bug: Bug) -> Vec<F> {
    let mean = mean_factor::<F>(m, bug);
    out.iter()
        .zip(y)
        .enumerate()
        .map(|(i, (&o, &y))| {
            let d = if bug == Bug::TargetForgotten { o } else { o - y };
            sample_factor::<F>(i % m, m, bug) * d * mean
        })
        .collect()
}

/// `1/m`, or what a mistake makes of it.
pub(crate) fn mean_factor<F: Real>(m: usize, bug: Bug) -> F {
    let m = m as f64;
    lit(match bug {
        Bug::MeanMissing => 1.0,
        Bug::MeanTwice => 1.0 / (m * m),
        Bug::MeanOffByOne => 1.0 / (m - 1.0),
        Bug::HalfSquareTwo => 2.0 / m,
        _ => 1.0 / m,
    })
}

/// 1, or 0 for a sample that a mistake forgets.
pub(crate) fn sample_factor<F: Real>(sample: usize, m: usize, bug: Bug) -> F {
    match bug {
        Bug::FirstSample if sample > 0 => F::zero(),
        Bug::LastSampleDropped if sample + 1 == m => F::zero(),
        _ => F::one(),
    }
}

/// The mistakes of a mean over `m` samples.
pub(crate) fn mean_bugs(m: usize) -> Vec<Bug> {
    if m < 2 {
        return vec![Bug::LastSampleDropped];
    }
    let mut bugs = vec![Bug::MeanMissing, Bug::MeanTwice, Bug::FirstSample, Bug::LastSampleDropped];
    if m > 2 {
        bugs.push(Bug::MeanOffByOne);
    }
    bugs
}

/// The mistakes of a bias over `m` samples.
pub(crate) fn bias_bugs(m: usize) -> Vec<Bug> {
    if m > 1 { vec![Bug::BiasFirst, Bug::BiasLast, Bug::BiasMean] } else { Vec::new() }
}
