//! Linear models, classifiers, tables and products.
use super::{
    Bug, Data, Model, Params, Real, Rng, Samples, add_bias, bias_bugs, count, dot, half_squares,
    lit, mean_bugs, mean_factor, product, product_transposed, residuals, sample_factor, shift,
    sigmoid, softplus, sum_columns, total, transposed_product,
};

fn largest(z: &[f64]) -> f64 {
    z.iter().fold(1e-3, |m, z| m.max(z.abs()))
}

/// `W x + b`, half squares.
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) m: usize,
}

impl Affine {
    fn out<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        let mut z = product(&p[0], &x[0], self.n, self.m);
        add_bias(&mut z, &p[1], self.m);
        z
    }
}

impl Model for Affine {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.out(p, x), &x[1], self.m)
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let d = residuals(&self.out(p, x), &x[1], self.m, bug);
        let mut g = p.zeros();
        g[0].copy_from_slice(&product_transposed(&d, &x[0], self.m));
        g[1].copy_from_slice(&sum_columns(&d, self.m, bug));
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend(bias_bugs(self.m));
        bugs.extend([Bug::HalfSquareTwo, Bug::TargetForgotten]);
        bugs
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("k", self.k), ("m", self.m)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, k, m) = (self.n, self.k, self.m);
        let p = Params::new().with("W", &[k, n], rng.normals(k * n, 1.0)).with(
            "b",
            &[k],
            rng.normals(k, 0.5),
        );
        (p, Data::new(vec![rng.normals(n * m, 1.0), rng.normals(k * m, 1.0)]))
    }
    fn biases(&self) -> &'static [&'static str] {
        &["b"]
    }
    fn of_samples(&self, m: usize) -> Option<Self> {
        Some(Self { m, ..self.clone() })
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }
    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.out(p, x);
        true
    }
}

/// Rows of a table by index, repeated ones among them, through tanh to one output.
#[derive(Clone, Debug)]
pub(crate) struct Embedding {
    pub(crate) rows: usize,
    pub(crate) d: usize,
    pub(crate) m: usize,
}

impl Embedding {
    fn out<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        x.index
            .iter()
            .map(|&row| dot(&p[0][row * self.d..(row + 1) * self.d], &p[1]).tanh() + p[2][0])
            .collect()
    }
}

impl Model for Embedding {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.out(p, x), &x[1], self.m)
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let out = self.out(p, x);
        let d = residuals(&out, &x[1], self.m, bug);
        let mut g = p.zeros();
        g[2][0] = total(&d);
        for (s, &row) in x.index.iter().enumerate() {
            let t = out[s] - p[2][0];
            let dz = if bug == Bug::TanhForgotten { d[s] } else { d[s] * (F::one() - t * t) };
            let target = if bug == Bug::RowsOffByOne { (row + 1) % self.rows } else { row };
            let repeats = x.index.iter().filter(|&&r| r == row).count();
            for j in 0..self.d {
                let place = target * self.d + j;
                let term = dz * p[1][j];
                match bug {
                    Bug::RowsOverwritten => g[0][place] = term,
                    Bug::RowsAveraged => g[0][place] += term / count(repeats),
                    _ => g[0][place] += term,
                }
                g[1][j] += dz * p[0][row * self.d + j];
            }
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend([Bug::TanhForgotten, Bug::RowsOffByOne]);
        if self.m > 1 {
            bugs.extend([Bug::RowsOverwritten, Bug::RowsAveraged]);
        }
        bugs
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("v", self.rows), ("d", self.d), ("m", self.m)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let p = Params::new()
            .with("table", &[self.rows, self.d], rng.normals(self.rows * self.d, 1.0))
            .with("w", &[self.d], rng.normals(self.d, 0.7))
            .with("c", &[1], rng.normals(1, 0.3));
        // A row that no sample looks up, and one that two do.
        let mut index = rng.indices(self.m, self.rows - 1);
        if self.m > 1 {
            index[self.m - 1] = index[0];
        }
        let targets = rng.normals(self.m, 0.7);
        (p, Data { arrays: vec![Vec::new(), targets], index })
    }
    fn biases(&self) -> &'static [&'static str] {
        &["c"]
    }
    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.out(p, x);
        true
    }
}

/// `W x + b`, softmax over classes, cross-entropy against class indices.
#[derive(Clone, Debug)]
pub(crate) struct SoftmaxCrossEntropy {
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) m: usize,
}

impl SoftmaxCrossEntropy {
    fn logits<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        let mut z = product(&p[0], &x[0], self.n, self.m);
        add_bias(&mut z, &p[1], self.m);
        z
    }
    fn column<'a, F: Real>(&self, z: &'a [F], s: usize) -> impl Iterator<Item = F> + Clone + 'a {
        z.iter().skip(s).step_by(self.m).copied()
    }
}

impl Model for SoftmaxCrossEntropy {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let z = self.logits(p, x);
        let mut sum = F::zero();
        for s in 0..self.m {
            let top = shift(self.column(&z, s));
            let exps = self.column(&z, s).fold(F::zero(), |sum, z| sum + (z - top).exp());
            sum += top + exps.ln() - z[x.index[s] * self.m + s];
        }
        sum / count(self.m)
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let z = self.logits(p, x);
        let m = self.m;
        let mut d = z.clone();
        for s in 0..m {
            let factor = mean_factor::<F>(m, bug) * sample_factor(s, m, bug);
            let top = shift(self.column(&z, s));
            let exps = self.column(&z, s).fold(F::zero(), |sum, z| sum + (z - top).exp());
            let label = match bug {
                Bug::LabelShifted => (x.index[s] + 1) % self.k,
                _ => x.index[s],
            };
            let likely = (z[label * m + s] - top).exp() / exps;
            for class in 0..self.k {
                let place = class * m + s;
                let a = (z[place] - top).exp() / exps;
                let hit = if class == label { F::one() } else { F::zero() };
                d[place] = factor
                    * match bug {
                        Bug::TargetForgotten => a,
                        // -1/a times the diagonal of the Jacobian, nothing beside it.
                        Bug::SoftmaxDiagonal => -hit * (F::one() - likely),
                        _ => a - hit,
                    };
            }
        }
        let mut g = p.zeros();
        g[0].copy_from_slice(&product_transposed(&d, &x[0], m));
        g[1].copy_from_slice(&sum_columns(&d, m, bug));
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend(bias_bugs(self.m));
        bugs.extend([Bug::TargetForgotten, Bug::SoftmaxDiagonal, Bug::LabelShifted]);
        bugs
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("k", self.k), ("m", self.m)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, k, m) = (self.n, self.k, self.m);
        let p = Params::new().with("W", &[k, n], rng.normals(k * n, 1.0)).with(
            "b",
            &[k],
            rng.normals(k, 0.5),
        );
        (p, Data { arrays: vec![rng.normals(n * m, 1.0)], index: rng.indices(m, k) })
    }
    fn biases(&self) -> &'static [&'static str] {
        &["b"]
    }
    fn of_samples(&self, m: usize) -> Option<Self> {
        Some(Self { m, ..self.clone() })
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }
    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        Some((largest(&self.logits(p, x)), vec![0, 1]))
    }
}

const L1: f64 = 0.2;

/// Huber's loss of `w x + b - y` and a penalty on the absolute weights.
#[derive(Clone, Debug)]
pub(crate) struct Huber {
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) delta: f64,
}

impl Huber {
    fn out<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        let mut z = product(&p[0], &x[0], self.n, self.m);
        add_bias(&mut z, &p[1], self.m);
        z
    }
}

impl Model for Huber {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let (delta, half) = (lit::<F>(self.delta), lit::<F>(0.5));
        let sum = self.out(p, x).iter().zip(&x[1]).fold(F::zero(), |s, (&z, &y)| {
            let r = z - y;
            // The pieces meet with equal slopes: no kink.
            s + if r.above(delta) {
                delta * (r - half * delta)
            } else if (-r).above(delta) {
                delta * (-r - half * delta)
            } else {
                half * r * r
            }
        });
        let penalty = p[0].iter().fold(F::zero(), |s, &w| s + w.abs());
        sum / count(self.m) + lit::<F>(L1) * penalty
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let (zero, one) = (F::zero(), F::one());
        let delta = if bug == Bug::ClampedAtOne { one } else { lit(self.delta) };
        let mean = mean_factor::<F>(self.m, bug);
        let d: Vec<F> = self
            .out(p, x)
            .iter()
            .zip(&x[1])
            .enumerate()
            .map(|(s, (&z, &y))| {
                let r = z - y;
                let clamped = if bug == Bug::NotClamped {
                    r
                } else if r.above(delta) {
                    delta
                } else if (-r).above(delta) {
                    -delta
                } else {
                    r
                };
                clamped * mean * sample_factor(s, self.m, bug)
            })
            .collect();
        let mut g = p.zeros();
        g[0].copy_from_slice(&product_transposed(&d, &x[0], self.m));
        g[1].copy_from_slice(&sum_columns(&d, self.m, bug));
        let slope = |w: F| match bug {
            Bug::AbsSign => one,
            Bug::PenaltyMissing => zero,
            Bug::PenaltyDoubled => lit::<F>(2.0) * sign(w),
            _ => sign(w),
        };
        for j in 0..self.n {
            g[0][j] += lit::<F>(L1) * slope(p[0][j]);
        }
        if bug == Bug::PenaltyOnBias {
            g[1][0] += lit::<F>(L1) * slope(p[1][0]);
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend(bias_bugs(self.m));
        bugs.extend([Bug::NotClamped, Bug::ClampedAtOne, Bug::AbsSign]);
        bugs
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("m", self.m)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, m) = (self.n, self.m);
        let p = Params::new().with("w", &[1, n], rng.normals(n, 1.0)).with(
            "b",
            &[1],
            rng.normals(1, 0.5),
        );
        (p, Data::new(vec![rng.normals(n * m, 1.0), rng.normals(m, 1.0)]))
    }
    fn biases(&self) -> &'static [&'static str] {
        &["b"]
    }
    fn of_samples(&self, m: usize) -> Option<Self> {
        Some(Self { m, ..self.clone() })
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }
    fn kink(&self, rng: &mut Rng, p: &mut Params<f64>, _: &mut Data<f64>, offset: f64) -> bool {
        let j = rng.below(self.n);
        p[0][j] = offset;
        true
    }
    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.out(p, x);
        true
    }
}

fn sign<F: Real>(w: F) -> F {
    if w > F::zero() {
        F::one()
    } else if w < F::zero() {
        -F::one()
    } else {
        F::zero()
    }
}

const MARGIN: f64 = 0.1;

/// Support vector machine: mean of `max(0, 1 - y (w x + b))` and a penalty on the squares.
#[derive(Clone, Debug)]
pub(crate) struct Hinge {
    pub(crate) n: usize,
    pub(crate) m: usize,
}

impl Hinge {
    fn gaps<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        let mut z = product(&p[0], &x[0], self.n, self.m);
        add_bias(&mut z, &p[1], self.m);
        z.iter().zip(&x[1]).map(|(&z, &y)| F::one() - y * z).collect()
    }
}

impl Model for Hinge {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let zero = F::zero();
        let sum = self.gaps(p, x).iter().fold(zero, |s, &g| if g > zero { s + g } else { s });
        sum / count(self.m) + lit::<F>(MARGIN / 2.0) * dot(&p[0], &p[0])
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let mean = mean_factor::<F>(self.m, bug);
        let threshold = if bug == Bug::HingeMargin { F::one() } else { F::zero() };
        let d: Vec<F> = self
            .gaps(p, x)
            .iter()
            .zip(&x[1])
            .enumerate()
            .map(|(s, (&gap, &y))| {
                let active = if gap > threshold { -y } else { F::zero() };
                active * mean * sample_factor(s, self.m, bug)
            })
            .collect();
        let mut g = p.zeros();
        g[0].copy_from_slice(&product_transposed(&d, &x[0], self.m));
        g[1].copy_from_slice(&sum_columns(&d, self.m, bug));
        let factor = lit::<F>(match bug {
            Bug::PenaltyMissing => 0.0,
            Bug::PenaltyDoubled => 2.0 * MARGIN,
            _ => MARGIN,
        });
        for j in 0..self.n {
            g[0][j] += factor * p[0][j];
        }
        if bug == Bug::PenaltyOnBias {
            g[1][0] += factor * p[1][0];
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend(bias_bugs(self.m));
        bugs.extend([
            Bug::HingeMargin,
            Bug::PenaltyMissing,
            Bug::PenaltyDoubled,
            Bug::PenaltyOnBias,
        ]);
        bugs
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("m", self.m)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, m) = (self.n, self.m);
        let p = Params::new().with("w", &[1, n], rng.normals(n, 0.7)).with(
            "b",
            &[1],
            rng.normals(1, 0.5),
        );
        let y = (0..m).map(|_| rng.sign()).collect();
        (p, Data::new(vec![rng.normals(n * m, 1.0), y]))
    }
    fn biases(&self) -> &'static [&'static str] {
        &["b"]
    }
    fn of_samples(&self, m: usize) -> Option<Self> {
        Some(Self { m, ..self.clone() })
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }
    fn kink(&self, rng: &mut Rng, p: &mut Params<f64>, x: &mut Data<f64>, offset: f64) -> bool {
        let s = rng.below(self.m);
        let z = product(&p[0], &x[0], self.n, self.m)[s];
        p[1][0] = x[1][s] - z + offset;
        true
    }
}

/// `w x + b` through a sigmoid, cross-entropy, and a penalty on the squared weights.
#[derive(Clone, Debug)]
pub(crate) struct Logistic {
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) lambda: f64,
    /// From the logits; otherwise from `ln(1 - a)`, which loses digits where `a` is near 1.
    pub(crate) stable: bool,
}

impl Logistic {
    fn logits<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        let mut z = product(&p[0], &x[0], self.n, self.m);
        add_bias(&mut z, &p[1], self.m);
        z
    }
}

impl Model for Logistic {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let (one, m) = (F::one(), count::<F>(self.m));
        let sum = self.logits(p, x).iter().zip(&x[1]).fold(F::zero(), |s, (&z, &y)| {
            if self.stable {
                return s + softplus(z) - y * z;
            }
            let a = sigmoid(z);
            s - (y * a.ln() + (one - y) * (one - a).ln())
        });
        let penalty = lit::<F>(self.lambda / 2.0) * dot(&p[0], &p[0]);
        (sum + penalty) / m
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let mean = mean_factor::<F>(self.m, bug);
        let d: Vec<F> = self
            .logits(p, x)
            .iter()
            .zip(&x[1])
            .enumerate()
            .map(|(s, (&z, &y))| {
                // sigmoid(z) - y, without losing digits near 1.
                let d = match bug {
                    Bug::TargetForgotten => sigmoid(z),
                    Bug::ClippedProbability => sigmoid(z).max(lit(1e-4)).min(lit(1.0 - 1e-4)) - y,
                    _ => (F::one() - y) * sigmoid(z) - y * sigmoid(-z),
                };
                d * mean * sample_factor(s, self.m, bug)
            })
            .collect();
        let mut g = p.zeros();
        g[0].copy_from_slice(&product_transposed(&d, &x[0], self.m));
        g[1].copy_from_slice(&sum_columns(&d, self.m, bug));
        let factor = lit::<F>(
            self.lambda
                * match bug {
                    Bug::PenaltyMissing => 0.0,
                    Bug::PenaltyDoubled => 2.0 / self.m as f64,
                    Bug::PenaltyNotMean => 1.0,
                    _ => 1.0 / self.m as f64,
                },
        );
        for j in 0..self.n {
            g[0][j] += factor * p[0][j];
        }
        if bug == Bug::PenaltyOnBias {
            g[1][0] += factor * p[1][0];
        }
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend(bias_bugs(self.m));
        bugs.extend([Bug::TargetForgotten, Bug::ClippedProbability]);
        if self.lambda > 0.0 {
            bugs.extend([Bug::PenaltyMissing, Bug::PenaltyDoubled, Bug::PenaltyOnBias]);
            if self.m > 1 {
                bugs.push(Bug::PenaltyNotMean);
            }
        }
        bugs
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("m", self.m)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, m) = (self.n, self.m);
        let p = Params::new().with("w", &[1, n], rng.normals(n, 1.0)).with(
            "b",
            &[1],
            rng.normals(1, 0.5),
        );
        (p, Data::new(vec![rng.normals(n * m, 1.0), rng.labels(m)]))
    }
    fn biases(&self) -> &'static [&'static str] {
        &["b"]
    }
    fn of_samples(&self, m: usize) -> Option<Self> {
        Some(Self { m, ..self.clone() })
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }
    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        Some((largest(&self.logits(p, x)), vec![0, 1]))
    }
    fn saturation(&self) -> (f64, f64) {
        if self.lambda == 0.0 { (8.0, 30.0) } else { (8.0, 16.0) }
    }
}

/// `U V` against a matrix, all `[k, k]`; half squares over the columns.
#[derive(Clone, Debug)]
pub(crate) struct Factorisation {
    pub(crate) k: usize,
}

impl Model for Factorisation {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&product(&p[0], &p[1], self.k, self.k), &x[1], self.k)
    }
    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let k = self.k;
        let d = residuals(&product(&p[0], &p[1], k, k), &x[1], k, bug);
        let mut g = p.zeros();
        g[0].copy_from_slice(&product_transposed(&d, &p[1], k));
        g[1].copy_from_slice(&match bug {
            Bug::LeftFactor => product(&p[0], &d, k, k),
            _ => transposed_product(&p[0], &d, k, k),
        });
        g
    }
    fn bugs(&self) -> Vec<Bug> {
        vec![Bug::LeftFactor, Bug::HalfSquareTwo, Bug::TargetForgotten, Bug::MeanMissing]
    }
    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("m", self.k)]
    }
    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let k = self.k;
        let p = Params::new().with("U", &[k, k], rng.normals(k * k, 1.0)).with(
            "V",
            &[k, k],
            rng.normals(k * k, 1.0),
        );
        (p, Data::new(vec![Vec::new(), rng.normals(k * k, 1.0)]))
    }
    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = product(&p[0], &p[1], self.k, self.k);
        true
    }
}
