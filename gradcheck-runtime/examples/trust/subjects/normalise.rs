//! Batch and layer normalisation behind an affine layer.
use super::{
    Bug, Data, Model, Params, Real, Rng, Samples, add_bias, bias_bugs, count, half_squares, lit,
    mean_bugs, product, product_transposed, residuals, sum_columns,
};

/// What is normalised over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Each feature over the batch, as in training.
    Batch,
    /// Each sample over its features.
    Features,
}

/// `gamma x^ + beta` of `x = W a + b`, half squares against targets; `[k, m]`.
///
/// Over the batch, `b` has no influence at all: its gradient is rounding.
#[derive(Clone, Debug)]
pub(crate) struct Normalisation {
    pub(crate) over: Over,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) m: usize,
}

const EPS: f64 = 1e-5;

struct Normalised<F> {
    z: Vec<F>,
    hat: Vec<F>,
    variance: Vec<F>,
    out: Vec<F>,
}

impl Normalisation {
    /// Places of group `group`.
    fn group(&self, group: usize) -> impl Iterator<Item = usize> + Clone {
        let (start, step, len) = match self.over {
            Over::Batch => (group * self.m, 1, self.m),
            Over::Features => (group, self.m, self.k),
        };
        (0..len).map(move |i| start + step * i)
    }
    fn groups(&self) -> (usize, usize) {
        match self.over {
            Over::Batch => (self.k, self.m),
            Over::Features => (self.m, self.k),
        }
    }
    fn run<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Normalised<F> {
        let mut z = product(&p[0], &x[0], self.n, self.m);
        add_bias(&mut z, &p[1], self.m);
        let mut hat = z.clone();
        let (groups, len) = self.groups();
        let len = count::<F>(len);
        let mut variance = Vec::with_capacity(groups);
        for group in 0..groups {
            let places = self.group(group);
            let mean = places.clone().fold(F::zero(), |s, i| s + z[i]) / len;
            let var =
                places.clone().fold(F::zero(), |s, i| s + (z[i] - mean) * (z[i] - mean)) / len;
            let root = (var + lit(EPS)).sqrt();
            places.for_each(|i| hat[i] = (z[i] - mean) / root);
            variance.push(var);
        }
        let out = (0..z.len()).map(|i| p[2][i / self.m] * hat[i] + p[3][i / self.m]).collect();
        Normalised { z, hat, variance, out }
    }
}

impl Model for Normalisation {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.run(p, x).out, &x[1], self.m)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let Normalised { z, hat, variance, out } = self.run(p, x);
        let dout = residuals(&out, &x[1], self.m, bug);
        let (_, len) = self.groups();
        let mut g = p.zeros();
        for i in 0..dout.len() {
            g[2][i / self.m] += dout[i] * if bug == Bug::NormGammaInput { z[i] } else { hat[i] };
        }
        g[3].copy_from_slice(&sum_columns(&dout, self.m, bug));
        let dhat: Vec<F> = (0..dout.len())
            .map(|i| {
                let gamma =
                    if bug == Bug::NormGammaForgotten { F::one() } else { p[2][i / self.m] };
                dout[i] * gamma
            })
            .collect();
        let mut dz = dhat.clone();
        for (group, &var) in variance.iter().enumerate() {
            let places = self.group(group);
            let mut var = var;
            if bug == Bug::NormBessel && len > 1 {
                var = var * count(len) / count(len - 1);
            }
            let inverse = F::one()
                / match bug {
                    Bug::NormEpsOutside => var.sqrt() + lit(EPS),
                    Bug::NormEpsForgotten => var.sqrt(),
                    _ => (var + lit(EPS)).sqrt(),
                };
            let divisor = if bug == Bug::NormSumNotMean { F::one() } else { count(len) };
            let mut first = places.clone().fold(F::zero(), |s, i| s + dhat[i]) / divisor;
            let mut second = places.clone().fold(F::zero(), |s, i| s + dhat[i] * hat[i]) / divisor;
            if matches!(bug, Bug::NormMeanTerm | Bug::NormBothTerms) {
                first = F::zero();
            }
            if matches!(bug, Bug::NormVarianceTerm | Bug::NormBothTerms) {
                second = F::zero();
            }
            places.for_each(|i| dz[i] = inverse * (dhat[i] - first - hat[i] * second));
        }
        g[0].copy_from_slice(&product_transposed(&dz, &x[0], self.m));
        g[1].copy_from_slice(&sum_columns(&dz, self.m, bug));
        g
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend(bias_bugs(self.m));
        bugs.extend([Bug::NormGammaForgotten, Bug::NormGammaInput, Bug::HalfSquareTwo]);
        if self.groups().1 > 1 {
            bugs.extend([
                Bug::NormMeanTerm,
                Bug::NormVarianceTerm,
                Bug::NormBothTerms,
                Bug::NormEpsOutside,
                Bug::NormEpsForgotten,
                Bug::NormBessel,
                Bug::NormSumNotMean,
            ]);
        }
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("k", self.k), ("m", self.m)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, k, m) = (self.n, self.k, self.m);
        let p = Params::new()
            .with("W", &[k, n], rng.normals(k * n, 1.0))
            .with("b", &[k], rng.normals(k, 0.3))
            .with("gamma", &[k], rng.uniforms(k, 0.5, 1.5))
            .with("beta", &[k], rng.normals(k, 0.3));
        (p, Data::new(vec![rng.normals(n * m, 1.0), rng.normals(k * m, 1.0)]))
    }

    fn biases(&self) -> &'static [&'static str] {
        &["b", "beta"]
    }

    fn of_samples(&self, m: usize) -> Option<Self> {
        Some(Self { m, ..self.clone() })
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.run(p, x).out;
        true
    }
}
