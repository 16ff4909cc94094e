//! Rounding error bounds against true errors, on forwards that are run a second time in twice
//! the precision.
use std::ops::{Add, Div, Mul, Neg, Sub};

use gradcheck_runtime::var::{Tape, Var};
use num_traits::Float;

use crate::dd::Dd;
use crate::{Random, Taped, taped};

/// What the forwards of this file are generic over.
trait Real:
    Copy
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn tanh(self) -> Self;
    fn sqrt(self) -> Self;
    fn cos(self) -> Self;
    fn relu(self) -> Self;
}

macro_rules! real_for_var {
    ($($name:ident)*) => {
        impl Real for Var {
            $(fn $name(self) -> Var {
                Float::$name(self)
            })*
            fn relu(self) -> Var {
                self.max(0.0.into())
            }
        }
    };
}

real_for_var!(exp ln ln_1p tanh sqrt cos);

/// A number and its derivative with respect to one variable, each in twice the precision.
#[derive(Clone, Copy)]
struct Dual {
    re: Dd,
    eps: Dd,
}

impl From<f64> for Dual {
    fn from(re: f64) -> Dual {
        Dual { re: re.into(), eps: Dd::from(0.0) }
    }
}

impl Dual {
    fn chain(self, re: Dd, slope: Dd) -> Dual {
        Dual { re, eps: self.eps * slope }
    }
}

macro_rules! dual_operators {
    ($($trait:ident $method:ident |$a:ident, $b:ident| $eps:expr;)*) => {$(
        impl $trait for Dual {
            type Output = Dual;
            fn $method(self, other: Dual) -> Dual {
                let ($a, $b) = (self, other);
                Dual { re: self.re.$method(other.re), eps: $eps }
            }
        }
    )*};
}

dual_operators! {
    Add add |a, b| a.eps + b.eps;
    Sub sub |a, b| a.eps - b.eps;
    Mul mul |a, b| a.eps * b.re + a.re * b.eps;
    Div div |a, b| (a.eps - a.re / b.re * b.eps) / b.re;
}

impl Neg for Dual {
    type Output = Dual;
    fn neg(self) -> Dual {
        Dual { re: -self.re, eps: -self.eps }
    }
}

impl Real for Dual {
    fn exp(self) -> Dual {
        self.chain(self.re.exp(), self.re.exp())
    }
    fn ln(self) -> Dual {
        self.chain(self.re.ln(), 1.0 / self.re)
    }
    fn ln_1p(self) -> Dual {
        self.chain(self.re.ln_1p(), 1.0 / (1.0 + self.re))
    }
    fn tanh(self) -> Dual {
        let cosh = self.re.cosh();
        self.chain(self.re.tanh(), 1.0 / (cosh * cosh))
    }
    fn sqrt(self) -> Dual {
        let root = self.re.sqrt();
        self.chain(root, 0.5 / root)
    }
    fn cos(self) -> Dual {
        let (sin, cos) = self.re.sin_cos();
        self.chain(cos, -sin)
    }
    fn relu(self) -> Dual {
        if self.re.hi > 0.0 { self } else { 0.0.into() }
    }
}

/// One component: its size, its true error, and the bound on that.
#[derive(Clone, Copy, Debug)]
struct Component {
    size: f64,
    error: f64,
    bound: f64,
}

/// Runs a forward on the tape and, once for each variable, in twice the precision. The first
/// component is the value.
fn compare(tape: &Taped, exact: impl Fn(&[Dual]) -> Dual, x: &[f64]) -> Vec<Component> {
    let mut components = Vec::new();
    for i in 0..x.len() {
        let mut duals: Vec<Dual> = x.iter().map(|&x| x.into()).collect();
        duals[i].eps = Dd::from(1.0);
        let dual = exact(&duals);
        let component = |exact: Dd, found: f64, bound: f64| Component {
            size: exact.abs().hi,
            error: (exact - found).abs().hi,
            bound,
        };
        if i == 0 {
            components.push(component(dual.re, tape.value, tape.sweep.value_bound));
        }
        components.push(component(dual.eps, tape.sweep.gradient[i], tape.sweep.bounds[i]));
    }
    components
}

/// Whether every bound covers its error: what this file asserts, and its twins must fail.
fn covered(components: &[Component]) -> bool {
    components.iter().all(|c| c.error <= c.bound)
}

const SIZES: [usize; 4] = [5, 8, 6, 1];
const BATCH: usize = 7;

fn parameters() -> usize {
    SIZES.windows(2).map(|pair| pair[1] * (pair[0] + 1)).sum()
}

/// Mean cross-entropy of a network of three layers: tanh, relu, and logits.
fn network<R: Real>(parameters: &[R], data: &[f64], hidden: fn(R, usize) -> R) -> R {
    let mut sum = R::from(0.0);
    for row in data.chunks(SIZES[0] + 1) {
        let mut a: Vec<R> = row[..SIZES[0]].iter().map(|&x| x.into()).collect();
        let mut at = 0;
        for (layer, pair) in SIZES.windows(2).enumerate() {
            let (n, m) = (pair[0], pair[1]);
            let mut z = Vec::new();
            for _ in 0..m {
                let weights = &parameters[at..at + n];
                let dot = weights.iter().zip(&a).fold(R::from(0.0), |sum, (&w, &a)| sum + w * a);
                z.push(dot + parameters[at + n]);
                at += n + 1;
            }
            a = if layer < 2 { z.into_iter().map(|z| hidden(z, layer)).collect() } else { z };
        }
        let (z, y) = (a[0], R::from(row[SIZES[0]]));
        // ln(1 + e^z) - y z, with |z| as the branch has it: logits here are far from zero.
        sum = sum + z.relu() - y * z + (-(z.relu() + (-z).relu())).exp().ln_1p();
    }
    sum / R::from(BATCH as f64)
}

fn tanh_relu<R: Real>(z: R, layer: usize) -> R {
    if layer == 0 { z.tanh() } else { z.relu() }
}

fn initialisation(random: &mut Random) -> (Vec<f64>, Vec<f64>) {
    let parameters = (0..parameters()).map(|_| random.uniform(-1.0, 1.0)).collect();
    let data = (0..BATCH * (SIZES[0] + 1))
        .map(|i| {
            let x = random.uniform(-2.0, 2.0);
            if i % (SIZES[0] + 1) == SIZES[0] { f64::from(x > 0.0) } else { x }
        })
        .collect();
    (parameters, data)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn bounds_of_a_network_hold_and_are_tight() {
    let mut random = Random(2);
    let (mut ratios, mut relative) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let (theta, data) = initialisation(&mut random);
        let tape = taped(|theta| network(theta, &data, tanh_relu), &theta);
        let components = compare(&tape, |theta| network(theta, &data, tanh_relu), &theta);
        assert!(covered(&components), "{components:?}");
        let largest = components[1..].iter().fold(0.0, |a: f64, c| a.max(c.size));
        relative.push(components[1..].iter().fold(0.0, |a: f64, c| a.max(c.bound)) / largest);
        ratios.extend(components.iter().filter(|c| c.error > 0.0).map(|c| c.bound / c.error));
    }
    let least = ratios.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    let (ratio, relative) = (median(ratios), median(relative));
    println!("bound over error: median {ratio:.0}, least {least:.1}");
    println!("largest bound over largest component: median {relative:.1e}");
    assert!(ratio < 200.0, "{ratio}");
    assert!(relative < 2e-14, "{relative:e}");
}

/// The twin: one activation's slope is off by one part in 10^12, and its value is as it was.
#[test]
fn a_wrong_partial_is_outside_the_bounds() {
    fn perturbed(z: Var, layer: usize) -> Var {
        let right = tanh_relu(z, layer);
        if layer == 0 { right + (z - z.value()) * 1e-12 } else { right }
    }
    let mut random = Random(2);
    let mut caught = 0;
    for _ in 0..30 {
        let (theta, data) = initialisation(&mut random);
        let right = taped(|theta| network(theta, &data, tanh_relu), &theta);
        let wrong = taped(|theta| network(theta, &data, perturbed), &theta);
        assert_eq!(right.value, wrong.value);
        let exact = |theta: &[Dual]| network(theta, &data, tanh_relu);
        let mut components = compare(&wrong, exact, &theta);
        // The value is right: it is a derivative that must be caught.
        components.remove(0);
        caught += usize::from(!covered(&components));
    }
    assert!(caught >= 28, "{caught} of 30");
}

/// The other twin: bounds a thousandth of what they are do not hold.
#[test]
fn bounds_that_are_too_small_are_noticed() {
    let mut random = Random(2);
    let (theta, data) = initialisation(&mut random);
    let mut tape = taped(|theta| network(theta, &data, tanh_relu), &theta);
    for bound in &mut tape.sweep.bounds {
        *bound /= 1000.0;
    }
    let components = compare(&tape, |theta| network(theta, &data, tanh_relu), &theta);
    assert!(!covered(&components));
}

/// Forwards that cancel, at one variable x.
fn cancelling<R: Real>() -> [(&'static str, fn(R) -> R, f64); 9] {
    [
        ("softplus(x) - x", |x| (R::from(1.0) + x.exp()).ln() - x, 30.0),
        (
            "ln(1 - sigmoid(x))",
            |x| (R::from(1.0) - R::from(1.0) / (R::from(1.0) + (-x).exp())).ln(),
            25.0,
        ),
        ("(1 - cos x) / x^2", |x| (R::from(1.0) - x.cos()) / (x * x), 1e-4),
        ("ln(e^x)", |x| x.exp().ln(), 1e-9),
        ("sqrt(1 + x) - 1", |x| (R::from(1.0) + x).sqrt() - R::from(1.0), 1e-10),
        (
            "((x + 10^6) - 10^6)^2",
            |x| {
                let y = (x + R::from(1e6)) - R::from(1e6);
                y * y
            },
            0.1,
        ),
        ("x^2 - x x", |x| (x + R::from(1.0)) * (x + R::from(1.0)) - x * x - x - x, 1e5),
        ("1 - tanh(x)^2", |x| R::from(1.0) - x.tanh() * x.tanh(), 14.0),
        (
            "ln(tanh(x)), by e^2x",
            |x| {
                let e = (x + x).exp();
                ((e - R::from(1.0)) / (e + R::from(1.0))).ln()
            },
            12.0,
        ),
    ]
}

#[test]
fn cancellation_shows_in_the_bounds() {
    for ((name, on_tape, x), (_, exact, _)) in
        cancelling::<Var>().into_iter().zip(cancelling::<Dual>())
    {
        let tape = taped(|x| on_tape(x[0]), &[x]);
        let components = compare(&tape, |x| exact(x[0]), &[x]);
        for (part, c) in ["value", "derivative"].iter().zip(&components) {
            let (relative, error) = (c.bound / c.size, c.error / c.size);
            println!("{name:24} {part:10} bound {relative:.1e}, error {error:.1e}");
            assert!(c.error <= c.bound, "{name}, {part}: {c:?}");
        }
        // Something of each is lost, which a fixed multiple of u would not tell.
        let largest = components.iter().fold(0.0, |a: f64, c| a.max(c.bound / c.size));
        assert!(largest > 1e-12, "{name}: {components:?}");
    }
}

/// The stable twins of the first two: nothing is lost, and the bounds say that too.
#[test]
fn stable_forms_keep_small_bounds() {
    let stable: [(fn(Var) -> Var, f64); 3] = [
        (|x| Real::ln_1p(Real::exp(-x)), 30.0),
        (|x| -x - Real::ln_1p(Real::exp(-x)), 25.0),
        (Float::tanh, 14.0),
    ];
    for (f, x) in stable {
        let tape = taped(|x| f(x[0]), &[x]);
        let relative = tape.sweep.bounds[0] / tape.sweep.gradient[0].abs();
        assert!(relative < 1e-14, "{relative:e}");
    }
}

/// An infinite slope in what may or may not reach the output: no number, but no bound either.
#[test]
fn a_weight_that_is_zero_by_rounding_leaves_the_slope_unknown() {
    let zero = (Var::from(0.1) + 8.0) - 8.0 - ((0.1 + 8.0) - 8.0);
    assert!(zero.value() == 0.0 && zero.error() > 0.0);
    assert_eq!(Float::hypot(zero, Var::from(0.0)).error(), zero.error());
    assert_eq!(Float::abs(zero).error(), zero.error());
    let unknown = taped(|x| Float::sqrt(x[0]) * zero, &[0.0]);
    assert_eq!(unknown.sweep.gradient, [0.0]);
    assert!(unknown.sweep.bounds[0].is_infinite());
    let absent = taped(|x| Float::sqrt(x[0]) * 0.0 + x[0], &[0.0]);
    assert_eq!((absent.sweep.gradient, absent.sweep.bounds), (vec![1.0], vec![0.0]));
}

#[test]
fn outputs_are_weighted_and_their_bounds_with_them() {
    Tape::reset();
    let x = Var::variable(0.3);
    let (a, b) = (Float::exp(x), Float::ln(x));
    let of = |seeds: &[(Var, f64)]| {
        let outputs: Vec<_> = seeds.iter().map(|(y, w)| (y.tape_id().unwrap(), *w)).collect();
        Tape::sweep(&outputs)
    };
    let both = of(&[(a, 2.0), (b, -3.0)]);
    let expected = 2.0 * a.error() + 3.0 * b.error();
    assert!((both.value_bound / expected - 1.0).abs() < 1e-8);
    let (first, second) = (of(&[(a, 2.0)]), of(&[(b, -3.0)]));
    assert_eq!(both.gradient[0], first.gradient[0] + second.gradient[0]);
    assert!(both.bounds[0] >= first.bounds[0] + second.bounds[0]);
}

/// Random expressions, some of them ill-conditioned.
#[test]
fn bounds_of_random_expressions_hold() {
    fn expression<R: Real>(x: &[R], random: &mut Random) -> R {
        let mut stack: Vec<R> = x.to_vec();
        for _ in 0..12 {
            let pick = |random: &mut Random| (random.bits() % 100) as usize;
            let (a, b) = (stack[pick(random) % stack.len()], stack[pick(random) % stack.len()]);
            stack.push(match random.bits() % 9 {
                0 => a + b,
                1 => a - b,
                2 => a * b,
                3 => a / (b * b + R::from(0.5)),
                4 => a.tanh(),
                5 => (a * a + R::from(0.1)).ln(),
                6 => (-(a * a)).exp(),
                7 => (a * a + R::from(0.01)).sqrt(),
                _ => a.cos(),
            });
        }
        stack.into_iter().rev().take(6).fold(R::from(0.0), |sum, y| sum + y)
    }
    let mut ratios = Vec::new();
    let mut said = 0;
    for seed in 0..1500 {
        let mut random = Random(seed);
        let x: Vec<f64> = (0..3).map(|_| random.uniform(-2.0, 2.0)).collect();
        let tape = taped(|x| expression(x, &mut Random(seed + 1)), &x);
        for c in compare(&tape, |x| expression(x, &mut Random(seed + 1)), &x) {
            // First order: where a bound is near the size of its component it says no more.
            if c.bound < 1e-6 * c.size {
                // The oracle rounds too, at 1e-32 of its largest intermediate values.
                assert!(c.error <= c.bound + 1e-28, "seed {seed}: {c:?}");
                said += 1;
                if c.error > 0.0 {
                    ratios.push(c.bound / c.error);
                }
            }
        }
    }
    let ratio = median(ratios);
    println!("bound over error: median {ratio:.0} of {said}");
    assert!(said > 3000 && ratio < 100.0, "{said}, {ratio}");
}
