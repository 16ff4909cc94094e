//! What is true: derivatives to rounding by dual numbers, where kinks lie, and how finely the
//! best of differences could see.
use std::cell::Cell;
use std::cmp::Ordering;
use std::num::FpCategory;
use std::ops::{
    Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, RemAssign, Sub, SubAssign,
};

use gradcheck_runtime::flatten::Scalar;
use num_traits::{Float, Num, NumCast, One, ToPrimitive, Zero};

use super::subjects::{Bug, Case, Params, Real, Rng};

thread_local! {
    /// Distance to the nearest comparison that could have gone the other way.
    static KINK: Cell<f64> = const { Cell::new(f64::INFINITY) };
}

/// `re + du e` with `e^2 = 0`: a value and its derivative along one direction. Comparisons
/// note how far along that direction they would turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dual {
    pub(crate) re: f64,
    pub(crate) du: f64,
}

impl Dual {
    fn new(re: f64, du: f64) -> Dual {
        Dual { re, du }
    }
    /// `f(self)` from its value and derivative.
    fn chain(self, value: f64, derivative: f64) -> Dual {
        // A constant stays one, also where the derivative is infinite.
        Dual::new(value, if self.du == 0.0 { 0.0 } else { derivative * self.du })
    }
    fn note(self, other: Dual) {
        let (gap, speed) = ((self.re - other.re).abs(), (self.du - other.du).abs());
        if speed > 0.0 {
            KINK.with(|kink| kink.set(kink.get().min(gap / speed)));
        }
    }
}

impl Real for Dual {
    fn above(self, other: Dual) -> bool {
        self.re > other.re
    }
}

impl PartialEq for Dual {
    fn eq(&self, other: &Dual) -> bool {
        self.re == other.re
    }
}

impl PartialOrd for Dual {
    fn partial_cmp(&self, other: &Dual) -> Option<Ordering> {
        self.note(*other);
        self.re.partial_cmp(&other.re)
    }
}

impl Neg for Dual {
    type Output = Dual;
    fn neg(self) -> Dual {
        Dual::new(-self.re, -self.du)
    }
}

impl Add for Dual {
    type Output = Dual;
    fn add(self, other: Dual) -> Dual {
        Dual::new(self.re + other.re, self.du + other.du)
    }
}

impl Sub for Dual {
    type Output = Dual;
    fn sub(self, other: Dual) -> Dual {
        Dual::new(self.re - other.re, self.du - other.du)
    }
}

impl Mul for Dual {
    type Output = Dual;
    fn mul(self, other: Dual) -> Dual {
        Dual::new(self.re * other.re, self.du * other.re + self.re * other.du)
    }
}

impl Div for Dual {
    type Output = Dual;
    fn div(self, other: Dual) -> Dual {
        let value = self.re / other.re;
        Dual::new(value, (self.du - value * other.du) / other.re)
    }
}

impl Rem for Dual {
    type Output = Dual;
    fn rem(self, other: Dual) -> Dual {
        let whole = (self.re / other.re).trunc();
        Dual::new(self.re % other.re, self.du - whole * other.du)
    }
}

macro_rules! assigning {
    ($($trait:ident $method:ident $operator:tt;)*) => {$(
        impl $trait for Dual {
            fn $method(&mut self, other: Dual) {
                *self = *self $operator other;
            }
        }
    )*};
}

assigning! {
    AddAssign add_assign +;
    SubAssign sub_assign -;
    MulAssign mul_assign *;
    DivAssign div_assign /;
    RemAssign rem_assign %;
}

impl Zero for Dual {
    fn zero() -> Dual {
        Dual::new(0.0, 0.0)
    }
    fn is_zero(&self) -> bool {
        self.re == 0.0
    }
}

impl One for Dual {
    fn one() -> Dual {
        Dual::new(1.0, 0.0)
    }
}

impl Num for Dual {
    type FromStrRadixErr = <f64 as Num>::FromStrRadixErr;
    fn from_str_radix(text: &str, radix: u32) -> Result<Dual, Self::FromStrRadixErr> {
        f64::from_str_radix(text, radix).map(|re| Dual::new(re, 0.0))
    }
}

impl ToPrimitive for Dual {
    fn to_i64(&self) -> Option<i64> {
        self.re.to_i64()
    }
    fn to_u64(&self) -> Option<u64> {
        self.re.to_u64()
    }
    fn to_f64(&self) -> Option<f64> {
        Some(self.re)
    }
}

impl NumCast for Dual {
    fn from<T: ToPrimitive>(value: T) -> Option<Dual> {
        value.to_f64().map(|re| Dual::new(re, 0.0))
    }
}

macro_rules! constants {
    ($($name:ident)*) => {$(
        fn $name() -> Dual {
            Dual::new(<f64 as Float>::$name(), 0.0)
        }
    )*};
}

macro_rules! questions {
    ($($name:ident)*) => {$(
        fn $name(self) -> bool {
            self.re.$name()
        }
    )*};
}

/// Functions of one argument: value and derivative, in terms of the argument `x`.
macro_rules! functions {
    ($($name:ident $x:ident $value:expr, $derivative:expr;)*) => {$(
        fn $name(self) -> Dual {
            let $x = self.re;
            self.chain($value, $derivative)
        }
    )*};
}

impl Float for Dual {
    constants! {
        nan infinity neg_infinity neg_zero min_value min_positive_value max_value epsilon
    }
    questions! { is_nan is_infinite is_finite is_normal is_sign_positive is_sign_negative }
    functions! {
        floor x x.floor(), 0.0;
        ceil x x.ceil(), 0.0;
        round x x.round(), 0.0;
        trunc x x.trunc(), 0.0;
        fract x x.fract(), 1.0;
        signum x x.signum(), 0.0;
        recip x 1.0 / x, -1.0 / (x * x);
        sqrt x x.sqrt(), 0.5 / x.sqrt();
        cbrt x x.cbrt(), 1.0 / (3.0 * x.cbrt() * x.cbrt());
        exp x x.exp(), x.exp();
        exp2 x x.exp2(), x.exp2() * std::f64::consts::LN_2;
        exp_m1 x x.exp_m1(), x.exp();
        ln x x.ln(), 1.0 / x;
        ln_1p x x.ln_1p(), 1.0 / (1.0 + x);
        log2 x x.log2(), 1.0 / (x * std::f64::consts::LN_2);
        log10 x x.log10(), 1.0 / (x * std::f64::consts::LN_10);
        sin x x.sin(), x.cos();
        cos x x.cos(), -x.sin();
        tan x x.tan(), 1.0 + x.tan() * x.tan();
        asin x x.asin(), 1.0 / (1.0 - x * x).sqrt();
        acos x x.acos(), -1.0 / (1.0 - x * x).sqrt();
        atan x x.atan(), 1.0 / (1.0 + x * x);
        sinh x x.sinh(), x.cosh();
        cosh x x.cosh(), x.sinh();
        // Near 1 the square of tanh has no digits left to subtract.
        tanh x x.tanh(), { let c = x.cosh(); 1.0 / (c * c) };
        asinh x x.asinh(), 1.0 / (x * x + 1.0).sqrt();
        acosh x x.acosh(), 1.0 / (x * x - 1.0).sqrt();
        atanh x x.atanh(), 1.0 / (1.0 - x * x);
    }
    fn classify(self) -> FpCategory {
        self.re.classify()
    }
    fn abs(self) -> Dual {
        self.note(Dual::zero());
        if self.re < 0.0 { -self } else { self }
    }
    fn mul_add(self, a: Dual, b: Dual) -> Dual {
        self * a + b
    }
    fn powi(self, n: i32) -> Dual {
        self.chain(self.re.powi(n), (n as f64) * self.re.powi(n - 1))
    }
    fn powf(self, n: Dual) -> Dual {
        let value = self.re.powf(n.re);
        let by_exponent = if n.du == 0.0 { 0.0 } else { value * self.re.ln() * n.du };
        Dual::new(value, n.re * self.re.powf(n.re - 1.0) * self.du + by_exponent)
    }
    fn log(self, base: Dual) -> Dual {
        self.ln() / base.ln()
    }
    fn max(self, other: Dual) -> Dual {
        self.note(other);
        if self.re >= other.re { self } else { other }
    }
    fn min(self, other: Dual) -> Dual {
        self.note(other);
        if self.re <= other.re { self } else { other }
    }
    fn abs_sub(self, other: Dual) -> Dual {
        (self - other).max(Dual::zero())
    }
    fn hypot(self, other: Dual) -> Dual {
        (self * self + other * other).sqrt()
    }
    fn atan2(self, other: Dual) -> Dual {
        let squares = self.re * self.re + other.re * other.re;
        Dual::new(self.re.atan2(other.re), (self.du * other.re - self.re * other.du) / squares)
    }
    fn sin_cos(self) -> (Dual, Dual) {
        (self.sin(), self.cos())
    }
    fn integer_decode(self) -> (u64, i16, i8) {
        Float::integer_decode(self.re)
    }
}

/// A forward prepared for derivatives along its coordinates.
pub(crate) struct Derivatives {
    case: Case<Dual>,
    params: Params<Dual>,
}

impl Derivatives {
    pub(crate) fn new<F: Real>(case: &Case<F>) -> Derivatives {
        let case = case.cast::<Dual>();
        let params = case.params.clone();
        Derivatives { case, params }
    }
    /// Derivative by component `i`, moved by `offset`, and the distance to the nearest kink
    /// along it, to first order.
    pub(crate) fn at(&mut self, i: usize, offset: f64) -> (f64, f64) {
        KINK.with(|kink| kink.set(f64::INFINITY));
        let (block, place) = self.params.locate(i);
        let before = self.params[block][place];
        self.params[block][place] = Dual::new(before.re + offset, 1.0);
        let value = self.case.forward(&self.params);
        self.params[block][place] = before;
        (value.du, KINK.with(Cell::get))
    }
}

/// How finely the best of differences can see one component at a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    /// Differences below this are lost in rounding, of the forward or of the gradient itself.
    pub(crate) smooth: f64,
    /// Where a kink is so near that no difference fits beside it: the derivatives on both
    /// sides, widened by what one-sided differences cannot see. Between them nothing is wrong.
    pub(crate) sides: Option<(f64, f64)>,
}

/// [`Floor`]s of a state, made when asked for.
///
/// The forward side is found by trying, with the true derivative known: five-point differences
/// at steps from an eighth of the block's largest parameter down to rounding, each a quarter of
/// the one before. Three neighbouring steps must all be good (one alone may be right by chance;
/// so the widest that counts is some hundredth of the parameters), none may reach over a kink,
/// and the error is never taken below what rounding the value by half a unit does at that step.
/// The gradient's side is the spread of the gradient under nudges of everything by two units of
/// rounding, and 16 units of its largest component. Errors and spread are multiplied by
/// [`Floors::SAFETY`]: the errors seen are about one standard deviation of the rounding, and a
/// verdict that holds over a hundred million components needs six or more on top of its own.
pub(crate) struct Floors<'a, F: Real> {
    case: &'a Case<F>,
    exact: Vec<f64>,
    analytic: Vec<f64>,
    derivatives: Derivatives,
    /// The same of nudged states, where a check takes no differences.
    nudged: Vec<Derivatives>,
    params: Params<F>,
    known: Vec<Option<Floor>>,
}

impl<'a, F: Real + Scalar> Floors<'a, F> {
    /// Factor on what is seen of either side.
    pub(crate) const SAFETY: f64 = 10.0;

    pub(crate) fn new(case: &'a Case<F>) -> Self {
        let wide = case.cast::<f64>();
        let exact = wide.gradient(&wide.params, Bug::None).flat();
        let here = case.gradient(&case.params, Bug::None).flat();
        let mut analytic = vec![0.0_f64; exact.len()];
        for nudged in nudged(case) {
            let there = nudged.gradient(&nudged.params, Bug::None).flat();
            for (spread, (a, b)) in analytic.iter_mut().zip(here.iter().zip(&there)) {
                *spread = spread.max((a - b).abs());
            }
        }
        let largest = here.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        for spread in &mut analytic {
            *spread = (*spread * Self::SAFETY).max(16.0 * F::ROUNDOFF * largest);
        }
        let known = vec![None; exact.len()];
        let (derivatives, params) = (Derivatives::new(case), case.params.clone());
        Floors { case, exact, analytic, derivatives, nudged: Vec::new(), params, known }
    }

    /// The floors of a check that takes no differences: the forward side is the spread of its
    /// derivative by dual numbers under the same nudges, and a kink counts only where the state is
    /// on it but for rounding.
    pub(crate) fn without_differences(case: &'a Case<F>) -> Self {
        Floors {
            nudged: nudged(case).map(|case| Derivatives::new(&case)).collect(),
            ..Self::new(case)
        }
    }

    /// The floor of component `i` for a fault whose own rounding is `own`, if it has one.
    pub(crate) fn under(&mut self, i: usize, own: Option<&[f64]>) -> Floor {
        let floor = self.at(i);
        Floor { smooth: own.map_or(floor.smooth, |own| floor.smooth.max(own[i])), ..floor }
    }

    /// The floor of component `i`.
    pub(crate) fn at(&mut self, i: usize) -> Floor {
        if let Some(floor) = self.known[i] {
            return floor;
        }
        let floor = self.find(i);
        self.known[i] = Some(floor);
        floor
    }

    fn find(&mut self, i: usize) -> Floor {
        let exact = self.exact[i];
        let (_, kink) = self.derivatives.at(i, 0.0);
        let (block, place) = self.params.locate(i);
        let x = Scalar::to_f64(self.params[block][place]);
        let mut scale =
            self.case.params[block].iter().fold(0.0_f64, |m, &v| m.max(Scalar::to_f64(v).abs()));
        if scale == 0.0 {
            scale = 1.0;
        }
        let centre = Scalar::to_f64(self.case.forward(&self.params));
        let on_tape = !self.nudged.is_empty();
        if on_tape {
            let here = self.derivatives.at(i, 0.0).0;
            let spread = (self.nudged.iter_mut())
                .map(|nudged| (nudged.at(i, 0.0).0 - here).abs())
                .fold((here - exact).abs(), f64::max);
            let smooth = Self::SAFETY * spread + self.analytic[i];
            if kink > 1e3 * F::ROUNDOFF * scale {
                return Floor { smooth, sides: None };
            }
        }
        let mut steps = Vec::new();
        let mut h = scale / 8.0;
        for _ in 0..22 {
            if 2.0 * h < kink && h > 4.0 * F::ROUNDOFF * x.abs() {
                steps.push(self.five_points((block, place), h, centre, exact));
            }
            h /= 4.0;
        }
        let best = steps
            .windows(3)
            .map(|w| w.iter().copied().fold(0.0, f64::max))
            .fold(f64::INFINITY, f64::min);
        let smooth = (Self::SAFETY * best).max(self.analytic[i]);
        let mut sides = None;
        if kink < 1e-3 * scale {
            let away = (1e-4 * scale).max(2.0 * kink);
            let (below, _) = self.derivatives.at(i, -away);
            let (above, _) = self.derivatives.at(i, away);
            let (low, high) = (below.min(above).min(exact), below.max(above).max(exact));
            let slack = 0.25 * (high - low)
                + 1e-3 * low.abs().max(high.abs())
                + Self::SAFETY * 8.0 * F::ROUNDOFF * centre.abs() / away
                + self.analytic[i];
            sides = Some((low - slack, high + slack));
        }
        Floor { smooth, sides }
    }

    /// Error of the derivative of the polynomial through five points, in spite of what
    /// rounding makes of their places.
    fn five_points(
        &mut self,
        (block, place): (usize, usize),
        h: f64,
        centre: f64,
        exact: f64,
    ) -> f64 {
        let before = self.params[block][place];
        let x = Scalar::to_f64(before);
        let mut nodes = [0.0; 4];
        let mut values = [0.0; 4];
        for (k, factor) in [-2.0, -1.0, 1.0, 2.0].into_iter().enumerate() {
            let moved = F::from_f64(x + factor * h);
            nodes[k] = Scalar::to_f64(moved) - x;
            self.params[block][place] = moved;
            values[k] = Scalar::to_f64(self.case.forward(&self.params));
        }
        self.params[block][place] = before;
        let mut slope = 0.0;
        let mut reach = 0.0_f64;
        for k in 0..4 {
            let weight = (0..4)
                .filter(|&l| l != k)
                .fold(1.0 / nodes[k], |w, l| w * -nodes[l] / (nodes[k] - nodes[l]));
            slope += weight * (values[k] - centre);
            reach = reach.max(F::ROUNDOFF * weight.abs() * values[k].abs().max(centre.abs()));
        }
        let error = (slope - exact).abs().max(reach);
        if error.is_finite() { error } else { f64::INFINITY }
    }
}

/// What rounding makes of each component of a changed gradient, which is `here` at the state:
/// its spread under the nudges that show the correct one's, with the same factor. A change carries
/// rounding wherever it carries values (two components swapped, one scaled), and a difference has
/// its own, `least` of it; neither is more wrong than by what it is off beyond that.
pub(crate) fn rounding_of_change<F: Real + Scalar>(
    case: &Case<F>,
    here: &[f64],
    least: f64,
    changed: impl Fn(&Case<F>) -> Option<Vec<f64>>,
) -> Vec<f64> {
    let mut seen = vec![least; here.len()];
    for there in nudged(case).filter_map(|nudged| changed(&nudged)) {
        for (seen, (a, b)) in seen.iter_mut().zip(here.iter().zip(there)) {
            *seen = seen.max((a - b).abs());
        }
    }
    seen.iter().map(|seen| Floors::<F>::SAFETY * seen).collect()
}

/// A case with everything nudged by two units of rounding, some times.
fn nudged<F: Real + Scalar>(case: &Case<F>) -> impl Iterator<Item = Case<F>> {
    let mut rng = Rng::new(&[17]);
    (0..6).map(move |_| {
        let mut nudged = case.clone();
        let mut nudge = |v: &mut F| {
            let by = 1.0 + 2.0 * F::ROUNDOFF * (2.0 * rng.uniform(0.0, 1.0) - 1.0).signum();
            *v = F::from_f64(Scalar::to_f64(*v) * by);
        };
        nudged.params.iter_mut().for_each(&mut nudge);
        nudged.data.arrays.iter_mut().flatten().for_each(&mut nudge);
        nudged
    })
}

/// Components that decide whether a fault is visible, the largest differences.
const LOOKED_AT: usize = 200;

/// The component that shows a fault best.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Witness {
    pub(crate) component: usize,
    /// Its floor.
    pub(crate) floor: f64,
    /// Difference over floor; above 1.
    pub(crate) margin: f64,
}

/// Whether a wrong gradient differs from the correct one by more than rounding, and where most.
///
/// That is: it is not finite, or there is a component where the two differ by more than
/// one and a half times the `tolerance` of their sizes and its [`Floor`] together. (At the
/// tolerance itself either answer is right.) Where a kink is too near for any difference, the
/// wrong one must also lie outside what the two sides span.
pub(crate) fn visible(
    correct: &[f64],
    wrong: &[f64],
    tolerance: f64,
    mut floor: impl FnMut(usize) -> Floor,
) -> Option<Witness> {
    if let Some(component) = wrong.iter().position(|w| !w.is_finite()) {
        return Some(Witness { component, floor: 0.0, margin: f64::INFINITY });
    }
    let difference = |i: usize| (wrong[i] - correct[i]).abs();
    let accepted = |i: usize| 1.5 * tolerance * (correct[i].abs() + wrong[i].abs());
    let mut order: Vec<usize> =
        (0..correct.len()).filter(|&i| difference(i) > accepted(i)).collect();
    order.sort_by(|&a, &b| difference(b).total_cmp(&difference(a)));
    // In large gradients the smallest differences are not worth their forwards.
    order.truncate(LOOKED_AT);
    let mut best: Option<Witness> = None;
    for component in order {
        let Floor { smooth, sides } = floor(component);
        let mut margin = (difference(component) - accepted(component)) / smooth;
        if let Some((low, high)) = sides {
            let beyond = (wrong[component] - high).max(low - wrong[component]);
            margin = margin.max(1.0 + beyond / (high - low));
        }
        if margin > best.map_or(1.0, |b| b.margin) {
            best = Some(Witness { component, floor: smooth, margin });
        }
        if best.is_some_and(|b| b.margin > ENOUGH) {
            break;
        }
    }
    best
}

/// A margin that needs no better one.
const ENOUGH: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::super::faults::{Fault, Site};
    use super::super::subjects::{Class, Model, SUBJECTS};
    use super::*;

    /// Every hand-written gradient is the derivative of its forward.
    #[test]
    fn gradients_are_proven_by_dual_numbers() {
        let classes = [
            Class::Random,
            Class::ZeroBiases,
            Class::Trained,
            Class::SmallInputs,
            Class::LargeInputs,
            Class::MixedScales,
            Class::BatchOfOne,
        ];
        for subject in SUBJECTS {
            // The large ones are the same code as the small.
            if subject.weight < 0.1 {
                continue;
            }
            let mut proven = 0;
            for class in classes {
                for index in 0..4 {
                    let Some(case) = subject.state(class, 5, index) else { continue };
                    proven += 1;
                    let mut derivatives = Derivatives::new(&case);
                    let exact: Vec<f64> =
                        (0..case.params.len()).map(|i| derivatives.at(i, 0.0).0).collect();
                    let gradient = case.gradient(&case.params, Bug::None).flat();
                    let largest = exact.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
                    let mut worst = 0.0_f64;
                    for (g, e) in gradient.iter().zip(&exact) {
                        worst = worst.max((g - e).abs() / largest.max(1e-8));
                    }
                    // Other classes lose digits in the gradient itself: a cross-entropy near
                    // its end, a mean of large numbers that differ little.
                    let allowed = match class {
                        Class::Trained => 1e-9,
                        Class::SmallInputs | Class::LargeInputs | Class::MixedScales => 1e-11,
                        _ => 1e-12,
                    };
                    assert!(worst < allowed, "{} in {class:?} {index}: {worst:e}", subject.name);
                }
            }
            assert!(proven >= 8, "{}: only {proven} states", subject.name);
        }
    }

    /// And no mistake leaves it correct everywhere.
    #[test]
    fn every_bug_changes_a_gradient() {
        for &bug in Bug::ALL {
            let changed = SUBJECTS.iter().filter(|s| s.weight > 0.3).any(|subject| {
                Class::ALL.iter().any(|&class| {
                    (0..3).any(|index| {
                        let Some(case) = subject.state(class, 6, index) else { return false };
                        if !case.model.bugs().contains(&bug) {
                            return false;
                        }
                        let correct = case.gradient(&case.params, Bug::None).flat();
                        let wrong = case.gradient(&case.params, bug).flat();
                        let mut floors = Floors::new(&case);
                        visible(&correct, &wrong, 2e-7, |i| floors.at(i)).is_some()
                    })
                })
            });
            assert!(changed, "{}", bug.name());
        }
    }

    /// Each change of a gradient shows somewhere.
    #[test]
    fn every_change_is_visible_somewhere() {
        let mut unseen: Vec<Fault> =
            Fault::all().filter(|fault| matches!(fault, Fault::Change(_))).collect();
        assert!(Fault::all().count() > 150);
        for subject in SUBJECTS.iter().filter(|s| s.weight > 0.3) {
            for &class in Class::ALL {
                let Some(case) = subject.state(class, 7, 0) else { continue };
                let base = case.gradient(&case.params, Bug::None);
                let correct = base.flat();
                let site = Site { case: &case, class, base: &base, fixed: None };
                let mut floors = Floors::new(&case);
                unseen.retain(|fault| {
                    let mut g = base.clone();
                    fault.change(&site, &case.params, &mut g, 1).is_none()
                        || visible(&correct, &g.flat(), 2e-7, |i| floors.at(i)).is_none()
                });
            }
        }
        assert!(unseen.is_empty(), "{:?}", unseen.iter().map(|f| f.name()).collect::<Vec<_>>());
    }
}
