//! The thread's tape: nodes, the sweep back over them, and what was noticed while recording.
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{CONSTANT, ELSEWHERE, U, Var};
use crate::random;

/// No operand: the node is a variable, or has a constant on this side.
const NONE: u32 = u32::MAX;

/// No second operand either, and the function is one of a pure number: the second partial is the
/// size of its value, see [`Tape::roundings`].
const PURE: u32 = NONE - 1;

/// Events are described for the first few, and the first of each kind, only; all are counted.
const NOTES: usize = 8;

/// Roundings of a partial derivative that is written by hand.
const BY_HAND: f64 = 4.0;

/// One recorded operation: 40 bytes.
#[derive(Clone, Copy)]
struct Node {
    /// Bound on the rounding error of the value.
    error: f64,
    /// Derivatives with respect to the operands.
    partials: [f64; 2],
    operands: [u32; 2],
    /// Bounds on the errors of `partials`, see [`pack`].
    slacks: [u32; 2],
}

/// Upper half of a number that is not negative, rounded up: 20 bits of mantissa and the whole
/// range, where `f32` would lose everything below 1e-45. NaN, a bound unknown, becomes infinite.
#[inline]
fn pack(bound: f64) -> u32 {
    let bound = if bound <= f64::MAX { bound } else { f64::INFINITY };
    ((bound.to_bits() + 0xffff_ffff) >> 32) as u32
}

#[inline]
fn unpack(bound: u32) -> f64 {
    f64::from_bits(u64::from(bound) << 32)
}

/// An operand with the derivative of the result with respect to it.
#[derive(Clone, Copy)]
pub(super) struct Edge {
    pub(super) operand: Var,
    pub(super) partial: f64,
    /// Bound on the error of `partial`.
    pub(super) slack: f64,
}

/// What recording noticed, each a reason to look twice at the derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Two values compared, and equal: by `<`, `==`, `max`, `min`, `clamp`, `is_zero` and the like.
    Tie,
    /// Two values compared that differ by no more than their rounding errors, or a value so near
    /// to a function's kink: exact arithmetic might have taken the other branch.
    NearTie,
    /// A function taken at a point where it has no derivative: `abs` and `hypot` at zero, `floor`
    /// at an integer, `%` where the remainder is zero, `atan2` on its cut.
    Kink,
    /// A finite value with an infinite or undefined derivative: `sqrt` and `cbrt` at zero, `asin`
    /// at one.
    Singular,
    /// A derivative lost by a conversion: `to_f64`, `to_f32`, `integer_decode`.
    Dropped,
    /// A value rounded or converted to an integer: a step function, whose derivative is zero, as
    /// it should be unless small steps stand for what they round.
    Discretised,
    /// A value from another thread's tape, or from before the last [`Tape::reset`]. Everything
    /// computed from it is lost to the tape.
    Foreign,
}

/// Number of each [`Event`] since the last [`Tape::reset`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; 7]);

impl Counts {
    /// How often `event` happened.
    pub fn of(&self, event: Event) -> u64 {
        self.0[event as usize]
    }

    /// Whether nothing happened.
    pub fn is_clear(&self) -> bool {
        self.0 == [0; 7]
    }
}

/// One of the first events, in words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Note {
    /// What happened.
    pub event: Event,
    /// In which operation: `max`, `<`, `sqrt`, ..
    pub operation: &'static str,
    /// At which value of its first operand.
    pub value: f64,
}

/// The outcome of one pass back over the tape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep {
    /// Derivative of the weighted sum of outputs with respect to each variable, in the order in
    /// which the variables were made.
    pub gradient: Vec<f64>,
    /// First-order bound on the rounding error of each, infinite where there is none.
    pub bounds: Vec<f64>,
    /// First-order bound on the rounding error of the weighted sum itself.
    pub value_bound: f64,
}

struct State {
    nodes: Vec<Node>,
    variables: Vec<u32>,
    /// Largest number of nodes.
    limit: usize,
    /// Whether that was reached.
    full: bool,
    counts: Counts,
    notes: Vec<Note>,
    /// Adjoints and their error bounds: kept between sweeps.
    adjoints: Vec<[f64; 2]>,
    /// The variable converted last while `casting`.
    cast: Option<Var>,
    casting: bool,
    /// State of the random numbers that every result is moved by within its own rounding, see
    /// [`Tape::shake`]; zero where results stay as they are.
    shaking: u64,
}

thread_local! {
    /// Tells this tape, since its last reset, from all others; [`CONSTANT`] until first used.
    static TAG: Cell<u32> = const { Cell::new(CONSTANT) };
    static TAPE: RefCell<State> = const { RefCell::new(State::new()) };
}

impl State {
    const fn new() -> State {
        State {
            nodes: Vec::new(),
            variables: Vec::new(),
            limit: nodes_within(Tape::DEFAULT_CAP),
            full: false,
            counts: Counts([0; 7]),
            notes: Vec::new(),
            adjoints: Vec::new(),
            cast: None,
            casting: false,
            shaking: 0,
        }
    }

    /// Moves a result and its partial derivatives by random parts of their errors, and forgets
    /// those that are known.
    #[cold]
    fn shake(&mut self, node: &mut Node, re: &mut f64) {
        if node.error <= f64::MAX {
            *re = moved(*re, node.error, &mut self.shaking);
            node.error = 0.0;
        }
        for side in 0..2 {
            let slack = unpack(node.slacks[side]);
            if slack <= f64::MAX {
                node.partials[side] = moved(node.partials[side], slack, &mut self.shaking);
                node.slacks[side] = 0;
            }
        }
    }

    #[inline]
    fn push(&mut self, node: &Node) -> u32 {
        let id = self.nodes.len();
        if id == self.nodes.capacity() {
            self.grow();
        }
        self.nodes.push(*node);
        id as u32
    }

    /// Doubles the room, within the cap.
    #[cold]
    fn grow(&mut self) {
        let len = self.nodes.len();
        self.full = len >= self.limit;
        assert!(
            !self.full,
            "the tape is full: {len} recorded operations fill its cap of {:.3} MiB \
             (`Tape::set_cap`); the exact check needs smaller sizes or a higher cap",
            (len * NODE_BYTES) as f64 / f64::from(1 << 20),
        );
        let room = (2 * len).max(1024).min(self.limit);
        self.nodes.reserve_exact(room - len);
    }

    fn note(&mut self, event: Event, operation: &'static str, value: f64) {
        self.counts.0[event as usize] += 1;
        if self.notes.len() < NOTES || self.counts.of(event) == 1 {
            self.notes.push(Note { event, operation, value });
        }
    }
}

/// Memory that a node costs, the sweep's share included.
const NODE_BYTES: usize = size_of::<Node>() + size_of::<[f64; 2]>();

/// Number of nodes that fit; an id must fit beside [`NONE`] and [`PURE`].
const fn nodes_within(bytes: usize) -> usize {
    let nodes = bytes / NODE_BYTES;
    if nodes < PURE as usize { nodes } else { PURE as usize }
}

/// The calling thread's tape.
///
/// A check resets it, makes the variables, runs the forward, and sweeps once for each output:
///
/// ```
/// use gradcheck_runtime::var::{Tape, Var};
/// use num_traits::Float;
///
/// Tape::reset();
/// let (x, y) = (Var::variable(3.0), Var::variable(2.0));
/// let z = x * y + y.exp();
/// let sweep = Tape::sweep(&[(z.tape_id().unwrap(), 1.0)]);
/// assert_eq!(sweep.gradient, [2.0, 3.0 + 2.0.exp()]);
/// assert!(sweep.bounds[1] < 1e-14);
/// assert!(Tape::counts().is_clear());
/// ```
#[derive(Debug)]
pub struct Tape(());

impl Tape {
    /// Memory that a thread's tape and its sweep may take unless told otherwise: 1 GiB, which is
    /// some nineteen million operations.
    pub const DEFAULT_CAP: usize = 1 << 30;

    /// Forgets all variables, operations, counts and notes. The memory is kept for the next
    /// recording. What was computed before is [`Event::Foreign`] from now on.
    pub fn reset() {
        TAG.set(new_tag());
        TAPE.with_borrow_mut(|tape| {
            tape.nodes.clear();
            tape.variables.clear();
            tape.full = false;
            tape.counts = Counts::default();
            tape.notes.clear();
        });
    }

    /// Number of variables and operations recorded.
    pub fn len() -> usize {
        TAPE.with_borrow(|tape| tape.nodes.len())
    }

    /// Whether recording came to the cap, and panicked, since the last reset.
    pub fn is_full() -> bool {
        TAPE.with_borrow(|tape| tape.full)
    }

    /// Whether nothing is recorded.
    pub fn is_empty() -> bool {
        Tape::len() == 0
    }

    /// Number of independent variables.
    pub fn variables() -> usize {
        TAPE.with_borrow(|tape| tape.variables.len())
    }

    /// Sets how many bytes this thread's tape and its sweep may take, and returns the cap before.
    ///
    /// Recording panics when the next operation would not fit.
    pub fn set_cap(bytes: usize) -> usize {
        TAPE.with_borrow_mut(|tape| {
            let before = tape.limit * NODE_BYTES;
            tape.limit = nodes_within(bytes);
            // Room beyond the new cap would never be asked for again.
            tape.nodes.shrink_to(tape.limit);
            before
        })
    }

    /// What recording noticed since the last reset.
    pub fn counts() -> Counts {
        TAPE.with_borrow(|tape| tape.counts)
    }

    /// The first few events and the first of each kind, in order.
    pub fn notes() -> Vec<Note> {
        TAPE.with_borrow(|tape| tape.notes.clone())
    }

    /// Derivatives of `sum of seed * output` with respect to every variable, in one pass.
    ///
    /// Outputs are given by [`Var::tape_id`]. With each adjoint goes a running error bound
    /// (Wilkinson; Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.3): a
    /// contribution `p a` of a partial p known to within s and an adjoint a known to within e is
    /// off by at most `|p| e + |a| s + s e`, and by u of itself for each rounding.
    ///
    /// # Panics
    ///
    /// When an id is not of this tape.
    pub fn sweep(outputs: &[(u32, f64)]) -> Sweep {
        TAPE.with_borrow_mut(|tape| {
            let State { nodes, variables, adjoints, shaking, .. } = tape;
            let top = outputs.iter().map(|&(id, _)| id as usize + 1).max().unwrap_or(0);
            assert!(top <= nodes.len(), "an output that is not on this thread's tape");
            adjoints.clear();
            adjoints.resize(top, [0.0; 2]);
            let mut value_bound = 0.0;
            for &(id, seed) in outputs {
                accumulate(&mut adjoints[id as usize], seed, 0.0);
                value_bound += bound_of_product(seed, nodes[id as usize].error);
            }
            for i in (0..top).rev() {
                let [adjoint, error] = adjoints[i];
                if adjoint == 0.0 && error == 0.0 {
                    continue;
                }
                let node = &nodes[i];
                for side in 0..2 {
                    let operand = node.operands[side];
                    if operand >= PURE {
                        continue;
                    }
                    let partial = node.partials[side];
                    let slack = unpack(node.slacks[side]);
                    // What does not reach the output has no share, whatever its derivative.
                    let mut share = if adjoint == 0.0 { 0.0 } else { partial * adjoint };
                    if *shaking != 0 {
                        if partial.abs() != 1.0 {
                            share = moved(share, U * share.abs(), shaking);
                        }
                        let before = adjoints[operand as usize][0];
                        let sum = before + share;
                        let rounding = if before == 0.0 { 0.0 } else { U * sum.abs() };
                        adjoints[operand as usize][0] = moved(sum, rounding, shaking);
                        let unknown = error + slack;
                        if unknown != 0.0 {
                            adjoints[operand as usize][1] = f64::INFINITY;
                        }
                        continue;
                    }
                    // Sums, differences and negations pass the adjoint on as it is.
                    let rounding = if partial.abs() == 1.0 { 0.0 } else { U * share.abs() };
                    let mut bound = rounding;
                    if error != 0.0 {
                        bound += bound_of_product(partial.abs() + slack, error);
                    }
                    if slack != 0.0 {
                        bound += bound_of_product(adjoint, slack);
                    }
                    accumulate(&mut adjoints[operand as usize], share, bound);
                }
            }
            let mut sweep = Sweep { value_bound: known(value_bound), ..Sweep::default() };
            for &id in variables.iter() {
                let [adjoint, error] = adjoints.get(id as usize).copied().unwrap_or_default();
                sweep.gradient.push(adjoint);
                sweep.bounds.push(known(error));
            }
            sweep
        })
    }

    /// How far a derivative may be off that is formed by hand from the same steps in `f64`: one
    /// for each variable, of the weighted sum of `outputs`.
    ///
    /// A hand-written gradient adds up the same products of partial derivatives, one for each
    /// path from an output to the variable, in some order and grouping. A rounding of each
    /// partial moves the sum by no more than u times the sum of the paths' magnitudes; formulas such
    /// as `p * (1 - p)` or `1 - t * t` have a few. A function of a pure number (`exp`, `tanh`, `sin`)
    /// has a derivative that is often had by a subtraction from its value, `1 - t * t`: its rounding
    /// is u of that, not of what is left. And one that ends up beside one, as `exp(-z)` does in
    /// `ln(1 + exp(-z))`, has a derivative like `p - 1`: its rounding is u, however small it is
    /// itself. Nothing of that holds of `exp(-z * z)` times some large number: it is not beside
    /// one before it is multiplied.
    pub(crate) fn roundings(outputs: &[(u32, f64)]) -> Vec<f64> {
        TAPE.with_borrow_mut(|tape| {
            let State { nodes, variables, adjoints, .. } = tape;
            let top = outputs.iter().map(|&(id, _)| id as usize + 1).max().unwrap_or(0);
            // The sum of the paths' magnitudes so far, and of their roundings in units of u.
            adjoints.clear();
            adjoints.resize(top, [0.0; 2]);
            // The same of paths from where the value stands beside one.
            let mut beside = vec![0.0; top];
            for &(id, seed) in outputs {
                adjoints[id as usize][0] += seed.abs();
                beside[id as usize] += seed.abs();
            }
            for i in (0..top).rev() {
                let ([size, rounded], beside_one) = (adjoints[i], beside[i]);
                if size == 0.0 && rounded == 0.0 && beside_one == 0.0 {
                    continue;
                }
                let node = &nodes[i];
                let is_pure = node.operands[1] == PURE;
                let is_sum = !is_pure && node.partials.iter().all(|p| p.abs() == 1.0);
                for side in 0..2 {
                    let operand = node.operands[side];
                    if operand >= PURE {
                        continue;
                    }
                    let partial = node.partials[side].abs();
                    let through = bound_of_product(partial, size);
                    let own = if is_pure {
                        through.max(bound_of_product(node.partials[1], size)).max(beside_one)
                    } else {
                        through
                    };
                    let below = &mut adjoints[operand as usize];
                    below[0] += through;
                    below[1] += bound_of_product(partial, rounded) + own;
                    beside[operand as usize] += match () {
                        () if is_sum => size,
                        () if is_pure => own,
                        () => beside_one,
                    };
                }
            }
            let of = |id: &u32| adjoints.get(*id as usize).map_or(0.0, |a| BY_HAND * U * a[1]);
            variables.iter().map(of).collect()
        })
    }

    /// From now on every result and every partial derivative of an operation is moved at random
    /// within its own rounding error, until `seed` is zero: a derivative recorded so differs from
    /// the one recorded as it stands by what rounding does to it, with all that cancels and all
    /// that does not (Parker's Monte Carlo arithmetic). So is every step of a sweep. Bounds are
    /// zero then, and infinite where an error was.
    pub(crate) fn shake(seed: u64) {
        // Odd, and steps of two: it never comes to zero again.
        TAPE.with_borrow_mut(|tape| tape.shaking = if seed == 0 { 0 } else { seed | 1 });
    }

    /// Bound on the rounding error of a recorded value.
    pub(crate) fn error_of(id: u32) -> f64 {
        TAPE.with_borrow(|tape| tape.nodes.get(id as usize).map_or(0.0, |n| known(n.error)))
    }
}

/// A number moved at random within `error`, by a last digit at least if that is not zero: what is
/// off by less stands still on its own, and moves what cancels with it all the same.
fn moved(value: f64, error: f64, shaking: &mut u64) -> f64 {
    if error == 0.0 {
        return value;
    }
    *shaking = shaking.wrapping_add(2);
    let by = error * (2.0 * random::unit(*shaking, 0) - 1.0);
    match value + by {
        there if there != value => there,
        _ if by > 0.0 => value.next_up(),
        _ => value.next_down(),
    }
}

/// Adds a share known to within `bound` to an adjoint.
#[inline]
fn accumulate(total: &mut [f64; 2], share: f64, bound: f64) {
    let [adjoint, error] = *total;
    let sum = adjoint + share;
    let rounding = if adjoint == 0.0 || share == 0.0 { 0.0 } else { U * sum.abs() };
    *total = [sum, error + bound + rounding];
}

/// `|a b|`, where zero wins over infinity: no error stays none.
#[inline]
pub(super) fn bound_of_product(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { (a * b).abs() }
}

/// A bound as it is shown: with room for the rounding errors of its own computation, and infinite
/// where that failed.
pub(super) fn known(bound: f64) -> f64 {
    let bound = bound * (1.0 + 1e-9);
    if bound <= f64::MAX { bound } else { f64::INFINITY }
}

fn new_tag() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let tag = NEXT.fetch_add(1, Ordering::Relaxed);
        if tag != CONSTANT && tag != ELSEWHERE {
            return tag;
        }
    }
}

/// A new independent variable.
pub(super) fn variable(re: f64) -> Var {
    if TAG.get() == CONSTANT {
        TAG.set(new_tag());
    }
    let node = Node { error: 0.0, partials: [0.0; 2], operands: [NONE; 2], slacks: [0; 2] };
    let id = TAPE.with_borrow_mut(|tape| {
        let id = tape.push(&node);
        tape.variables.push(id);
        id
    });
    Var { re, error: 0.0, id, tape: TAG.get() }
}

/// The result of an operation on one operand, which is not a constant. For `of_pure_number` see
/// [`Tape::roundings`].
#[inline]
pub(super) fn record1(re: f64, error: f64, a: Edge, of_pure_number: bool) -> Var {
    let tag = TAG.get();
    if a.operand.tape != tag {
        return foreign(re, a.operand.re);
    }
    let (second, size) = if of_pure_number { (PURE, re.abs()) } else { (NONE, 0.0) };
    push(
        Node {
            error,
            partials: [a.partial, size],
            operands: [a.operand.id, second],
            slacks: [pack(a.slack), 0],
        },
        re,
        tag,
    )
}

/// The result of an operation on two operands, of which at least one is not a constant.
#[inline]
pub(super) fn record2(re: f64, error: f64, a: Edge, b: Edge) -> Var {
    let tag = TAG.get();
    let known = |operand: Var| operand.tape == tag || operand.tape == CONSTANT;
    if !known(a.operand) || !known(b.operand) {
        return foreign(re, if known(a.operand) { b.operand.re } else { a.operand.re });
    }
    // The id of a constant is `NONE`.
    let node = Node {
        error,
        partials: [a.partial, b.partial],
        operands: [a.operand.id, b.operand.id],
        slacks: [pack(a.slack), pack(b.slack)],
    };
    push(node, re, tag)
}

#[inline]
fn push(mut node: Node, mut re: f64, tag: u32) -> Var {
    TAPE.with_borrow_mut(|tape| {
        if tape.shaking != 0 {
            tape.shake(&mut node, &mut re);
        }
        let id = tape.push(&node);
        Var { re, error: node.error, id, tape: tag }
    })
}

#[cold]
fn foreign(re: f64, operand: f64) -> Var {
    note(Event::Foreign, "operand", operand);
    Var { re, error: f64::INFINITY, id: NONE, tape: ELSEWHERE }
}

/// Where `var` stands on this thread's tape.
pub(super) fn position(var: Var) -> Option<u32> {
    if var.tape == CONSTANT {
        return None;
    }
    if var.tape == TAG.get() {
        return Some(var.id);
    }
    note(Event::Foreign, "output", var.re);
    None
}

/// Counts an event.
#[cold]
pub(super) fn note(event: Event, operation: &'static str, value: f64) {
    TAPE.with_borrow_mut(|tape| tape.note(event, operation, value));
}

/// Counts the derivative of `var` as dropped, unless [`casting`] picks it up.
pub(super) fn drop_derivative(operation: &'static str, var: Var) {
    if var.tape == CONSTANT {
        return;
    }
    TAPE.with_borrow_mut(|tape| {
        if tape.casting {
            tape.cast = Some(var);
        } else {
            tape.note(Event::Dropped, operation, var.re);
        }
    });
}

/// Runs a conversion, and tells the variable that went into it.
pub(super) fn casting<T>(convert: impl FnOnce() -> T) -> (T, Option<Var>) {
    TAPE.with_borrow_mut(|tape| (tape.casting, tape.cast) = (true, None));
    let result = convert();
    let cast = TAPE.with_borrow_mut(|tape| {
        tape.casting = false;
        tape.cast.take()
    });
    (result, cast)
}
