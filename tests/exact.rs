//! `exact = F` in every form that a check has: a right gradient that passes without a difference,
//! to a tolerance that no difference holds, and its wrong twin, which is caught for the right
//! reason; then what the tape cannot see, and what rounding leaves open.
mod support;

use gradcheck_runtime::gradcheck;
use ndarray::{Array1, Array2, ScalarOperand};
use num_traits::Float;

/// What the forwards below ask of their scalar.
trait Real: Float + ScalarOperand + std::ops::AddAssign {}
impl<F: Float + ScalarOperand + std::ops::AddAssign> Real for F {}

fn num<F: Float>(x: f64) -> F {
    F::from(x).expect("a constant")
}

/// Scalar, Jacobian, both products, buffers: each right, and wrong by 1e-10 of itself.
mod forms {
    use super::*;

    const OFF: f64 = 1.0 + 1e-10;

    fn cost<F: Real>(w: &Array1<F>, x: &Array2<F>) -> F {
        x.dot(w).mapv(|z| (z * z + F::one()).ln()).sum()
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4, m in 1..=5), w in normal::<F, _>(n),
        x in normal::<F, _>([m, n]), forward = cost, train(steps = 1..=5, learning_rate = 0.05))]
    fn gradient(w: &Array1<f64>, x: &Array2<f64>) -> Array1<f64> {
        x.t().dot(&x.dot(w).mapv(|z| 2.0 * z / (z * z + 1.0)))
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4, m in 1..=5), w in normal::<F, _>(n),
        x in normal::<F, _>([m, n]), forward = cost, ignore = "wrong on purpose")]
    fn wrong_gradient(w: &Array1<f64>, x: &Array2<f64>) -> Array1<f64> {
        OFF * gradient(w, x)
    }

    fn layer<F: Real>(x: &Array2<F>, w: &Array2<F>) -> Array2<F> {
        x.dot(w).mapv(|z| z.tanh())
    }

    fn layer_backward(
        dout: &Array2<f64>,
        x: &Array2<f64>,
        w: &Array2<f64>,
    ) -> (Array2<f64>, Array2<f64>) {
        let dz = layer(x, w).mapv(|a| 1.0 - a * a) * dout;
        (dz.dot(&w.t()), x.t().dot(&dz))
    }

    #[gradcheck(exact = F, tolerance = 1e-11, dims(n in 1..=3, k in 1..=3), x in normal::<F, _>([2, n]),
        w in normal::<F, _>([n, k]), wrt = (x, w), forward = layer, cotangent = dout)]
    fn product(dout: &Array2<f64>, x: &Array2<f64>, w: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
        layer_backward(dout, x, w)
    }

    #[gradcheck(exact = F, tolerance = 1e-11, dims(n in 1..=3, k in 1..=3), x in normal::<F, _>([2, n]),
        w in normal::<F, _>([n, k]), wrt = (x, w), forward = layer, cotangent = dout,
        ignore = "wrong on purpose")]
    fn wrong_product(
        dout: &Array2<f64>,
        x: &Array2<f64>,
        w: &Array2<f64>,
    ) -> (Array2<f64>, Array2<f64>) {
        let (dx, dw) = layer_backward(dout, x, w);
        (dx, OFF * dw)
    }

    fn polar<F: Real>(p: &Array1<F>) -> Array1<F> {
        Array1::from(vec![p[0].hypot(p[1]), p[1].atan2(p[0]), p[0] * p[1]])
    }

    fn polar_derivative(p: &Array1<f64>) -> Array2<f64> {
        let (x, y, r) = (p[0], p[1], p[0].hypot(p[1]));
        ndarray::array![[x / r, y / r], [-y / r / r, x / r / r], [y, x]]
    }

    #[gradcheck(exact = F, tolerance = 1e-12, p in uniform::<F, _>(2, num(1.0)..num(3.0)), forward = polar)]
    fn jacobian(p: &Array1<f64>) -> Array2<f64> {
        polar_derivative(p)
    }

    #[gradcheck(exact = F, tolerance = 1e-12, p in uniform::<F, _>(2, num(1.0)..num(3.0)), forward = polar,
        ignore = "wrong on purpose")]
    fn wrong_jacobian(p: &Array1<f64>) -> Array2<f64> {
        let mut j = polar_derivative(p);
        j[[1, 0]] *= OFF;
        j
    }

    #[gradcheck(exact = F, tolerance = 1e-12, p in uniform::<F, _>(2, num(1.0)..num(3.0)), forward = polar,
        tangent = dp)]
    fn along(p: &Array1<f64>, dp: &Array1<f64>) -> Array1<f64> {
        polar_derivative(p).dot(dp)
    }

    #[gradcheck(exact = F, tolerance = 1e-12, p in uniform::<F, _>(2, num(1.0)..num(3.0)), forward = polar,
        tangent = dp, ignore = "wrong on purpose")]
    fn wrong_along(p: &Array1<f64>, dp: &Array1<f64>) -> Array1<f64> {
        let mut out = polar_derivative(p).dot(dp);
        out[2] *= OFF;
        out
    }

    fn inner<F: Real>(x: &Array1<F>, w: &Array1<F>) -> F {
        x.iter().zip(w).fold(F::zero(), |sum, (&x, &w)| sum + x * w.exp())
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in normal::<F, _>(n),
        w in normal::<F, _>(n), forward = inner, out(dx = x, dw += w))]
    fn buffers(x: &Array1<f64>, w: &Array1<f64>, dx: &mut Array1<f64>, dw: &mut Array1<f64>) {
        *dx = w.mapv(f64::exp);
        *dw += &(x * &w.mapv(f64::exp));
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in normal::<F, _>(n),
        w in normal::<F, _>(n), forward = inner, out(dx = x, dw += w), ignore = "wrong on purpose")]
    fn wrong_buffers(x: &Array1<f64>, w: &Array1<f64>, dx: &mut Array1<f64>, dw: &mut Array1<f64>) {
        buffers(x, w, dx, dw);
        *dx *= OFF;
    }

    fn power<F: Real, const N: i32>(x: &Array1<F>) -> F {
        x.iter().fold(F::zero(), |sum, x| sum + x.powi(N))
    }

    #[gradcheck(exact = F, types(N = [2, 3]), tolerance = 1e-12, dims(n in 1..=4),
        x in normal::<F, _>(n), forward = power::<F, N>(&x))]
    fn powers<const N: i32>(x: &Array1<f64>) -> Array1<f64> {
        x.mapv(|x| f64::from(N) * x.powi(N - 1))
    }

    #[gradcheck(exact = F, types(N = [2, 3]), tolerance = 1e-12, dims(n in 1..=4),
        x in normal::<F, _>(n), forward = power::<F, N>(&x), ignore = "wrong on purpose")]
    fn wrong_powers<const N: i32>(x: &Array1<f64>) -> Array1<f64> {
        x.mapv(|x| OFF * f64::from(N) * x.powi(N - 1))
    }

    #[test]
    fn wrong_by_1e_10_is_caught_in_each() {
        let off = "scaled by 1.0000000001";
        let cases: [(&str, &[&str]); 8] = [
            ("gradcheck_wrong_gradient::random_init", &["w[", off]),
            ("gradcheck_wrong_gradient::after_training", &["w[", off]),
            ("gradcheck_wrong_product::random_init", &["w["]),
            ("gradcheck_wrong_product::after_training", &["w["]),
            ("gradcheck_wrong_jacobian::random_init", &["d out[1] / d p[0]"]),
            ("gradcheck_wrong_along::random_init", &["out[2]"]),
            ("gradcheck_wrong_buffers::random_init", &["scaled by 1.0000000001 in x"]),
            ("gradcheck_wrong_powers::_3::random_init", &["x["]),
        ];
        for (test, words) in cases {
            let outcome = support::fails(&format!("forms::{test}"), words);
            assert!(!outcome.says("differences in place of the tape"), "{}", outcome.text);
        }
    }
}

/// An object whose fields are of the scalar.
mod objects {
    use super::*;
    use gradcheck_runtime::Flatten;

    #[derive(Clone, Debug, Flatten)]
    struct Dense<F> {
        weight: Array2<F>,
        bias: Array1<F>,
    }

    impl<F: Real> Dense<F> {
        fn forward(&self, x: &Array1<F>) -> F {
            (self.weight.dot(x) + &self.bias).mapv(|z| z.exp()).sum()
        }
    }

    #[gradcheck]
    impl Dense<f64> {
        #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=3),
            self in (normal::<F, _>([2, n]), normal::<F, _>(2)).prop_map(|(weight, bias)| Dense { weight, bias }),
            x in normal::<F, _>(n), wrt = (self.weight, self.bias), forward = self.forward(&x))]
        fn backward(&self, x: &Array1<f64>) -> (Array2<f64>, Array1<f64>) {
            let d = (self.weight.dot(x) + &self.bias).mapv(f64::exp);
            (Array2::from_shape_fn(self.weight.dim(), |(i, j)| d[i] * x[j]), d)
        }

        #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=3),
            self in (normal::<F, _>([2, n]), normal::<F, _>(2)).prop_map(|(weight, bias)| Dense { weight, bias }),
            x in normal::<F, _>(n), wrt = (self.weight, self.bias), forward = self.forward(&x),
            ignore = "wrong on purpose")]
        fn wrong(&self, x: &Array1<f64>) -> (Array2<f64>, Array1<f64>) {
            let (weight, bias) = self.backward(x);
            (weight, bias * (1.0 + 1e-9))
        }
    }

    #[test]
    fn a_wrong_field_is_caught() {
        let outcome = support::fails("objects::gradcheck_dense_wrong::random_init", &["bias"]);
        assert_eq!(outcome.wrong_in("self.weight"), 0, "{}", outcome.text);
    }
}

/// What leaves the tape, or is not what it seems there.
mod beyond_the_tape {
    use super::*;

    fn leaves<F: Real>(x: &Array1<F>) -> F {
        let scale = num::<F>(x[0].to_f64().expect("a number"));
        x.iter().fold(F::zero(), |sum, &x| sum + x * x * scale)
    }

    fn left(x: &Array1<f64>) -> Array1<f64> {
        let mut g = 2.0 * x[0] * x;
        g[0] += x.dot(x);
        g
    }

    #[gradcheck(exact = F, dims(n in 2..=4), x in normal::<F, _>(n), forward = leaves,
        ignore = "read by a test")]
    fn converts(x: &Array1<f64>) -> Array1<f64> {
        left(x)
    }

    /// The derivative that the conversion drops is forgotten by hand as well.
    #[gradcheck(exact = F, dims(n in 2..=4), x in normal::<F, _>(n), forward = leaves,
        ignore = "wrong on purpose")]
    fn converts_and_forgets(x: &Array1<f64>) -> Array1<f64> {
        2.0 * x[0] * x
    }

    #[test]
    fn a_conversion_is_differenced_and_named() {
        let note = "the forward converts a variable out of its scalar type (`to_f64`)";
        assert!(support::passes("beyond_the_tape::gradcheck_converts::random_init").says(note));
        let wrong = "beyond_the_tape::gradcheck_converts_and_forgets::random_init";
        support::fails(wrong, &[note, "x[0]"]);
    }

    fn narrowed<F: Real>(x: &Array1<F>) -> F {
        let single = |x: F| num::<F>(x.to_f32().map_or(f64::NAN, f64::from));
        x.iter().fold(F::zero(), |sum, &x| sum + single(x.sqrt()))
    }

    #[gradcheck(exact = F, x in uniform::<F, _>(3, num(1.0)..num(2.0)), forward = narrowed, tolerance = 1e-3,
        ignore = "read by a test")]
    fn narrows(x: &Array1<f64>) -> Array1<f64> {
        x.mapv(|x| 0.5 / x.sqrt())
    }

    #[test]
    fn a_narrower_type_is_named() {
        let narrowed = support::passes("beyond_the_tape::gradcheck_narrows::random_init");
        assert!(narrowed.says("(`to_f32`)"), "{}", narrowed.text);
    }

    /// The fixed points of `y = cos(y) x`, from where the iteration is told to start.
    fn fixed_points<F: Real>(x: &Array1<F>, starts: &[f64]) -> F {
        let mut sum = F::zero();
        for (&x, &start) in x.iter().zip(starts) {
            let (mut y, mut next) = (F::infinity(), num::<F>(start));
            while (y - next).abs() > num(1e-13) {
                y = next;
                next = y.cos() * x;
            }
            sum += next;
        }
        sum
    }

    /// The solutions: the iteration ends after one step, and its derivative with it.
    fn solved<F: Float>(x: &Array1<F>) -> Vec<f64> {
        let solve = |x: f64| (0..200).fold(0.5, |y: f64, _| y.cos() * x);
        x.iter().map(|x| solve(x.to_f64().expect("a number"))).collect()
    }

    #[gradcheck(exact = F, x in uniform::<F, _>(2, num(0.3)..num(0.8)), starts in Just(solved(&x)),
        forward = fixed_points(&x, &starts), ignore = "read by a test")]
    fn at_its_root(x: &Array1<f64>) -> Array1<f64> {
        let y = Array1::from(solved(x));
        y.mapv(f64::cos) / (1.0 + x * &y.mapv(f64::sin))
    }

    /// What the tape has after one step: two wrongs that agree.
    #[gradcheck(exact = F, x in uniform::<F, _>(2, num(0.3)..num(0.8)), starts in Just(solved(&x)),
        forward = fixed_points(&x, &starts), ignore = "wrong on purpose")]
    fn of_one_step(x: &Array1<f64>) -> Array1<f64> {
        Array1::from(solved(x)).mapv(f64::cos)
    }

    #[test]
    fn a_fixed_point_that_was_its_own_start_is_differenced() {
        let note = "a difference refutes the derivative on the tape";
        let right = support::passes("beyond_the_tape::gradcheck_at_its_root::random_init");
        assert!(right.says(note), "{}", right.text);
        support::fails("beyond_the_tape::gradcheck_of_one_step::random_init", &[note, "x["]);
    }

    /// The same from a start of its own: iterated to the end, the tape has the derivative.
    #[gradcheck(exact = F, tolerance = 1e-10, x in uniform::<F, _>(2, num(0.3)..num(0.8)),
        forward = fixed_points(&x, &[0.5, 0.5]), ignore = "read by a test")]
    fn iterated(x: &Array1<f64>) -> Array1<f64> {
        at_its_root(x)
    }

    #[gradcheck(exact = F, tolerance = 1e-10, x in uniform::<F, _>(2, num(0.3)..num(0.8)),
        forward = fixed_points(&x, &[0.5, 0.5]), ignore = "wrong on purpose")]
    fn wrong_iterated(x: &Array1<f64>) -> Array1<f64> {
        at_its_root(x) * (1.0 + 1e-8)
    }

    #[test]
    fn an_iteration_is_as_good_as_it_is_long() {
        let right = support::passes("beyond_the_tape::gradcheck_iterated::random_init");
        assert!(!right.says("differences in place"), "{}", right.text);
        support::fails("beyond_the_tape::gradcheck_wrong_iterated::random_init", &["x["]);
    }

    fn rounded<F: Real>(x: &Array1<F>) -> F {
        let step = num::<F>(2.0).powi(-24);
        x.iter().fold(F::zero(), |sum, &x| sum + ((x * x) / step).round() * step)
    }

    #[gradcheck(exact = F, x in uniform::<F, _>(3, num(1.0)..num(2.0)), forward = rounded, tolerance = 1e-4,
        ignore = "read by a test")]
    fn staircase(x: &Array1<f64>) -> Array1<f64> {
        2.0 * x
    }

    #[gradcheck(exact = F, x in uniform::<F, _>(3, num(1.0)..num(2.0)), forward = rounded, tolerance = 1e-4,
        ignore = "wrong on purpose")]
    fn flat(x: &Array1<f64>) -> Array1<f64> {
        0.0 * x
    }

    #[test]
    fn a_staircase_has_the_slope_that_differences_see() {
        let note = "the forward rounds, and its slope is not that of the tape";
        assert!(support::passes("beyond_the_tape::gradcheck_staircase::random_init").says(note));
        support::fails("beyond_the_tape::gradcheck_flat::random_init", &[note, "zero gradient"]);
    }

    fn range<F: Real>() -> std::ops::Range<F> {
        if size_of::<F>() == 8 { num(1.0)..num(2.0) } else { num(2.0)..num(3.0) }
    }

    #[gradcheck(exact = F, x in uniform::<F, _>(3, range::<F>()), forward = rounded,
        ignore = "wrong on purpose")]
    fn other_draws(x: &Array1<f64>) -> Array1<f64> {
        2.0 * x
    }

    #[test]
    fn draws_that_differ_are_named() {
        let test = "beyond_the_tape::gradcheck_other_draws::random_init";
        support::fails(test, &["the draws differ between scalar types", "x[0]"]);
    }
}

/// Ties, and points without a derivative.
mod kinks {
    use super::*;

    fn cost<F: Real>(x: &Array1<F>, y: &Array1<F>) -> F {
        x.iter().zip(y).fold(F::zero(), |sum, (&x, &y)| sum + (x * y).max(F::zero()) + x * x * y)
    }

    fn slope(x: &Array1<f64>, y: &Array1<f64>, at_tie: f64) -> Array1<f64> {
        let open = |z: f64| {
            if z > 0.0 {
                1.0
            } else if z == 0.0 {
                at_tie
            } else {
                0.0
            }
        };
        ndarray::Zip::from(x).and(y).map_collect(|&x, &y| y * open(x * y) + 2.0 * x * y)
    }

    /// Every unit is on its kink, and the hand-written gradient takes the other side than the tape.
    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in Just(Array1::<F>::zeros(n)),
        y in uniform::<F, _>(n, num(0.5)..num(2.0)), forward = cost, ignore = "read by a test")]
    fn other_side(x: &Array1<f64>, y: &Array1<f64>) -> Array1<f64> {
        slope(x, y, 1.0)
    }

    /// The same with half the slope everywhere but on the kink.
    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in Just(Array1::<F>::zeros(n)),
        y in uniform::<F, _>(n, num(0.5)..num(2.0)), forward = cost, ignore = "wrong on purpose")]
    fn half_aside(x: &Array1<f64>, y: &Array1<f64>) -> Array1<f64> {
        0.5 * slope(x, y, 1.0)
    }

    #[test]
    fn a_tie_is_named_and_excuses_no_fault() {
        let passed = support::run("kinks::gradcheck_other_side::random_init");
        assert!(passed.says("a kink of the forward: a tie in `max`"), "{}", passed.text);
        assert!(!passed.says("is wrong"), "{}", passed.text);
        support::fails("kinks::gradcheck_half_aside::random_init", &["the gradient is wrong"]);
    }

    /// A max pool over equal inputs: the bias moves all of them alike, so that along it there is a
    /// derivative.
    fn pooled<F: Real>(x: &Array1<F>, b: &F) -> F {
        let largest = x.iter().fold(F::neg_infinity(), |most, &x| most.max(x + *b));
        largest * largest + *b
    }

    /// To the last of the largest; the tape takes the first.
    fn pooled_backward(x: &Array1<f64>, b: f64, all: bool) -> (Array1<f64>, f64) {
        let most = x.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x + b));
        let mut dx = Array1::zeros(x.len());
        for i in (0..x.len()).rev().filter(|&i| x[i] + b == most) {
            dx[i] = 2.0 * most;
            if !all {
                break;
            }
        }
        let db = dx.sum() + 1.0;
        (dx, db)
    }

    #[gradcheck(exact = F, tolerance = 1e-12, x in Just(Array1::<F>::from_elem(4, num(0.3))),
        b in uniform::<F, _>(1, num(0.5)..num(2.0)).prop_map(|b| b[0]), wrt = (x, b), forward = pooled,
        ignore = "read by a test")]
    fn to_the_last(x: &Array1<f64>, b: &f64) -> (Array1<f64>, f64) {
        pooled_backward(x, *b, false)
    }

    #[gradcheck(exact = F, tolerance = 1e-12, x in Just(Array1::<F>::from_elem(4, num(0.3))),
        b in uniform::<F, _>(1, num(0.5)..num(2.0)).prop_map(|b| b[0]), wrt = (x, b), forward = pooled,
        ignore = "wrong on purpose")]
    fn to_every_one(x: &Array1<f64>, b: &f64) -> (Array1<f64>, f64) {
        pooled_backward(x, *b, true)
    }

    #[test]
    fn a_gradient_to_every_tie_is_caught_where_the_tie_moves_as_one() {
        let right = support::run("kinks::gradcheck_to_the_last::random_init");
        assert!(right.says("a kink of the forward") && !right.says("is wrong"), "{}", right.text);
        let words = &["the gradient is wrong", "b "];
        let wrong = support::fails("kinks::gradcheck_to_every_one::random_init", words);
        assert!(wrong.wrong_in("b") > 0, "{}", wrong.text);
        assert_eq!(wrong.wrong_in("x"), 0, "{}", wrong.text);
    }

    fn length<F: Real>(x: &Array1<F>, y: &Array1<F>) -> F {
        x.iter().zip(y).fold(F::zero(), |sum, (&x, &y)| sum + x * y)
            + x.iter().fold(F::zero(), |sum, &x| sum + x * x).sqrt()
    }

    /// Zero is as good a derivative of the root as any there.
    #[gradcheck(exact = F, dims(n in 1..=4), x in Just(Array1::<F>::zeros(n)),
        y in uniform::<F, _>(n, num(0.5)..num(0.9)), forward = length)]
    fn singular(x: &Array1<f64>, y: &Array1<f64>) -> Array1<f64> {
        let r = x.dot(x).sqrt();
        y + &x.mapv(|x| if r == 0.0 { 0.0 } else { x / r })
    }

    #[gradcheck(exact = F, dims(n in 1..=4), x in Just(Array1::<F>::zeros(n)),
        y in uniform::<F, _>(n, num(0.5)..num(0.9)), forward = length, ignore = "wrong on purpose")]
    fn wrong_when_singular(x: &Array1<f64>, y: &Array1<f64>) -> Array1<f64> {
        5.0 * singular(x, y)
    }

    #[test]
    fn a_singular_point_excuses_no_fault() {
        support::fails("kinks::gradcheck_wrong_when_singular::random_init", &["x["]);
    }
}

/// Digits that the user's own formula loses.
mod rounding {
    use gradcheck_runtime::var::Var;
    use gradcheck_runtime::{Settings, StateReport, check_exact_at};
    use ndarray::{Array1, Array2, array};

    use super::Real;

    /// Logistic loss of labels that are all 1.
    fn loss<F: Real>(w: &Array1<F>) -> F {
        let x: Array2<F> = data().mapv(super::num);
        x.dot(w).mapv(|z| (-z).exp().ln_1p()).sum()
    }

    fn data() -> Array2<f64> {
        array![[1.0, 0.2], [0.9, 0.5], [1.1, -0.3]]
    }

    fn check(w: &[f64; 2], tolerance: f64, slope: impl Fn(f64) -> f64) -> StateReport {
        let mut w = Array1::from(w.to_vec());
        let mut on_tape = w.mapv(Var::from);
        let settings = Settings::new().tolerance(tolerance);
        let gradient = |w: &Array1<f64>| data().t().dot(&data().dot(w).mapv(&slope));
        check_exact_at(&mut w, &mut on_tape, &settings, (loss::<f64>, loss::<Var>), gradient)
    }

    /// `p - 1` has nothing left where p is 1 but for its last digit. It is not wrong for that;
    /// whatever is off by more than that digit is.
    #[test]
    fn a_saturated_formula_is_undecided() {
        let naive = |z: f64| 1.0 / (1.0 + (-z).exp()) - 1.0;
        for w in [[38.6, 12.7], [34.0, 1.0], [25.0, -3.0], [200.0, 7.0]] {
            for tolerance in [2e-7, 1e-12] {
                let report = check(&w, tolerance, naive);
                assert!(!report.is_wrong(), "{w:?}: {report}");
                assert!(check(&w, tolerance, |z| naive(z) + 1e-14).is_wrong(), "{w:?}");
            }
        }
        assert_eq!(check(&[38.6, 12.7], 2e-7, naive).counts().undecided, 2);
    }

    /// A formula that keeps its digits is held to them, until the loss itself has fewer than a
    /// slope of order one has roundings.
    #[test]
    fn a_formula_that_keeps_its_digits_is_held_to_them() {
        let kept = |z: f64| -(-z).exp() / (1.0 + (-z).exp());
        for w in [[0.5, -0.7], [5.0, 2.0], [10.0, 1.0]] {
            assert_eq!(check(&w, 1e-12, kept).counts().agreed, 2, "{w:?}");
            assert!(check(&w, 1e-12, |z| kept(z) * (1.0 + 1e-9)).is_wrong(), "{w:?}");
            assert!(check(&w, 2e-7, |z| -kept(z)).is_wrong(), "{w:?}");
        }
    }
}

/// Digits that are lost on the way, and are not missed; and what bounds would say of them.
mod bounds {
    use gradcheck_runtime::var::Var;
    use gradcheck_runtime::{Settings, StateReport, check_exact_at};
    use num_traits::Float;

    use super::num;

    type Forwards = (fn(&[f64; 3]) -> f64, fn(&[Var; 3]) -> Var);

    fn check(
        at: [f64; 3],
        forwards: Forwards,
        gradient: impl Fn(&[f64; 3]) -> [f64; 3],
    ) -> StateReport {
        let (mut x, mut on_tape) = (at, at.map(Var::from));
        let settings = Settings::new().tolerance(1e-12);
        check_exact_at(&mut x, &mut on_tape, &settings, forwards, gradient)
    }

    /// A mean weighted by a softmax that one score dominates.
    fn attended<F: Float>(s: &[F; 3]) -> F {
        let most = s.iter().fold(F::neg_infinity(), |most, &s| most.max(s));
        let weights = s.map(|s| (s - most).exp());
        let values: [F; 3] = [0.7, -1.3, 0.4].map(num);
        let all = weights.iter().fold(F::zero(), |sum, &w| sum + w);
        let own = weights.iter().zip(&values).fold(F::zero(), |sum, (&w, &v)| sum + w * v);
        own / all
    }

    fn attended_backward(s: &[f64; 3]) -> [f64; 3] {
        let most = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (e, v) = (s.map(|s| (s - most).exp()), [0.7, -1.3, 0.4]);
        let all: f64 = e.iter().sum();
        // Of differences of the values: nothing cancels.
        std::array::from_fn(|i| (0..3).map(|j| e[i] / all * e[j] / all * (v[i] - v[j])).sum())
    }

    #[test]
    fn a_dominated_softmax_is_held_to_its_digits() {
        for s in [[20.0, 1.0, 0.3], [17.3, -2.0, 2.1], [1.0, 0.5, 14.0]] {
            let forwards: Forwards = (attended, attended);
            assert!(!check(s, forwards, attended_backward).is_wrong(), "{s:?}");
            for component in 0..3 {
                let wrong = |s: &[f64; 3]| {
                    let mut g = attended_backward(s);
                    g[component] *= 1.0 + 1e-4;
                    g
                };
                assert!(check(s, forwards, wrong).is_wrong(), "{component} at {s:?}");
            }
        }
    }

    /// A small number times a large one, both of them exponentials.
    fn balanced<F: Float>(x: &[F; 3]) -> F {
        x.iter().fold(F::zero(), |sum, &x| sum + (-x * x).exp() * (x * x + x).exp())
    }

    #[test]
    fn a_small_exponential_beside_nothing_excuses_nothing() {
        for x in [[0.5, 4.0, 5.0], [-5.0, 3.0, 1.0]] {
            let forwards: Forwards = (balanced, balanced);
            assert!(!check(x, forwards, |x| x.map(f64::exp)).is_wrong(), "{x:?}");
            let wrong = |x: &[f64; 3]| x.map(|x| x.exp() * (1.0 + 1e-8));
            assert!(check(x, forwards, wrong).is_wrong(), "{x:?}");
        }
    }

    /// What the forward adds and takes away again costs it digits that no rounding of the
    /// variables shows: its value stands still, and its derivative with it.
    fn swamped<F: Float>(x: &[F; 3]) -> F {
        let large = num::<F>(1e8);
        x.iter().fold(F::zero(), |sum, &x| sum + ((x + large) - large).powi(2))
    }

    #[test]
    fn digits_that_the_forward_loses_accuse_nobody() {
        for x in [[0.123_456_789, 1.7, -0.3], [1.1, 2.2, 3.3]] {
            let forwards: Forwards = (swamped, swamped);
            let right = check(x, forwards, |x| x.map(|x| 2.0 * x));
            assert!(!right.is_wrong(), "{x:?}: {right}");
            let wrong = check(x, forwards, |x| x.map(|x| 2.0 * x * (1.0 + 1e-5)));
            assert!(wrong.is_wrong(), "{x:?}: {wrong} {:?}", wrong.notes);
        }
    }

    /// `p - 1` beside a large factor, and a `tanh` that is one: all their digits are gone.
    fn steep<F: Float>(x: &[F; 3]) -> F {
        let large = num::<F>(1e3);
        let loss = |x: F| large * (-x).exp().ln_1p();
        x.iter().fold(F::zero(), |sum, &x| sum + loss(x) + large * x.tanh())
    }

    #[test]
    fn a_formula_that_has_lost_its_digits_is_undecided_however_it_is_scaled() {
        let slope = |x: f64| {
            let t = x.tanh();
            1e3 * (1.0 / (1.0 + (-x).exp()) - 1.0) + 1e3 * (1.0 - t * t)
        };
        for x in [[38.0, 40.0, 45.0], [17.0, 18.5, 19.0], [700.0, 37.0, 36.5]] {
            let forwards: Forwards = (steep, steep);
            let report = check(x, forwards, |x| x.map(slope));
            assert!(!report.is_wrong(), "{x:?}: {report}");
            assert!(report.counts().undecided > 0, "{x:?}: {report}");
            assert!(check(x, forwards, |x| x.map(|x| slope(x) + 1e-10)).is_wrong(), "{x:?}");
        }
    }
}

/// Hessians and their products with a vector, of a forward that is a plain cost.
mod second_order {
    use super::*;

    fn cost<F: Real>(x: &Array1<F>) -> F {
        let terms = x.iter().fold(F::zero(), |sum, &x| sum + x.cosh().ln() + x.powi(3));
        terms + x.sum().sin()
    }

    fn curvature(x: &Array1<f64>) -> Array2<f64> {
        let own = x.mapv(|x| 1.0 / (x.cosh() * x.cosh()) + 6.0 * x);
        Array2::from_diag(&own) - x.sum().sin()
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in normal::<F, _>(n),
        forward = gradient_of(&x, cost))]
    fn hessian(x: &Array1<f64>) -> Array2<f64> {
        curvature(x)
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 2..=4), x in normal::<F, _>(n),
        forward = gradient_of(&x, cost), ignore = "wrong on purpose")]
    fn wrong_hessian(x: &Array1<f64>) -> Array2<f64> {
        let mut h = curvature(x);
        h[[0, 1]] *= 1.0 + 1e-9;
        h
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in normal::<F, _>(n),
        v in normal::<F, _>(n), forward = slope_of(&x, &v, cost))]
    fn product(x: &Array1<f64>, v: &Array1<f64>) -> Array1<f64> {
        curvature(x).dot(v)
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in normal::<F, _>(n),
        v in normal::<F, _>(n), forward = slope_of(&x, &v, cost), ignore = "wrong on purpose")]
    fn wrong_product(x: &Array1<f64>, v: &Array1<f64>) -> Array1<f64> {
        curvature(x).dot(v) * (1.0 + 1e-9)
    }

    /// The same by differences of an exact slope.
    #[gradcheck(dims(n in 1..=4), x in normal::<f64, _>(n), v in normal::<f64, _>(n),
        forward = slope_of(&x, &v, cost))]
    fn differenced(x: &Array1<f64>, v: &Array1<f64>) -> Array1<f64> {
        curvature(x).dot(v)
    }

    #[test]
    fn wrong_second_derivatives_are_caught() {
        let hessian = "second_order::gradcheck_wrong_hessian::random_init";
        support::fails(hessian, &["d out[0] / d x[1]"]);
        support::fails("second_order::gradcheck_wrong_product::random_init", &["x["]);
    }

    /// Every function of the dual number against the tape's derivative of the same.
    #[test]
    fn dual_numbers_have_the_derivatives_of_the_tape() {
        use gradcheck_runtime::var::{Dual, Tape, Var};

        macro_rules! functions {
            ($($name:literal at $x:literal: |$v:ident| $f:expr;)*) => {
                [$(($name, $x, {
                    fn f<F: Float>($v: F) -> F { $f }
                    let run: (fn(Dual<f64>) -> Dual<f64>, fn(Var) -> Var) = (f, f);
                    run
                })),*]
            };
        }
        let functions = functions! {
            "+ - * / %" at 0.7: |x| (x * x - num::<F>(3.0) / x + x) % num::<F>(2.0) - -x;
            "recip" at 0.7: |x| x.recip();
            "sqrt" at 0.7: |x| x.sqrt();
            "cbrt" at 0.7: |x| x.cbrt();
            "exp" at 0.7: |x| x.exp();
            "exp2" at 0.7: |x| x.exp2();
            "exp_m1" at 0.7: |x| x.exp_m1();
            "ln" at 0.7: |x| x.ln();
            "ln_1p" at 0.7: |x| x.ln_1p();
            "log2" at 0.7: |x| x.log2();
            "log10" at 0.7: |x| x.log10();
            "log" at 0.7: |x| x.log(num::<F>(3.0)) + num::<F>(3.0).log(x);
            "sin" at 0.7: |x| x.sin();
            "cos" at 0.7: |x| x.cos();
            "tan" at 0.7: |x| x.tan();
            "asin" at 0.7: |x| x.asin();
            "acos" at 0.7: |x| x.acos();
            "atan" at 0.7: |x| x.atan();
            "sinh" at 0.7: |x| x.sinh();
            "cosh" at 0.7: |x| x.cosh();
            "tanh" at 0.7: |x| x.tanh();
            "asinh" at 0.7: |x| x.asinh();
            "acosh" at 1.7: |x| x.acosh();
            "atanh" at 0.7: |x| x.atanh();
            "degrees" at 0.7: |x| x.to_degrees().to_radians() * x.to_degrees();
            "powi" at -0.7: |x| x.powi(3) + x.powi(-2) + x.powi(0);
            "powf" at 0.7: |x| x.powf(num::<F>(2.5)) + num::<F>(2.5).powf(x) + x.powf(x);
            "powf of a negative" at -0.7: |x| x.powf(num::<F>(2.0));
            "abs" at -0.7: |x| x.abs() * x.signum() + x.abs_sub(num::<F>(-3.0));
            "max, min" at 0.7: |x| x.max(F::zero()) * x.min(F::one()) * x.max(F::one());
            "hypot" at 0.7: |x| x.hypot(num::<F>(2.0)) + (x * x).hypot(x);
            "atan2" at 0.7: |x| x.atan2(num::<F>(2.0)) + (x * x).atan2(x);
            "mul_add" at 0.7: |x| x.mul_add(x, x);
            "fract, trunc" at 2.7: |x| x.fract() * x + x.trunc() + x.floor() * x.ceil() + x.round();
            "copysign" at 0.7: |x| x.copysign(num::<F>(-1.0)) * x;
            "sin_cos" at 0.7: |x| { let (s, c) = x.sin_cos(); s * c };
        };
        for (name, x, (dual, var)) in functions {
            let found = dual(Dual { re: x, du: 1.0 });
            Tape::reset();
            let value = var(Var::variable(x));
            let id = value.tape_id().expect("a function of x");
            let derivative = Tape::sweep(&[(id, 1.0)]).gradient[0];
            assert_eq!(found.re, value.value(), "{name}");
            let off = (found.du - derivative).abs();
            assert!(off <= 1e-14 * derivative.abs().max(1.0), "{name}: {off:e}");
            assert!(derivative != 0.0, "{name}");
        }
    }
}
