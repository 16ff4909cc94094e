//! What the generated code hands to the engine, behind object-safe traits: the engine is
//! compiled once, whatever the user's types.
use std::marker::PhantomData;

use crate::case::Draw;
use crate::failure::Failure;
use crate::flatten::{Flatten, FlattenMut, VisitorMut};
use crate::layout::Tree;
use crate::panics::{caught, raise};
use crate::probe::{Outcome, Places, Probe};

/// A function to check, with the way to draw its states.
pub trait Problem: Send + Sync {
    /// A place for one state at a time.
    fn session(&self) -> Box<dyn Session + '_>;
    /// Whether the user gave an update rule of their own.
    fn has_update(&self) -> bool;
}

/// Holds one state. After a panic in the user's code it holds none, until the next draw.
pub trait Session {
    /// Draws the state.
    fn draw(&mut self, draw: &mut Draw);
    /// Shows the `wrt` places.
    fn places(&mut self, visitor: &mut dyn VisitorMut);
    /// Runs the forward and, if the probe wants it, the gradient.
    fn eval(&mut self, probe: &mut Probe);
    /// Runs the user's own update rule for as many steps as the probe says.
    fn train(&mut self, probe: &mut Probe);
    /// Whether a state is held.
    fn is_alive(&self) -> bool;
    /// Lets go of the state.
    fn discard(&mut self);
}

/// A problem made of closures that capture nothing.
pub struct Closures<S, D, W, E, T> {
    draw: D,
    wrt: W,
    eval: E,
    train: Option<T>,
    state: PhantomData<fn() -> S>,
}

impl<S, D, W, E, T> std::fmt::Debug for Closures<S, D, W, E, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closures").finish_non_exhaustive()
    }
}

/// The place of an update rule where there is none.
pub type NoUpdate<S> = fn(S, &mut Probe) -> S;

/// Puts a problem together. `eval` moves the state in and out, so that nothing is asked of its
/// type.
pub fn problem<S, D, W, E>(draw: D, wrt: W, eval: E) -> Closures<S, D, W, E, NoUpdate<S>>
where
    D: Fn(&mut Draw) -> S + Send + Sync,
    W: for<'a, 'b, 'c> Fn(&'a mut S, &'b mut Places<'c>) + Send + Sync,
    E: for<'a> Fn(S, &'a mut Probe) -> S + Send + Sync,
{
    Closures { draw, wrt, eval, train: None, state: PhantomData }
}

impl<S, D, W, E, T> Closures<S, D, W, E, T> {
    /// With the user's own update rule.
    pub fn trained_by<U>(self, train: U) -> Closures<S, D, W, E, U>
    where
        U: for<'a> Fn(S, &'a mut Probe) -> S + Send + Sync,
    {
        let Closures { draw, wrt, eval, state, .. } = self;
        Closures { draw, wrt, eval, train: Some(train), state }
    }
}

impl<S, D, W, E, T> Problem for Closures<S, D, W, E, T>
where
    D: Fn(&mut Draw) -> S + Send + Sync,
    W: for<'a, 'b, 'c> Fn(&'a mut S, &'b mut Places<'c>) + Send + Sync,
    E: for<'a> Fn(S, &'a mut Probe) -> S + Send + Sync,
    T: for<'a> Fn(S, &'a mut Probe) -> S + Send + Sync,
{
    fn session(&self) -> Box<dyn Session + '_> {
        Box::new(ClosureSession { closures: self, state: None })
    }
    fn has_update(&self) -> bool {
        self.train.is_some()
    }
}

struct ClosureSession<'p, S, D, W, E, T> {
    closures: &'p Closures<S, D, W, E, T>,
    state: Option<S>,
}

const HELD: &str = "a state is drawn before it is used";

impl<S, D, W, E, T> Session for ClosureSession<'_, S, D, W, E, T>
where
    D: Fn(&mut Draw) -> S,
    W: for<'a, 'b, 'c> Fn(&'a mut S, &'b mut Places<'c>),
    E: for<'a> Fn(S, &'a mut Probe) -> S,
    T: for<'a> Fn(S, &'a mut Probe) -> S,
{
    fn draw(&mut self, draw: &mut Draw) {
        self.state = Some((self.closures.draw)(draw));
    }
    fn places(&mut self, visitor: &mut dyn VisitorMut) {
        (self.closures.wrt)(self.state.as_mut().expect(HELD), &mut Places::new(visitor));
    }
    fn eval(&mut self, probe: &mut Probe) {
        let state = self.state.take().expect(HELD);
        self.state = Some((self.closures.eval)(state, probe));
    }
    fn train(&mut self, probe: &mut Probe) {
        if let Some(train) = &self.closures.train {
            let state = self.state.take().expect(HELD);
            self.state = Some(train(state, probe));
        }
    }
    fn is_alive(&self) -> bool {
        self.state.is_some()
    }
    fn discard(&mut self) {
        self.state = None;
    }
}

impl<S, D, W, E, T> Drop for ClosureSession<'_, S, D, W, E, T> {
    fn drop(&mut self) {
        // A `Drop` of the user's that panics is told of where a state is judged, and only there.
        let state = self.state.take();
        let _ = caught("dropping the state", || drop(state));
    }
}

/// Parameters that are already there, with a forward and a gradient as closures.
pub(crate) struct Here<'a, P, F, G> {
    pub(crate) parameters: &'a mut P,
    pub(crate) forward: F,
    pub(crate) gradient: G,
}

impl<P, V, W, F, G> Session for Here<'_, P, F, G>
where
    P: FlattenMut,
    V: Outcome,
    W: Outcome,
    F: Fn(&P) -> V,
    G: Fn(&P) -> W,
{
    fn draw(&mut self, _: &mut Draw) {}
    fn places(&mut self, visitor: &mut dyn VisitorMut) {
        Places::new(visitor).place("theta", &mut *self.parameters);
    }
    fn eval(&mut self, probe: &mut Probe) {
        if probe.value((self.forward)(self.parameters)) {
            probe.gradient((self.gradient)(self.parameters));
        }
    }
    fn train(&mut self, _: &mut Probe) {}
    fn is_alive(&self) -> bool {
        true
    }
    fn discard(&mut self) {}
}

/// One step of a user's update rule: the gradient, then the update, until the steps are done.
fn steps<S, G: Flatten>(
    mut state: S,
    probe: &mut Probe,
    gradient: impl Fn(S, &mut Probe) -> (S, Option<G>),
    mut update: impl FnMut(&mut S, &G),
) -> S {
    for step in 1..=probe.steps {
        probe.begin(true);
        let (next, found) = gradient(state, probe);
        state = next;
        if let Some(failure) = probe.failure.take() {
            raise(failure);
        }
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        if !finite(&probe.outputs) {
            raise(Failure::Diverged { step: step - 1, what: "the forward".to_owned() });
        }
        let Some(found) = found else { return state };
        if !finite(&Tree::of(&found).values) {
            raise(Failure::Diverged { step: step - 1, what: "the gradient".to_owned() });
        }
        update(&mut state, &found);
    }
    state
}

macro_rules! trainers {
    ($($name:ident($($place:ident $value:ident),+);)*) => {$(
        /// Runs the user's update rule over as many `wrt` places as it has `&mut` arguments.
        pub fn $name<S, G, $($place,)+ U>(
            state: S,
            probe: &mut Probe,
            gradient: impl Fn(S, &mut Probe) -> (S, Option<G>),
            project: impl for<'a> Fn(&'a mut S) -> ($(&'a mut $place,)+),
            mut update: U,
        ) -> S
        where
            G: Flatten,
            U: FnMut($(&mut $place,)+ &G),
        {
            steps(state, probe, gradient, |state, gradient| {
                let ($($value,)+) = project(state);
                update($($value,)+ gradient);
            })
        }
    )*};
}

/// Runs the user's update rule over a single `wrt` place.
pub fn train1<S, G, A, U>(
    state: S,
    probe: &mut Probe,
    gradient: impl Fn(S, &mut Probe) -> (S, Option<G>),
    project: impl for<'a> Fn(&'a mut S) -> &'a mut A,
    mut update: U,
) -> S
where
    G: Flatten,
    U: FnMut(&mut A, &G),
{
    steps(state, probe, gradient, |state, gradient| update(project(state), gradient))
}

trainers! {
    train2(A a, B b);
    train3(A a, B b, C c);
    train4(A a, B b, C c, D d);
    train5(A a, B b, C c, D d, E e);
    train6(A a, B b, C c, D d, E e, F f);
    train7(A a, B b, C c, D d, E e, F f, H h);
    train8(A a, B b, C c, D d, E e, F f, H h, I i);
}

macro_rules! callers {
    ($($name:ident($($argument:ident $value:ident),*);)*) => {$(
        /// Calls a closure whose parameters have no types of their own.
        #[allow(clippy::too_many_arguments)]
        pub fn $name<R, $($argument),*>(f: impl FnOnce($($argument),*) -> R, $($value: $argument),*) -> R {
            f($($value),*)
        }
    )*};
}

callers! {
    call0();
    call1(A a);
    call2(A a, B b);
    call3(A a, B b, C c);
    call4(A a, B b, C c, D d);
    call5(A a, B b, C c, D d, E e);
    call6(A a, B b, C c, D d, E e, F f);
    call7(A a, B b, C c, D d, E e, F f, G g);
    call8(A a, B b, C c, D d, E e, F f, G g, H h);
}
