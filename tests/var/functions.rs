//! Every function of `Float`: values, derivatives and bounds over the whole domain.
use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LN_10, PI};

use gradcheck_runtime::var::{Event, Tape, Var};
use num_dual::{Dual64, DualNum};
use num_traits::{Euclid, Float, Inv, MulAdd, MulAddAssign, Pow, Signed};

use crate::dd::Dd;
use crate::{Random, taped, taped1, ulps};

const INF: f64 = f64::INFINITY;

/// One function of one variable, by four ways.
struct Unary {
    name: &'static str,
    var: fn(Var) -> Var,
    std: fn(f64) -> f64,
    /// Value and derivative, in twice the precision.
    exact: fn(Dd) -> (Dd, Dd),
    dual: fn(Dual64) -> Dual64,
    /// Where num-dual's own formula does not cancel.
    trusted: fn(f64) -> bool,
    point: fn(&mut Random) -> f64,
    /// Distance of the derivative from the exact one, in ulps: the largest measured.
    ulps: f64,
}

fn anywhere(random: &mut Random) -> f64 {
    random.signed(1e-100, 1e100)
}

fn positive(random: &mut Random) -> f64 {
    match random.bits() % 3 {
        0 => random.magnitude(1e-100, 1e100),
        1 => 1.0 + random.signed(1e-15, 0.5),
        _ => random.uniform(0.0, 20.0),
    }
}

/// Both tiny and up to `high`.
fn up_to<const HIGH: u32>(random: &mut Random) -> f64 {
    match random.bits() % 3 {
        0 => random.signed(1e-100, 1.0),
        1 => random.uniform(-5.0, 5.0),
        _ => random.uniform(-1.0, 1.0) * f64::from(HIGH),
    }
}

fn within_one(random: &mut Random) -> f64 {
    match random.bits() % 3 {
        0 => random.signed(1e-100, 1.0),
        1 => (1.0 - random.magnitude(1e-16, 1.0)) * random.signed(0.999, 1.0).signum(),
        _ => random.uniform(-1.0, 1.0),
    }
}

fn above_one(random: &mut Random) -> f64 {
    1.0 + random.magnitude(1e-15, 1e100)
}

fn above_minus_one(random: &mut Random) -> f64 {
    match random.bits() % 3 {
        0 => random.magnitude(1e-100, 1e100),
        1 => random.magnitude(1e-15, 1.0) - 1.0,
        _ => random.signed(1e-100, 0.9),
    }
}

fn always(_: f64) -> bool {
    true
}

/// num-dual takes 1 - x^2.
fn off_one(x: f64) -> bool {
    (x.abs() - 1.0).abs() > 0.1
}

/// num-dual takes sinh / cosh.
fn small(x: f64) -> bool {
    x.abs() < 1.0
}

fn functions() -> Vec<Unary> {
    macro_rules! unary {
        ($($name:ident at $point:expr, dual $trusted:ident, $ulps:literal, |$x:ident| $exact:expr;)*) => {
            vec![$(Unary {
                name: stringify!($name),
                var: |x| x.$name(),
                std: |x| x.$name(),
                exact: |$x| $exact,
                dual: |x| DualNum::$name(&x),
                trusted: $trusted,
                point: $point,
                ulps: $ulps,
            }),*]
        };
    }
    unary! {
        recip at anywhere, dual always, 2.0, |x| (1.0 / x, -1.0 / (x * x));
        sqrt at positive, dual always, 1.0, |x| (x.sqrt(), 0.5 / x.sqrt());
        cbrt at anywhere, dual always, 3.0, |x| (x.cbrt(), 1.0 / (3.0 * x.cbrt() * x.cbrt()));
        exp at up_to::<600>, dual always, 1.0, |x| (x.exp(), x.exp());
        exp2 at up_to::<900>, dual always, 1.0, |x| {
            let ln_2 = Dd::from(2.0).ln();
            ((x * ln_2).exp(), (x * ln_2).exp() * ln_2)
        };
        exp_m1 at up_to::<600>, dual always, 1.0, |x| (x.exp_m1(), x.exp());
        ln at positive, dual always, 0.0, |x| (x.ln(), 1.0 / x);
        log2 at positive, dual always, 1.0, |x| {
            let ln_2 = Dd::from(2.0).ln();
            (x.ln() / ln_2, 1.0 / (x * ln_2))
        };
        log10 at positive, dual always, 2.0, |x| {
            let ln_10 = Dd::from(10.0).ln();
            (x.ln() / ln_10, 1.0 / (x * ln_10))
        };
        ln_1p at above_minus_one, dual always, 1.0, |x| (x.ln_1p(), 1.0 / (1.0 + x));
        sin at up_to::<1000>, dual always, 1.0, |x| x.sin_cos();
        cos at up_to::<1000>, dual always, 1.0, |x| (x.sin_cos().1, -x.sin_cos().0);
        tan at up_to::<1000>, dual always, 2.0, |x| (x.tan(), 1.0 + x.tan() * x.tan());
        asin at within_one, dual off_one, 1.0, |x| {
            (x.asin(), 1.0 / ((1.0 - x) * (1.0 + x)).sqrt())
        };
        acos at within_one, dual off_one, 1.0, |x| {
            (x.acos(), -1.0 / ((1.0 - x) * (1.0 + x)).sqrt())
        };
        atan at anywhere, dual always, 2.0, |x| (x.atan(), 1.0 / (1.0 + x * x));
        sinh at up_to::<600>, dual always, 1.0, |x| (x.sinh(), x.cosh());
        cosh at up_to::<600>, dual always, 1.0, |x| (x.cosh(), x.sinh());
        tanh at up_to::<200>, dual small, 4.0, |x| (x.tanh(), 1.0 / (x.cosh() * x.cosh()));
        asinh at anywhere, dual always, 1.0, |x| (x.asinh(), 1.0 / (1.0 + x * x).sqrt());
        acosh at above_one, dual off_one, 2.0, |x| {
            (x.acosh(), 1.0 / ((x - 1.0) * (x + 1.0)).sqrt())
        };
        atanh at within_one, dual off_one, 2.0, |x| (x.atanh(), 1.0 / ((1.0 - x) * (1.0 + x)));
    }
}

/// Ulps that other systems' libraries may add to the measured ones.
const PLATFORM: f64 = 2.0;

/// Holds one derivative against the exact one: the check that all of this file rests on.
fn judge(function: &Unary, x: f64, derivative: f64) -> Result<f64, String> {
    let (_, exact) = (function.exact)(Dd::from(x));
    let distance = ulps(derivative, exact.hi);
    if distance <= function.ulps + PLATFORM {
        Ok(distance)
    } else {
        Err(format!("{}'({x:e}) = {derivative:e}, {distance} ulps off", function.name))
    }
}

fn points(function: &Unary) -> Vec<f64> {
    let mut random = Random(7);
    (0..3000).map(|_| (function.point)(&mut random)).filter(|x| x.is_finite()).collect()
}

#[test]
fn values_are_those_of_f64() {
    for function in functions() {
        let edges = [0.0, -0.0, 0.5, 1.0, -1.0, 2.0, 1e-310, 1e308, -1e308, INF, -INF, f64::NAN];
        for x in points(&function).into_iter().chain(edges) {
            let (tape, std) = (taped1(function.var, x).value, (function.std)(x));
            let constant = (function.var)(Var::constant(x)).value();
            assert!(
                tape.to_bits() == std.to_bits() || tape.is_nan() && std.is_nan(),
                "{} of {x:e}: {tape:e}, not {std:e}",
                function.name,
            );
            assert_eq!(tape.to_bits(), constant.to_bits(), "{} of {x:e}", function.name);
        }
    }
}

#[test]
fn derivatives_are_exact_to_a_few_units() {
    for function in functions() {
        let mut worst = 0.0_f64;
        for x in points(&function) {
            let derivative = taped1(function.var, x).derivative();
            worst = worst.max(judge(&function, x, derivative).unwrap());
        }
        println!("{:8} {worst:.2} ulps", function.name);
    }
}

/// The twin of the test before.
#[test]
fn a_derivative_off_by_ten_units_is_caught() {
    for function in functions() {
        let off = |x: f64| {
            let derivative = taped1(function.var, x).derivative();
            judge(&function, x, derivative * (1.0 + 10.0 * f64::EPSILON)).is_err()
        };
        let points = points(&function);
        let caught = points.iter().filter(|&&x| off(x)).count();
        assert!(caught * 100 > points.len() * 99, "{}: {caught}", function.name);
    }
}

#[test]
fn derivatives_are_those_of_dual_numbers() {
    for function in functions() {
        let (mut worst, mut compared) = (0.0_f64, 0);
        for x in points(&function).into_iter().filter(|&x| (function.trusted)(x)) {
            let derivative = taped1(function.var, x).derivative();
            let dual = (function.dual)(Dual64::new(x, 1.0)).eps;
            // Where the square of the argument overflows num-dual has nothing to say.
            if dual.is_normal() {
                worst = worst.max((derivative / dual - 1.0).abs());
                compared += 1;
            }
        }
        println!("{:8} {worst:.1e} over {compared}", function.name);
        // The most measured: 8.9e-16.
        assert!(worst < 2e-15 && compared > 900, "{}: {worst:e} over {compared}", function.name);
    }
}

/// Bounds of value and derivative hold, at exact arguments and at one that lost digits.
#[test]
fn bounds_cover_the_errors_of_every_function() {
    let mut random = Random(3);
    for function in functions() {
        let (mut covered, mut tightest) = (0, f64::INFINITY);
        for x in points(&function) {
            let shift = x * random.uniform(1.0, 1e4);
            let (value, derivative) = (function.exact)(Dd::from(x));
            for inexact in [false, true] {
                let of = |x: Var| (function.var)(if inexact { (x + shift) - shift } else { x });
                let taped = taped1(of, x);
                let errors = [
                    ((value - taped.value).abs().hi, taped.sweep.value_bound, value.abs().hi),
                    (
                        (derivative - taped.derivative()).abs().hi,
                        taped.sweep.bounds[0],
                        derivative.abs().hi,
                    ),
                ];
                // First order in the errors: a bound near the derivative itself says just that.
                if errors.iter().any(|&(_, bound, size)| bound > 1e-3 * size) {
                    continue;
                }
                for (i, (error, bound, _)) in errors.into_iter().enumerate() {
                    assert!(
                        error <= 1.01 * bound,
                        "{} of {x:e}, inexact {inexact}, part {i}: {error:e} > {bound:e}",
                        function.name,
                    );
                    covered += 1;
                    if error > 0.0 {
                        tightest = tightest.min(bound / error);
                    }
                }
            }
        }
        println!("{:8} {covered} covered, at least {tightest:.1} fold", function.name);
        assert!(covered > 6000, "{}: only {covered} bounds said anything", function.name);
        // A bound that is never within a hundredfold of an error would be no measure of it.
        assert!(tightest < 100.0, "{}: {tightest}", function.name);
    }
}

/// A function at the edge of its domain: derivative, and whether it counts as singular.
#[test]
fn edges() {
    type Case = (&'static str, fn(Var) -> Var, f64, f64, bool);
    let cases: &[Case] = &[
        ("sqrt", |x| x.sqrt(), 0.0, INF, true),
        ("sqrt", |x| x.sqrt(), 1e-300, 0.5e150, false),
        ("sqrt", |x| x.sqrt(), 1e300, 0.5e-150, false),
        ("cbrt", |x| x.cbrt(), 0.0, INF, true),
        ("cbrt", |x| x.cbrt(), -8.0, 1.0 / 12.0, false),
        ("asin", |x| x.asin(), 1.0, INF, true),
        ("asin", |x| x.asin(), -1.0, INF, true),
        ("acos", |x| x.acos(), 1.0, -INF, true),
        ("acos", |x| x.acos(), -1.0, -INF, true),
        ("acosh", |x| x.acosh(), 1.0, INF, true),
        ("acosh", |x| x.acosh(), 1e200, 1e-200, false),
        ("asinh", |x| x.asinh(), 0.0, 1.0, false),
        ("asinh", |x| x.asinh(), -1e200, 1e-200, false),
        ("atanh", |x| x.atanh(), 0.0, 1.0, false),
        ("atan", |x| x.atan(), 1e155, 1e-310, false),
        ("atan", |x| x.atan(), INF, 0.0, false),
        ("exp", |x| x.exp(), -800.0, 0.0, false),
        ("exp_m1", |x| x.exp_m1(), 0.0, 1.0, false),
        ("exp_m1", |x| x.exp_m1(), -800.0, 0.0, false),
        ("exp_m1", |x| x.exp_m1(), -40.0, (-40.0f64).exp(), false),
        ("ln_1p", |x| x.ln_1p(), 0.0, 1.0, false),
        ("ln_1p", |x| x.ln_1p(), 1e300, 1e-300, false),
        ("sinh", |x| x.sinh(), 0.0, 1.0, false),
        ("cosh", |x| x.cosh(), 0.0, 0.0, false),
        ("tanh", |x| x.tanh(), 0.0, 1.0, false),
        ("tanh", |x| x.tanh(), 30.0, 4.0 * (-60.0f64).exp(), false),
        ("tanh", |x| x.tanh(), 800.0, 0.0, false),
        ("tanh", |x| x.tanh(), -INF, 0.0, false),
        ("tan", |x| x.tan(), 0.0, 1.0, false),
        ("sin", |x| x.sin(), PI, -1.0, false),
        ("powi 0", |x| x.powi(0), 0.0, 0.0, false),
        ("powi 1", |x| x.powi(1), 0.0, 1.0, false),
        ("powi 2", |x| x.powi(2), 0.0, 0.0, false),
        ("powi 3", |x| x.powi(3), -2.0, 12.0, false),
        ("powi -1", |x| x.powi(-1), -2.0, -0.25, false),
        ("powi -2", |x| x.powi(-2), 2.0, -0.25, false),
        ("powf 0", |x| x.powf(0.0.into()), 0.0, 0.0, false),
        ("powf 1/2", |x| x.powf(0.5.into()), 0.0, INF, true),
        ("powf 1", |x| x.powf(1.0.into()), 0.0, 1.0, false),
        ("powf 3/2", |x| x.powf(1.5.into()), 0.0, 0.0, false),
        ("powf 2", |x| x.powf(2.0.into()), 0.0, 0.0, false),
        ("powf 2", |x| x.powf(2.0.into()), -3.0, -6.0, false),
        ("powf -3", |x| x.powf((-3.0).into()), -1.0, -3.0, false),
        ("powf 2", |x| x.powf(2.0.into()), 1e-170, 2e-170, false),
        ("2^x", |x| Var::from(2.0).powf(x), 0.0, LN_2, false),
        ("0^x", |x| Var::from(0.0).powf(x), 2.0, 0.0, false),
        ("x^x", |x| x.powf(x), 1.0, 1.0, false),
        ("x^x", |x| x.powf(x), 0.0, -INF, true),
        ("x^x", |x| x.powf(x), 2.0, 4.0 * (1.0 + LN_2), false),
        ("log_10", |x| x.log(10.0.into()), 2.0, 0.5 / LN_10, false),
        ("log_x 10", |x| Var::from(10.0).log(x), 10.0, -0.1 / LN_10, false),
        ("log_x 10", |x| Var::from(10.0).log(x), 0.0, -INF, true),
        ("log_x 0.1", |x| Var::from(0.1).log(x), 0.0, INF, true),
        ("log_x x", |x| x.log(x), 3.0, 0.0, false),
        ("hypot", |x| x.hypot(0.0.into()), -2.0, -1.0, false),
        ("hypot", |x| x.hypot(0.0.into()), 0.0, 0.0, false),
        ("hypot", |x| x.hypot(x), 1e200, 2.0.sqrt(), false),
        ("hypot", |x| x.hypot(x), 1e-200, 2.0.sqrt(), false),
        ("hypot", |x| x.hypot(INF.into()), 1.0, 0.0, false),
        ("y axis", |x| Var::from(2.0).atan2(x), 0.0, -0.5, false),
        ("x axis", |y| y.atan2(2.0.into()), 0.0, 0.5, false),
        ("-y axis", |x| Var::from(-2.0).atan2(x), 0.0, 0.5, false),
        ("-x axis", |y| y.atan2((-2.0).into()), 0.0, -0.5, false),
        ("far", |y| y.atan2(1e-200.into()), 1e200, 0.0, false),
        ("near", |y| y.atan2(1e-200.into()), 1e-200, 0.5e200, false),
        ("floor", |x| x.floor(), 2.5, 0.0, false),
        ("ceil", |x| x.ceil(), 2.5, 0.0, false),
        ("round", |x| x.round(), 2.2, 0.0, false),
        ("trunc", |x| x.trunc(), -2.2, 0.0, false),
        ("fract", |x| x.fract(), -2.25, 1.0, false),
        ("signum", |x| x.signum(), -2.25, 0.0, false),
        ("abs", |x| x.abs(), -2.25, -1.0, false),
        ("abs", |x| x.abs(), 2.25, 1.0, false),
        ("abs", |x| x.abs(), 0.0, 0.0, false),
        ("copysign", |x| x.copysign((-1.0).into()), 3.0, -1.0, false),
        ("copysign", |x| x.copysign((-1.0).into()), -3.0, 1.0, false),
        ("copysign to x", |x| Var::from(3.0).copysign(x), -3.0, 0.0, false),
        ("to_degrees", |x| x.to_degrees(), 1.0, 180.0 / PI, false),
        ("to_radians", |x| x.to_radians(), 90.0, PI / 180.0, false),
        ("max", |x| x.max(1.0.into()), 2.0, 1.0, false),
        ("max", |x| x.max(3.0.into()), 2.0, 0.0, false),
        ("max of NaN", |x| x.max(f64::NAN.into()), 2.0, 1.0, false),
        ("min", |x| x.min(3.0.into()), 2.0, 1.0, false),
        ("min", |x| x.min(1.0.into()), 2.0, 0.0, false),
        ("clamp", |x| x.clamp(0.0.into(), 1.0.into()), 0.5, 1.0, false),
        ("clamp", |x| x.clamp(0.0.into(), 1.0.into()), 1.5, 0.0, false),
        ("clamp", |x| x.clamp(0.0.into(), 1.0.into()), -1.5, 0.0, false),
        ("abs_sub", |x| Float::abs_sub(x, 1.0.into()), 3.0, 1.0, false),
        ("abs_sub", |x| Float::abs_sub(x, 1.0.into()), -3.0, 0.0, false),
        ("abs_sub of", |x| Signed::abs_sub(&Var::from(1.0), &x), -3.0, -1.0, false),
        ("inv", |x| x.inv() + (&x).inv(), 2.0, -0.5, false),
        ("sin_cos", |x| x.sin_cos().0 + 2.0 * x.sin_cos().1, 0.0, 1.0, false),
        ("pow", |x| x.pow(2i32) + (&x).pow(&3u8) + x.pow(2.0f32), 2.0, 20.0, false),
        ("pow", |x| x.pow(x) + x.pow(&2.0f64), 1.0, 3.0, false),
        ("rem_euclid", |x| x.rem_euclid(&3.0.into()), -7.0, 1.0, false),
        ("rem_euclid of", |x| Var::from(-7.0).rem_euclid(&x), 3.0, 3.0, false),
        ("rem_euclid of", |x| Var::from(7.0).rem_euclid(&x), -3.0, 2.0, false),
        ("div_euclid", |x| x.div_euclid(&3.0.into()), -7.0, 0.0, false),
        ("infinite slope, unused", |x| x + 0.0 * x.sqrt(), 0.0, 1.0, true),
    ];
    for &(name, f, x, derivative, singular) in cases {
        let found = taped1(f, x);
        let distance = ulps(found.derivative(), derivative);
        assert!(distance <= 2.0, "{name} at {x:e}: {:e}, not {derivative:e}", found.derivative());
        let counted = Tape::counts().of(Event::Singular);
        assert_eq!(counted > 0, singular, "{name} at {x:e}: {counted} singular");
    }
}

/// Functions of two variables: value and both derivatives, in twice the precision.
struct Binary {
    name: &'static str,
    var: fn(Var, Var) -> Var,
    std: fn(f64, f64) -> f64,
    exact: fn(Dd, Dd) -> (Dd, [Dd; 2]),
    dual: fn(Dual64, Dual64) -> Dual64,
    point: fn(&mut Random) -> [f64; 2],
    /// Largest error of a derivative, relative; measured, and twice that.
    relative: f64,
}

fn binary_functions() -> Vec<Binary> {
    vec![
        Binary {
            name: "powf",
            var: |a, b| a.powf(b),
            std: f64::powf,
            exact: |a, b| {
                let power = a.powf(b);
                (power, [b * power / a, power * a.ln()])
            },
            dual: |a, b| a.powd(b),
            point: |random| {
                let a = positive(random);
                [a, random.uniform(-1.0, 1.0) * (300.0 / a.ln().abs()).min(50.0)]
            },
            relative: 2e-15,
        },
        Binary {
            name: "log",
            var: |a, b| a.log(b),
            std: f64::log,
            exact: |a, b| {
                let (a_log, b_log) = (a.ln(), b.ln());
                (a_log / b_log, [1.0 / (a * b_log), -a_log / (b * b_log * b_log)])
            },
            dual: |a, b| a.ln() / b.ln(),
            point: |random| [positive(random), positive(random)],
            relative: 2e-15,
        },
        Binary {
            name: "hypot",
            var: |a, b| a.hypot(b),
            std: f64::hypot,
            exact: |a, b| (a.hypot(b), [a / a.hypot(b), b / a.hypot(b)]),
            dual: |a, b| (a * a + b * b).sqrt(),
            point: |random| [random.signed(1e-60, 1e60), random.signed(1e-60, 1e60)],
            relative: 2e-15,
        },
        Binary {
            name: "atan2",
            var: |a, b| a.atan2(b),
            std: f64::atan2,
            exact: |y, x| {
                let square = x * x + y * y;
                (y.atan2(x), [x / square, -y / square])
            },
            dual: |a, b| a.atan2(b),
            point: |random| [random.signed(1e-60, 1e60), random.signed(1e-60, 1e60)],
            relative: 2e-15,
        },
        Binary {
            name: "/",
            var: |a, b| a / b,
            std: |a, b| a / b,
            exact: |a, b| (a / b, [1.0 / b, -a / (b * b)]),
            dual: |a, b| a / b,
            point: |random| [random.signed(1e-60, 1e60), random.signed(1e-60, 1e60)],
            relative: 2e-15,
        },
        Binary {
            name: "*",
            var: |a, b| a * b,
            std: |a, b| a * b,
            exact: |a, b| (a * b, [b, a]),
            dual: |a, b| a * b,
            point: |random| [random.signed(1e-60, 1e60), random.signed(1e-60, 1e60)],
            relative: 0.0,
        },
        Binary {
            name: "mul_add",
            var: |a, b| Float::mul_add(a, b, a),
            std: |a, b| a.mul_add(b, a),
            exact: |a, b| (a * b + a, [b + 1.0, a]),
            dual: |a, b| DualNum::mul_add(&a, b, a),
            point: |random| [random.signed(1e-60, 1e60), random.signed(1e-2, 1e2)],
            relative: 2e-15,
        },
        Binary {
            name: "+ -",
            var: |a, b| (a + b) - (a - b) - a,
            std: |a, b| (a + b) - (a - b) - a,
            exact: |a, b| (b + b - a, [Dd::from(-1.0), Dd::from(2.0)]),
            dual: |a, b| (a + b) - (a - b) - a,
            point: |random| [random.signed(1e-3, 1e3), random.signed(1e-3, 1e3)],
            relative: 0.0,
        },
    ]
}

#[test]
fn functions_of_two_variables() {
    for function in binary_functions() {
        let mut random = Random(11);
        let (mut worst, mut worst_dual) = (0.0_f64, 0.0_f64);
        for _ in 0..3000 {
            let [a, b] = (function.point)(&mut random);
            let found = taped(|x| (function.var)(x[0], x[1]), &[a, b]);
            assert_eq!(found.value.to_bits(), (function.std)(a, b).to_bits(), "{}", function.name);
            let (value, partials) = (function.exact)(a.into(), b.into());
            let what = format!("{} of {a:e} and {b:e}", function.name);
            let error = (value - found.value).abs().hi;
            assert!(error <= found.sweep.value_bound, "{what}: {error:e}");
            let duals = [
                (function.dual)(Dual64::new(a, 1.0), Dual64::new(b, 0.0)).eps,
                (function.dual)(Dual64::new(a, 0.0), Dual64::new(b, 1.0)).eps,
            ];
            for i in 0..2 {
                let derivative = found.sweep.gradient[i];
                let error = (partials[i] - derivative).abs().hi;
                assert!(error <= found.sweep.bounds[i], "{what}, {i}: {error:e}");
                worst = worst.max(error / partials[i].abs().hi);
                if duals[i].is_normal() {
                    worst_dual = worst_dual.max((derivative / duals[i] - 1.0).abs());
                }
            }
        }
        println!("{:8} {worst:.1e}, from num-dual {worst_dual:.1e}", function.name);
        assert!(worst <= function.relative, "{}: {worst:e}", function.name);
        // num-dual's own `powd` loses two digits.
        assert!(worst_dual < 1e-13, "{}: {worst_dual:e} from num-dual", function.name);
    }
}

#[test]
fn remainders_follow_their_quotient() {
    let mut random = Random(5);
    for _ in 0..3000 {
        let (a, b) = (random.uniform(-50.0, 50.0), random.uniform(-5.0, 5.0));
        let found = taped(|x| x[0] % x[1], &[a, b]);
        assert_eq!(found.value.to_bits(), (a % b).to_bits());
        assert_eq!(found.sweep.gradient, [1.0, -(a / b).trunc()]);
        let euclid = taped(|x| x[0].rem_euclid(&x[1]), &[a, b]);
        assert_eq!(euclid.value.to_bits(), a.rem_euclid(b).to_bits());
        assert_eq!(euclid.sweep.gradient, [1.0, -a.div_euclid(b)]);
        let quotient = taped(|x| x[0].div_euclid(&x[1]), &[a, b]);
        assert_eq!((quotient.value, quotient.sweep.gradient), (a.div_euclid(b), vec![0.0; 2]));
    }
}

#[test]
fn powers_of_every_integer() {
    let mut random = Random(9);
    let mut worst = 0.0_f64;
    for _ in 0..3000 {
        let (a, n) = (random.signed(1e-3, 1e3), (random.bits() % 81) as i32 - 40);
        let found = taped1(|x| x.powi(n), a);
        assert_eq!(found.value.to_bits(), a.powi(n).to_bits());
        let power = |n: i32| {
            let power = Dd::from(a).powi(n.unsigned_abs());
            if n < 0 { 1.0 / power } else { power }
        };
        let (value, derivative) = (power(n), f64::from(n) * power(n - 1));
        assert!((value - found.value).abs().hi <= found.sweep.value_bound, "{a:e}^{n}");
        let error = (derivative - found.derivative()).abs().hi;
        assert!(error <= found.sweep.bounds[0], "{a:e}^{n}: {error:e}");
        if n != 0 {
            worst = worst.max(error / derivative.abs().hi);
        }
    }
    println!("powi {worst:.1e}");
    assert!(worst < 1e-14, "{worst:e}");
    let extreme = taped1(|x| x.powi(i32::MIN), 1.0);
    assert_eq!((extreme.value, extreme.derivative()), (1.0, f64::from(i32::MIN)));
}

#[test]
fn mul_add_takes_variables_in_every_place() {
    let (a, b, c) = (3.0, 0.1, -0.3);
    let gradient = |of: [bool; 3]| {
        let f = |x: &[Var]| {
            let pick = |i: usize| if of[i] { x[i] } else { Var::constant([a, b, c][i]) };
            Float::mul_add(pick(0), pick(1), pick(2))
        };
        let found = taped(f, &[a, b, c]);
        assert_eq!(found.value.to_bits(), a.mul_add(b, c).to_bits());
        found.sweep.gradient
    };
    for bits in 0..8 {
        let of = [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0];
        let full = [b, a, 1.0];
        let expected: Vec<f64> = (0..3).map(|i| if of[i] { full[i] } else { 0.0 }).collect();
        assert_eq!(gradient(of), expected, "{of:?}");
    }
    let mut x = Var::from(3.0);
    x.mul_add_assign(2.0.into(), 1.0.into());
    assert_eq!(MulAdd::mul_add(x, x, x).value(), 56.0);
}

#[test]
fn constants_are_those_of_f64() {
    use num_traits::{Bounded, FloatConst};
    assert_eq!(Var::epsilon().value(), f64::EPSILON);
    assert_eq!(<Var as Float>::min_value().value(), f64::MIN);
    assert_eq!(<Var as Bounded>::max_value().value(), f64::MAX);
    assert_eq!(Var::min_positive_value().value(), f64::MIN_POSITIVE);
    assert!(Var::nan().is_nan() && Var::neg_infinity().is_infinite());
    assert!(Var::neg_zero().value().is_sign_negative());
    assert_eq!(Var::FRAC_1_SQRT_2().value(), FRAC_1_SQRT_2);
    assert_eq!(Var::LOG2_10().value(), f64::LOG2_10());
    assert_eq!(Var::from(6.5).integer_decode(), Float::integer_decode(6.5));
}
