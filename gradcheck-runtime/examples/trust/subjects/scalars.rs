//! Densities, tests of optimisers, and functions that are hard on differences.
use super::{
    Bug, Data, Model, Params, Real, Rng, Samples, count, dot, lit, mean_bugs, mean_factor, product,
    sample_factor, shift, sigmoid, total,
};

/// Mean negative log-density of a normal distribution, without its constant: the mean `mu`,
/// and the factor `L` of the precision with `exp(logd)` on its diagonal and `low` below.
#[derive(Clone, Debug)]
pub(crate) struct Density {
    pub(crate) d: usize,
    pub(crate) m: usize,
}

impl Density {
    /// `L (x - mu)` of a sample, and `x - mu`.
    fn whitened<F: Real>(&self, p: &Params<F>, x: &Data<F>, s: usize) -> (Vec<F>, Vec<F>) {
        let c: Vec<F> = (0..self.d).map(|i| x[0][i * self.m + s] - p[0][i]).collect();
        let z = (0..self.d)
            .map(|i| {
                let below = (0..i).fold(F::zero(), |sum, j| sum + p[2][place(i, j)] * c[j]);
                p[1][i].exp() * c[i] + below
            })
            .collect();
        (z, c)
    }
}

/// Place of entry `(i, j)`, `j < i`, of a packed strict lower triangle.
fn place(i: usize, j: usize) -> usize {
    i * (i - 1) / 2 + j
}

impl Model for Density {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let sum = (0..self.m).fold(F::zero(), |sum, s| {
            let (z, _) = self.whitened(p, x, s);
            sum + lit::<F>(0.5) * dot(&z, &z)
        });
        sum / count(self.m) - total(&p[1])
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let mut g = p.zeros();
        for s in 0..self.m {
            let factor = mean_factor::<F>(self.m, bug) * sample_factor(s, self.m, bug);
            let (z, c) = self.whitened(p, x, s);
            for i in 0..self.d {
                let dz = z[i] * factor;
                let diagonal = p[1][i].exp();
                g[0][i] -= dz * diagonal;
                g[1][i] += dz * c[i] * if bug == Bug::LogDiagonal { F::one() } else { diagonal };
                for j in 0..i {
                    g[2][place(i, j)] += dz * c[j];
                    if bug != Bug::OffDiagonal {
                        g[0][j] -= dz * p[2][place(i, j)];
                    }
                }
            }
        }
        if bug != Bug::LogDetMissing {
            g[1].iter_mut().for_each(|g| *g -= F::one());
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend([Bug::LogDetMissing, Bug::LogDiagonal, Bug::OffDiagonal]);
        bugs
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("d", self.d), ("m", self.m)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let d = self.d;
        let p = Params::new()
            .with("mu", &[d], rng.normals(d, 1.0))
            .with("logd", &[d], rng.normals(d, 0.4))
            .with("low", &[d * (d - 1) / 2], rng.normals(d * (d - 1) / 2, 0.5));
        (p, Data::new(vec![rng.normals(d * self.m, 1.0)]))
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }
}

/// Half squares of a reparametrised sample `mu + exp(v/2) e` against targets, and the
/// divergence of the normal distribution from the standard one.
#[derive(Clone, Debug)]
pub(crate) struct Variational {
    pub(crate) d: usize,
}

impl Model for Variational {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let half = lit::<F>(0.5);
        (0..self.d).fold(F::zero(), |sum, i| {
            let (mu, v) = (p[0][i], p[1][i]);
            let r = mu + (half * v).exp() * x[0][i] - x[1][i];
            sum + half * r * r + half * (v.exp() + mu * mu - F::one() - v)
        })
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let (half, one) = (lit::<F>(0.5), F::one());
        let mut g = p.zeros();
        for i in 0..self.d {
            let (mu, v) = (p[0][i], p[1][i]);
            let spread = (half * v).exp() * x[0][i];
            let r = mu + spread - x[1][i];
            let inner = if bug == Bug::HalfInExponent { one } else { half };
            let kl_mu = if bug == Bug::PenaltyMissing { F::zero() } else { mu };
            g[0][i] = r + kl_mu;
            g[1][i] = r * spread * inner
                + match bug {
                    Bug::ChainFactor => v.exp() - one,
                    Bug::LogDetMissing => half * v.exp(),
                    _ => half * (v.exp() - one),
                };
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::HalfInExponent, Bug::PenaltyMissing, Bug::ChainFactor, Bug::LogDetMissing]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("d", self.d)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let d = self.d;
        let p = Params::new().with("mu", &[d], rng.normals(d, 1.0)).with(
            "logvar",
            &[d],
            rng.normals(d, 1.0),
        );
        (p, Data::new(vec![rng.normals(d, 1.0), rng.normals(d, 1.0)]))
    }
}

/// Rosenbrock's valley in `n` dimensions.
#[derive(Clone, Debug)]
pub(crate) struct Rosenbrock {
    pub(crate) n: usize,
}

impl Model for Rosenbrock {
    fn forward<F: Real>(&self, p: &Params<F>, _: &Data<F>) -> F {
        p[0].windows(2).fold(F::zero(), |sum, w| {
            let (a, b) = (w[1] - w[0] * w[0], F::one() - w[0]);
            sum + lit::<F>(100.0) * a * a + b * b
        })
    }
    fn backward<F: Real>(&self, p: &Params<F>, _: &Data<F>, bug: Bug) -> Params<F> {
        let mut g = p.zeros();
        for i in 0..self.n - 1 {
            let (x, y) = (p[0][i], p[0][i + 1]);
            let a = y - x * x;
            let two = lit::<F>(2.0);
            if bug != Bug::CrossTerm {
                g[0][i] -= lit::<F>(400.0) * x * a;
            }
            g[0][i] -= two * (F::one() - x);
            let place = if bug == Bug::NeighbourShifted { i } else { i + 1 };
            g[0][place] += lit::<F>(if bug == Bug::ChainFactor { 100.0 } else { 200.0 }) * a;
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::CrossTerm, Bug::NeighbourShifted, Bug::ChainFactor]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        (Params::new().with("x", &[self.n], rng.uniforms(self.n, -2.0, 2.0)), Data::new(vec![]))
    }
    fn fit(&self, _: &Params<f64>, _: &mut Data<f64>) -> bool {
        false
    }
}

/// `T ln sum exp((A x + b) / T)` with `T = exp(t)`.
#[derive(Clone, Debug)]
pub(crate) struct LogSumExp {
    pub(crate) n: usize,
    pub(crate) k: usize,
}

impl LogSumExp {
    fn scaled<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        let u = product(&x[0], &p[0], self.n, 1);
        u.iter().zip(&x[1]).map(|(&u, &b)| (u + b) / p[1][0].exp()).collect()
    }
}

impl Model for LogSumExp {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let u = self.scaled(p, x);
        let top = shift(u.iter().copied());
        p[1][0].exp() * (top + u.iter().fold(F::zero(), |s, &u| s + (u - top).exp()).ln())
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let u = self.scaled(p, x);
        let top = shift(u.iter().copied());
        let exps: Vec<F> = u.iter().map(|&u| (u - top).exp()).collect();
        let sum = total(&exps);
        let mut g = p.zeros();
        let t = p[1][0].exp();
        for (row, &e) in exps.iter().enumerate() {
            let weight = match bug {
                Bug::Unnormalised => e,
                Bug::Temperature => e / sum / t,
                _ => e / sum,
            };
            for j in 0..self.n {
                g[0][j] += weight * x[0][row * self.n + j];
            }
        }
        let mean = dot(&exps, &u) / sum;
        let cross = if bug == Bug::CrossTerm { F::zero() } else { mean };
        g[1][0] = t * (top + sum.ln() - cross);
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::Unnormalised, Bug::Temperature, Bug::CrossTerm]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("k", self.k)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, k) = (self.n, self.k);
        let p =
            Params::new().with("x", &[n], rng.normals(n, 1.0)).with("t", &[], rng.normals(1, 0.5));
        (p, Data::new(vec![rng.normals(n * k, 1.0), rng.normals(k, 1.0)]))
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::First)
    }
    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        let largest = self.scaled(p, x).iter().fold(1e-3_f64, |m, u| m.max(u.abs()));
        // Only the part in x scales; the targets' part is of order one.
        Some((largest, vec![0]))
    }
}

const STEEPNESS: f64 = 50.0;

/// `sum c exp(50 x) + sum x^2 + sum x_i x_j` over neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Steep {
    pub(crate) n: usize,
}

impl Model for Steep {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let k = lit::<F>(STEEPNESS);
        let exps = p[0].iter().zip(&x[0]).fold(F::zero(), |s, (&v, &c)| s + c * (k * v).exp());
        let products = p[0].windows(2).fold(F::zero(), |s, w| s + w[0] * w[1]);
        exps + dot(&p[0], &p[0]) + products
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let mut g = p.zeros();
        let k = lit::<F>(STEEPNESS);
        for i in 0..self.n {
            let outer = if bug == Bug::ChainFactor { F::one() } else { k };
            g[0][i] = outer * x[0][i] * (k * p[0][i]).exp() + p[0][i] + p[0][i];
            if bug != Bug::CrossTerm {
                if i > 0 {
                    g[0][i] += p[0][i - 1];
                }
                if i + 1 < self.n {
                    g[0][i] += p[0][i + 1];
                }
            }
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::ChainFactor, Bug::CrossTerm]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let p = Params::new().with("x", &[self.n], rng.uniforms(self.n, -0.1, 0.25));
        (p, Data::new(vec![rng.uniforms(self.n, 0.2, 1.0)]))
    }
}

/// `sum a / x + ln x` with `x` near 0.01.
#[derive(Clone, Debug)]
pub(crate) struct Reciprocal {
    pub(crate) n: usize,
}

impl Model for Reciprocal {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        p[0].iter().zip(&x[0]).fold(F::zero(), |s, (&v, &a)| s + a / v + v.ln())
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let mut g = p.zeros();
        for i in 0..self.n {
            let (v, a) = (p[0][i], x[0][i]);
            let first = if bug == Bug::PowerOfDenominator { -a / v } else { -a / (v * v) };
            g[0][i] = if bug == Bug::CrossTerm { first } else { first + F::one() / v };
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::PowerOfDenominator, Bug::CrossTerm]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let p = Params::new().with("x", &[self.n], rng.uniforms(self.n, 0.005, 0.02));
        (p, Data::new(vec![rng.uniforms(self.n, 0.5, 1.5)]))
    }
}

/// `sum c (softplus(z) - z)` with `z = 1 .. 25`: the difference has fewer digits than its terms.
#[derive(Clone, Debug)]
pub(crate) struct SoftplusGap {
    pub(crate) n: usize,
}

impl Model for SoftplusGap {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        p[0].iter()
            .zip(&x[0])
            .fold(F::zero(), |s, (&z, &c)| s + c * ((F::one() + z.exp()).ln() - z))
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let mut g = p.zeros();
        for i in 0..self.n {
            let (z, c) = (p[0][i], x[0][i]);
            g[0][i] = match bug {
                Bug::CrossTerm => c * sigmoid(z),
                Bug::SigmoidNoComplement => c * (sigmoid(z) * sigmoid(z) - F::one()),
                _ => -c * sigmoid(-z),
            };
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::CrossTerm, Bug::SigmoidNoComplement]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let p = Params::new().with("z", &[self.n], rng.uniforms(self.n, 1.0, 4.0));
        (p, Data::new(vec![rng.uniforms(self.n, 0.5, 1.5)]))
    }
    fn drive(&self, p: &Params<f64>, _: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        Some((p[0].iter().fold(1e-3_f64, |m, z| m.max(z.abs())), vec![0]))
    }
    fn saturation(&self) -> (f64, f64) {
        (8.0, 25.0)
    }
}

/// `1 - cos(u, v)` and a small pull of the lengths to one.
#[derive(Clone, Debug)]
pub(crate) struct Cosine {
    pub(crate) d: usize,
}

const PULL: f64 = 0.05;

impl Model for Cosine {
    fn forward<F: Real>(&self, p: &Params<F>, _: &Data<F>) -> F {
        let (uu, vv) = (dot(&p[0], &p[0]), dot(&p[1], &p[1]));
        let cosine = dot(&p[0], &p[1]) / (uu.sqrt() * vv.sqrt());
        let one = F::one();
        one - cosine + lit::<F>(PULL) * ((uu - one) * (uu - one) + (vv - one) * (vv - one))
    }
    fn backward<F: Real>(&self, p: &Params<F>, _: &Data<F>, bug: Bug) -> Params<F> {
        let mut g = p.zeros();
        let (uu, vv, uv) = (dot(&p[0], &p[0]), dot(&p[1], &p[1]), dot(&p[0], &p[1]));
        let lengths = match bug {
            Bug::NormSquared => uu * vv,
            _ => uu.sqrt() * vv.sqrt(),
        };
        for block in 0..2 {
            let (own, other, squared) =
                if block == 0 { (&p[0], &p[1], uu) } else { (&p[1], &p[0], vv) };
            for i in 0..self.d {
                let along =
                    if bug == Bug::ProjectionTerm { F::zero() } else { uv / squared * own[i] };
                let pull = lit::<F>(4.0 * PULL) * (squared - F::one()) * own[i];
                g[block][i] = -(other[i] - along) / lengths;
                if bug != Bug::PenaltyMissing {
                    g[block][i] += pull;
                }
            }
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::ProjectionTerm, Bug::NormSquared, Bug::PenaltyMissing]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("d", self.d)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let p = Params::new().with("u", &[self.d], rng.normals(self.d, 1.0)).with(
            "v",
            &[self.d],
            rng.normals(self.d, 1.0),
        );
        (p, Data::new(vec![]))
    }
}
