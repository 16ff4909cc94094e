//! The other end of the generated code: what one evaluation hands over and gets back.
use std::fmt::Debug;
use std::sync::Arc;

use crate::failure::Failure;
use crate::flatten::{Element, Flatten, FlattenMut, Step, VisitorMut};
use crate::layout::{FirstChanged, Pick, SetAll, SetRange, Tree, Values};
use crate::random;
use crate::settings::Convention;

/// What a user's function may return: anything flattened, or a `Result` or `Option` of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a value nor a gradient",
    label = "not made of scalars and arrays",
    note = "derive `Flatten` for your own struct: `#[cfg_attr(test, derive(gradcheck_runtime::Flatten))]`",
    note = "an error type needs `Debug`"
)]
pub trait Outcome {
    /// What is inside.
    type Value: Flatten;
    /// The value, or what came instead of it.
    fn outcome(self) -> Result<Self::Value, String>;
}

impl<T: Flatten> Outcome for T {
    type Value = T;
    fn outcome(self) -> Result<T, String> {
        Ok(self)
    }
}

impl<T: Flatten, E: Debug> Outcome for Result<T, E> {
    type Value = T;
    fn outcome(self) -> Result<T, String> {
        self.map_err(|e| format!("Err({e:?})"))
    }
}

/// A value and its gradient, or a `Result` or `Option` of them.
pub trait Pair {
    /// The value.
    type Value;
    /// The gradient.
    type Gradient;
    /// Both, or what came instead.
    fn pair(self) -> Result<(Self::Value, Self::Gradient), String>;
}

impl<V, G> Pair for (V, G) {
    type Value = V;
    type Gradient = G;
    fn pair(self) -> Result<(V, G), String> {
        Ok(self)
    }
}

impl<V, G, E: Debug> Pair for Result<(V, G), E> {
    type Value = V;
    type Gradient = G;
    fn pair(self) -> Result<(V, G), String> {
        self.map_err(|e| format!("Err({e:?})"))
    }
}

impl<V, G> Pair for Option<(V, G)> {
    type Value = V;
    type Gradient = G;
    fn pair(self) -> Result<(V, G), String> {
        self.ok_or_else(|| "None".to_owned())
    }
}

/// A buffer of type `Self` for the gradient with respect to an `X`.
pub trait BufferLike<X> {
    /// A buffer for a gradient, of the shape of `x`, or for the Jacobian of so many outputs.
    fn buffer_like(x: &X, outputs: usize) -> Self;
}

impl<X: Clone> BufferLike<X> for X {
    fn buffer_like(x: &X, _: usize) -> X {
        x.clone()
    }
}

impl<A: Clone + Default> BufferLike<ndarray::Array1<A>> for ndarray::Array2<A> {
    fn buffer_like(x: &ndarray::Array1<A>, outputs: usize) -> Self {
        ndarray::Array2::default((outputs, x.len()))
    }
}

impl<A: Copy + Default, const N: usize, const M: usize> BufferLike<[A; N]> for [[A; N]; M] {
    fn buffer_like(_: &[A; N], _: usize) -> Self {
        [[A::default(); N]; M]
    }
}

impl<A: Clone + Default> BufferLike<Vec<A>> for ndarray::Array1<A> {
    fn buffer_like(x: &Vec<A>, _: usize) -> Self {
        ndarray::Array1::default(x.len())
    }
}

impl<A: Clone + Default> BufferLike<Vec<A>> for ndarray::Array2<A> {
    fn buffer_like(x: &Vec<A>, outputs: usize) -> Self {
        ndarray::Array2::default((outputs, x.len()))
    }
}

#[cfg(feature = "nalgebra")]
impl<A: nalgebra::Scalar + Default> BufferLike<nalgebra::DVector<A>> for nalgebra::DMatrix<A> {
    fn buffer_like(x: &nalgebra::DVector<A>, outputs: usize) -> Self {
        nalgebra::DMatrix::from_element(outputs, x.len(), A::default())
    }
}

#[cfg(feature = "faer")]
impl<A: Clone + Default> BufferLike<faer::Col<A>> for faer::Mat<A> {
    fn buffer_like(x: &faer::Col<A>, outputs: usize) -> Self {
        faer::Mat::from_fn(outputs, x.nrows(), |_, _| A::default())
    }
}

/// How a buffer receives its gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// `out(buffer = place)`
    Overwritten,
    /// `out(buffer += place)`
    Added,
}

/// Where the cotangent comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cotangent {
    /// Random values, the same at every call in a state.
    Random(u64),
    /// The output itself: the gradient is then that of half the squared output.
    Output,
}

/// A gradient that is known already.
#[derive(Debug)]
pub(crate) struct Expected {
    /// In the order of the gradient's own scalars.
    pub(crate) values: Arc<Vec<f64>>,
    pub(crate) shapes: Vec<Vec<usize>>,
    /// How far apart two values may be.
    pub(crate) slack: f64,
}

/// Some scalars of a gradient, whose others nobody asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Where they stand among the gradient's own scalars.
    pub(crate) positions: Vec<usize>,
    pub(crate) shapes: Vec<Vec<usize>>,
    /// Their values, once they are known; `None` of a gradient of other shapes.
    pub(crate) values: Option<Option<Vec<f64>>>,
}

/// One evaluation of the user's forward, and of the gradient where one is wanted.
#[derive(Debug)]
pub struct Probe {
    /// A gradient is wanted after the value.
    pub(crate) wants: bool,
    /// Record paths and shapes of the outputs, not only their values.
    pub(crate) record: bool,
    /// What buffers hold before the call, times a value that differs between components.
    pub(crate) fill: f64,
    pub(crate) cotangent_from: Cotangent,
    pub(crate) tangent_seed: u64,
    /// What complex gradients hold, and complex cotangents.
    pub(crate) convention: Convention,
    /// Number of parameters, all places together.
    pub(crate) parameters: usize,
    /// Values of the tangent, one for each parameter, as the scalar type rounded them; made
    /// when first asked for.
    pub(crate) tangent: Vec<f64>,
    /// Steps that a training run is to take.
    pub(crate) steps: usize,
    /// Where each `wrt` place starts among the parameters.
    pub(crate) starts: Vec<usize>,

    /// The outputs of the last forward.
    pub(crate) outputs: Vec<f64>,
    pub(crate) output_tree: Option<Tree>,
    /// The cotangent that the last gradient call was given.
    pub(crate) cotangent: Vec<f64>,
    /// What the next gradient is to be like; one that is like it is not kept.
    pub(crate) expected: Option<Expected>,
    /// The last gradient was like that.
    pub(crate) repeated: bool,
    /// What alone is kept of the next gradient, if it comes whole.
    pub(crate) asked: Option<Asked>,
    /// The gradient, whole, or one for each place that has a buffer.
    pub(crate) gradient: Option<Tree>,
    pub(crate) parts: Vec<(usize, Tree)>,
    pub(crate) fills: Vec<(usize, Fill)>,
    pub(crate) has_cotangent: bool,
    pub(crate) has_tangent: bool,
    pub(crate) outputs_seen: usize,
    pub(crate) tape_ids: Option<Vec<Option<u32>>>,
    pub(crate) failure: Option<Failure>,
}

/// The values put into buffers before a call: no two neighbours alike, none zero.
pub(crate) fn fill_value(i: usize) -> f64 {
    1.0 + (i % 7) as f64 * 0.25
}

impl Probe {
    pub(crate) fn new(seed: u64) -> Probe {
        Probe {
            wants: false,
            record: false,
            fill: 0.0,
            cotangent_from: Cotangent::Random(seed),
            tangent_seed: random::hash(seed, 1),
            convention: Convention::default(),
            parameters: 0,
            tangent: Vec::new(),
            steps: 0,
            starts: Vec::new(),
            outputs: Vec::new(),
            output_tree: None,
            cotangent: Vec::new(),
            expected: None,
            repeated: false,
            asked: None,
            gradient: None,
            parts: Vec::new(),
            fills: Vec::new(),
            has_cotangent: false,
            has_tangent: false,
            outputs_seen: 0,
            tape_ids: None,
            failure: None,
        }
    }

    /// Forgets the last evaluation, keeps its allocations.
    pub(crate) fn begin(&mut self, wants: bool) {
        self.wants = wants;
        self.outputs.clear();
        self.output_tree = None;
        self.gradient = None;
        self.repeated = false;
        self.parts.clear();
        self.fills.clear();
        self.failure = None;
    }

    fn refused(&mut self, during: &str, message: String) {
        self.failure.get_or_insert(Failure::Refused { during: during.to_owned(), message });
    }

    fn see(&mut self, value: &impl Flatten) {
        if self.record {
            let tree = Tree::of(value);
            self.outputs.extend(&tree.values);
            self.output_tree = Some(tree);
        } else {
            value.flatten(&mut Values(&mut self.outputs));
        }
        if let Some(ids) = &mut self.tape_ids {
            ids.clear();
            value.flatten(&mut TapeIds(ids));
        }
        self.outputs_seen = self.outputs.len();
    }

    /// Whether a gradient is wanted in this evaluation.
    pub fn wants_gradient(&self) -> bool {
        self.wants
    }

    /// Takes the forward's value; true when a gradient is wanted now.
    pub fn value<V: Outcome>(&mut self, value: V) -> bool {
        match value.outcome() {
            Ok(value) => {
                self.see(&value);
                self.wants
            }
            Err(message) => {
                self.refused("the forward", message);
                false
            }
        }
    }

    /// Takes the forward's value and, when a gradient is wanted, gives it back holding the
    /// cotangent: values of the output's shape.
    pub fn cotangent<V: Outcome>(&mut self, value: V) -> Option<V::Value>
    where
        V::Value: FlattenMut,
    {
        self.has_cotangent = true;
        let mut value = match value.outcome() {
            Ok(value) => value,
            Err(message) => {
                self.refused("the forward", message);
                return None;
            }
        };
        self.see(&value);
        if !self.wants {
            return None;
        }
        self.cotangent.clear();
        match self.cotangent_from {
            Cotangent::Random(seed) => {
                let values =
                    (0..self.outputs.len()).map(|i| random::signed_magnitude(seed, i as u64));
                self.cotangent.extend(values);
            }
            Cotangent::Output => self.cotangent.extend(&self.outputs),
        }
        // What a real function of the outputs has for derivatives by their parts, the user is
        // given in the convention.
        let factors = Tree::of(&value).factors(self.convention);
        self.cotangent.iter_mut().zip(&factors).for_each(|(c, factor)| *c /= factor);
        value.flatten_mut(&mut SetAll(&self.cotangent));
        // As the scalar type rounded it: the numeric side is contracted with what was passed.
        self.cotangent.clear();
        value.flatten(&mut Values(&mut self.cotangent));
        self.cotangent.iter_mut().zip(&factors).for_each(|(c, factor)| *c *= factor);
        Some(value)
    }

    /// The tangent for place number `place`, of the shape of `like`.
    pub fn tangent<T: FlattenMut + Clone>(&mut self, place: usize, like: &T) -> T {
        self.has_tangent = true;
        if self.tangent.is_empty() {
            let seed = self.tangent_seed;
            let values = (0..self.parameters).map(|i| random::signed_magnitude(seed, i as u64));
            self.tangent.extend(values);
        }
        let mut value = like.clone();
        let start = self.starts.get(place).copied().unwrap_or(0);
        value.flatten_mut(&mut SetAll(self.tangent.get(start..).unwrap_or(&[])));
        let rounded = Tree::of(&value).values;
        let end = (start + rounded.len()).min(self.tangent.len());
        self.tangent[start.min(end)..end].copy_from_slice(&rounded[..end - start.min(end)]);
        value
    }

    /// Takes the gradient with respect to all places.
    pub fn gradient<G: Outcome>(&mut self, gradient: G) {
        match gradient.outcome() {
            Ok(gradient) => {
                if let Some(Expected { values, shapes, slack }) = &self.expected {
                    let like = |a: f64, b: f64| (a - b).abs() <= *slack;
                    let mut compared = FirstChanged::new(values, like).shaped(shapes);
                    gradient.flatten(&mut compared);
                    self.repeated = compared.is_same();
                }
                if let Some(asked) = &mut self.asked {
                    let mut pick = Pick::new(&asked.positions, &asked.shapes);
                    gradient.flatten(&mut pick);
                    asked.values = Some(pick.values());
                } else if !self.repeated {
                    self.gradient = Some(Tree::sized(&gradient, self.parameters));
                }
            }
            Err(message) => self.refused("the gradient", message),
        }
    }

    /// Takes the buffer of place number `place`.
    pub fn gradient_of<G: Flatten + ?Sized>(&mut self, place: usize, gradient: &G) {
        self.parts.push((place, Tree::of(gradient)));
    }

    fn filled<T: FlattenMut>(&mut self, place: usize, fill: Fill, mut buffer: T) -> T {
        self.fills.push((place, fill));
        let mut source = |first: usize, piece: &mut [f64]| {
            for (i, value) in (first..).zip(piece) {
                *value = self.fill * fill_value(i);
            }
        };
        buffer.flatten_mut(&mut SetRange::new(0..usize::MAX, &mut source));
        buffer
    }

    /// A buffer of its target's own type.
    pub fn buffer<T: FlattenMut + Clone>(&mut self, place: usize, fill: Fill, like: &T) -> T {
        self.filled(place, fill, like.clone())
    }

    /// A buffer for a slice parameter: as long as its target, or as the Jacobian with respect
    /// to it where the forward has several outputs and no cotangent.
    pub fn slice_buffer<S: Element, X: Flatten + ?Sized>(
        &mut self,
        place: usize,
        fill: Fill,
        like: &X,
    ) -> Vec<S>
    where
        Vec<S>: FlattenMut,
    {
        let inputs = Tree::of(like).values.len();
        let outputs = if self.has_cotangent { 1 } else { self.outputs_seen.max(1) };
        self.filled(place, fill, vec![S::zero(); inputs * outputs / S::PARTS])
    }

    /// A buffer whose type the call decides.
    pub fn buffer_as<X, T: BufferLike<X> + FlattenMut>(
        &mut self,
        place: usize,
        fill: Fill,
        like: &X,
    ) -> T {
        let outputs = self.outputs_seen.max(1);
        self.filled(place, fill, T::buffer_like(like, outputs))
    }

    /// The value inside a `Result` or `Option`; the error fails the check.
    pub fn unwrap<T: Outcome>(&mut self, outcome: T) -> Option<T::Value> {
        match outcome.outcome() {
            Ok(value) => Some(value),
            Err(message) => {
                self.refused("the gradient", message);
                None
            }
        }
    }

    /// Value and gradient from one call.
    pub fn unwrap_pair<T: Pair>(&mut self, pair: T) -> Option<(T::Value, T::Gradient)> {
        match pair.pair() {
            Ok(pair) => Some(pair),
            Err(message) => {
                self.refused("the function", message);
                None
            }
        }
    }
}

/// Where each output stands on the tape.
struct TapeIds<'a>(&'a mut Vec<Option<u32>>);

impl crate::flatten::Visitor for TapeIds<'_> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, _: &[usize], scalars: &dyn crate::flatten::Scalars) {
        self.0.extend((0..scalars.len()).map(|i| scalars.tape_id(i)));
    }
}

/// The `wrt` places of a state, shown to a visitor one after another.
pub struct Places<'a> {
    visitor: &'a mut dyn VisitorMut,
}

impl<'a> Places<'a> {
    pub(crate) fn new(visitor: &'a mut dyn VisitorMut) -> Self {
        Places { visitor }
    }

    /// One place, under the name that the user wrote.
    pub fn place<T: FlattenMut + ?Sized>(&mut self, name: &str, place: &mut T) {
        self.visitor.enter(Step::Field(name));
        place.flatten_mut(self.visitor);
        self.visitor.leave();
    }
}
