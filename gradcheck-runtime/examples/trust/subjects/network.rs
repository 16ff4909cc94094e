//! Fully connected networks.
use super::{
    Bug, Data, Model, Params, Real, Rng, Samples, add_bias, bias_bugs, count, half_squares, lit,
    mean_bugs, mean_factor, product, product_transposed, residuals, sample_factor, sigmoid,
    softplus, sum_columns, transposed_product,
};

/// What hidden layers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Relu,
    Leaky,
    Tanh,
    Sigmoid,
    Silu,
    GeluTanh,
    GeluErf,
}

/// What the output is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Sigmoid, then `-(y ln a + (1 - y) ln(1 - a))`: loses digits where `a` is near 0 or 1.
    CrossEntropy,
    /// The same from the logits, `softplus(z) - y z`: keeps them.
    Logits,
    /// Half the squared distance.
    Squares,
}

/// Layers `W1, b1, W2, ..`; features `[n, m]`, targets `[outputs, m]`; mean over the batch.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    sizes: Vec<usize>,
    m: usize,
    activation: Activation,
    loss: Loss,
    /// `lambda / (2 m)` times the squared weights.
    lambda: f64,
    /// Hidden activations rounded to single precision.
    single: bool,
    /// The value rounded to a multiple of this; 0 for not at all.
    grid: f64,
}

const NAMES: [&str; 8] = ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"];
const SLOPE: f64 = 0.1;
const CUBIC: f64 = 0.044_715;
const CLIP: f64 = 1e-4;

impl Network {
    pub(crate) fn new(sizes: Vec<usize>, m: usize, activation: Activation, loss: Loss) -> Network {
        Network { sizes, m, activation, loss, lambda: 0.0, single: false, grid: 0.0 }
    }
    pub(crate) fn penalty(self, lambda: f64) -> Network {
        Network { lambda, ..self }
    }
    pub(crate) fn single_inside(self) -> Network {
        Network { single: true, ..self }
    }
    pub(crate) fn quantised(self, grid: f64) -> Network {
        Network { grid, ..self }
    }
    fn layers(&self) -> usize {
        self.sizes.len() - 1
    }
    /// Pre-activation of layer `l` from the activation below it.
    fn pre<F: Real>(&self, p: &Params<F>, l: usize, below: &[F]) -> Vec<F> {
        let mut z = product(&p[2 * l], below, self.sizes[l], self.m);
        add_bias(&mut z, &p[2 * l + 1], self.m);
        z
    }
    fn activate<F: Real>(&self, z: &[F]) -> Vec<F> {
        let single = self.single;
        let round = |v: F| if single { v.single() } else { v };
        z.iter().map(|&z| round(value(self.activation, z))).collect()
    }
    fn logits<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Vec<F> {
        let mut a = self.pre(p, 0, &x[0]);
        for l in 1..self.layers() {
            a = self.pre(p, l, &self.activate(&a));
        }
        a
    }
    /// Derivative of the mean loss by the output's pre-activation.
    fn output_gradient<F: Real>(&self, z: &[F], y: &[F], bug: Bug) -> Vec<F> {
        let (one, mean) = (F::one(), mean_factor::<F>(self.m, bug));
        if self.loss == Loss::Squares {
            return residuals(z, y, self.m, bug);
        }
        z.iter()
            .zip(y)
            .enumerate()
            .map(|(i, (&z, &y))| {
                let mut s = sigmoid(z);
                if bug == Bug::ClippedProbability {
                    s = s.max(lit(CLIP)).min(lit(1.0 - CLIP));
                }
                let d = match (self.loss, bug) {
                    (_, Bug::TargetForgotten) => s,
                    (Loss::CrossEntropy, Bug::SigmoidNoComplement) => {
                        ((one - y) / (one - s) - y / s) * s
                    }
                    (Loss::CrossEntropy, _) => ((one - y) / (one - s) - y / s) * (s * (one - s)),
                    _ => s - y,
                };
                d * mean * sample_factor::<F>(i % self.m, self.m, bug)
            })
            .collect()
    }
}

impl Model for Network {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        let z = self.logits(p, x);
        let y = &x[1];
        let one = F::one();
        let m = count::<F>(self.m);
        let mut cost = match self.loss {
            Loss::CrossEntropy => {
                z.iter().zip(y).fold(F::zero(), |s, (&z, &y)| {
                    let a = sigmoid(z);
                    s - (y * a.ln() + (one - y) * (one - a).ln())
                }) / m
            }
            Loss::Logits => {
                z.iter().zip(y).fold(F::zero(), |s, (&z, &y)| s + softplus(z) - y * z) / m
            }
            Loss::Squares => half_squares(&z, y, self.m),
        };
        if self.lambda > 0.0 {
            let mut squares = F::zero();
            for l in 0..self.layers() {
                squares += p[2 * l].iter().fold(F::zero(), |s, &w| s + w * w);
            }
            cost += lit::<F>(self.lambda / 2.0) * squares / m;
        }
        cost.grid(self.grid)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let m = self.m;
        let mut zs: Vec<Vec<F>> = Vec::new();
        let mut activations: Vec<Vec<F>> = vec![x[0].to_vec()];
        for l in 0..self.layers() {
            zs.push(self.pre(p, l, &activations[l]));
            // Exact here, whatever the forward rounds: the gradient of the function meant.
            activations.push(zs[l].iter().map(|&z| value(self.activation, z)).collect());
        }
        let last = self.layers() - 1;
        let mut g = p.zeros();
        let mut dz = self.output_gradient(&zs[last], &x[1], bug);
        for l in (0..=last).rev() {
            let below =
                if bug == Bug::PreActivation && l > 0 { &zs[l - 1] } else { &activations[l] };
            g[2 * l].copy_from_slice(&product_transposed(&dz, below, m));
            g[2 * l + 1].copy_from_slice(&sum_columns(&dz, m, bug));
            if l == 0 || bug == Bug::Detached {
                break;
            }
            let (i, o) = (self.sizes[l], self.sizes[l + 1]);
            let da = if bug == Bug::WeightsNotTransposed && i == o {
                product(&p[2 * l], &dz, i, m)
            } else {
                transposed_product(&p[2 * l], &dz, i, m)
            };
            let (z, a) = (&zs[l - 1], &activations[l]);
            let other = if l > 1 { &zs[l - 2] } else { &zs[(l).min(last)] };
            dz = (0..da.len())
                .map(|j| {
                    let gate = match bug {
                        Bug::MaskWrongLayer => other[j % other.len()],
                        Bug::MaskOnGradient => da[j],
                        _ => z[j],
                    };
                    da[j] * derivative(self.activation, z[j], a[j], gate, bug)
                })
                .collect();
        }
        if self.lambda > 0.0 {
            let factor = match bug {
                Bug::PenaltyMissing => 0.0,
                Bug::PenaltyDoubled => 2.0,
                Bug::PenaltyNotMean => m as f64,
                _ => 1.0,
            } * self.lambda
                / m as f64;
            for l in 0..self.layers() {
                for b in [2 * l, 2 * l + 1] {
                    if b % 2 == 0 || bug == Bug::PenaltyOnBias {
                        for (g, &p) in g[b].iter_mut().zip(&p[b]) {
                            *g += lit::<F>(factor) * p;
                        }
                    }
                }
            }
        }
        g
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend(bias_bugs(self.m));
        bugs.extend([Bug::TargetForgotten, Bug::PreActivation, Bug::Detached]);
        if self.sizes.windows(2).skip(1).any(|w| w[0] == w[1] && w[0] > 1) {
            bugs.push(Bug::WeightsNotTransposed);
        }
        bugs.extend(match self.activation {
            Activation::Relu => vec![
                Bug::MaskAbove,
                Bug::MaskInverted,
                Bug::MaskDropped,
                Bug::MaskWrongLayer,
                Bug::MaskOnGradient,
            ],
            Activation::Leaky => vec![Bug::LeakForgotten, Bug::LeakEverywhere, Bug::MaskInverted],
            Activation::Tanh => vec![Bug::TanhOfPre, Bug::TanhNotSquared, Bug::TanhForgotten],
            Activation::Sigmoid => vec![Bug::SigmoidNoComplement, Bug::SigmoidOfSigmoid],
            Activation::Silu => vec![Bug::SiluNoProduct],
            Activation::GeluTanh => {
                vec![Bug::GeluNoDensity, Bug::GeluFactorThree, Bug::GeluConstant]
            }
            Activation::GeluErf => {
                vec![Bug::GeluNoDensity, Bug::GeluOtherForm, Bug::GeluDensityScale]
            }
        });
        match self.loss {
            Loss::CrossEntropy => bugs.extend([Bug::SigmoidNoComplement, Bug::ClippedProbability]),
            Loss::Logits => bugs.push(Bug::ClippedProbability),
            Loss::Squares => bugs.push(Bug::HalfSquareTwo),
        }
        if self.lambda > 0.0 {
            bugs.extend([Bug::PenaltyMissing, Bug::PenaltyDoubled, Bug::PenaltyOnBias]);
            if self.m > 1 {
                bugs.push(Bug::PenaltyNotMean);
            }
        }
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.sizes[0]), ("h", self.sizes[1]), ("m", self.m)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let mut p = Params::new();
        for l in 0..self.layers() {
            let (i, o) = (self.sizes[l], self.sizes[l + 1]);
            let scale = (2.0 / i as f64).sqrt();
            p = p.with(NAMES[2 * l], &[o, i], rng.normals(o * i, scale));
            p = p.with(NAMES[2 * l + 1], &[o], rng.normals(o, 0.2));
        }
        let x = rng.normals(self.sizes[0] * self.m, 1.0);
        let outputs = self.sizes[self.layers()] * self.m;
        let y = match self.loss {
            Loss::Squares => rng.normals(outputs, 1.0),
            _ => rng.labels(outputs),
        };
        (p, Data::new(vec![x, y]))
    }

    fn biases(&self) -> &'static [&'static str] {
        &["b1", "b2", "b3", "b4"]
    }

    fn of_samples(&self, m: usize) -> Option<Self> {
        Some(Self { m, ..self.clone() })
    }
    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }

    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        if self.loss == Loss::Squares {
            // The hidden units are what saturates.
            let z = self.pre(p, 0, &x[0]);
            return Some((largest(&z), vec![0, 1]));
        }
        let last = 2 * (self.layers() - 1);
        Some((largest(&self.logits(p, x)), vec![last, last + 1]))
    }

    fn kink(&self, rng: &mut Rng, p: &mut Params<f64>, x: &mut Data<f64>, offset: f64) -> bool {
        if !matches!(self.activation, Activation::Relu | Activation::Leaky) {
            return false;
        }
        // One unit in each of some hidden layers, from below, since a bias moves all above it.
        let only = rng.coin().then(|| rng.below(self.layers() - 1));
        let mut below = x[0].to_vec();
        for l in 0..self.layers() - 1 {
            let z = product(&p[2 * l], &below, self.sizes[l], self.m);
            if only.is_none_or(|only| only == l) {
                let (unit, sample) = (rng.below(self.sizes[l + 1]), rng.below(self.m));
                p[2 * l + 1][unit] = offset - z[unit * self.m + sample];
            }
            below = self.activate(&self.pre(p, l, &below));
        }
        true
    }

    fn is_lost(&self, value: f64) -> bool {
        value.abs() < 1e3 * self.grid || (self.single && value < 1e-12)
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        // With rounding inside, a fit that is perfect for the forward is none for the function
        // that is meant.
        if self.loss != Loss::Squares || self.single {
            return false;
        }
        x.arrays[1] = self.logits(p, x);
        true
    }
}

fn largest(z: &[f64]) -> f64 {
    z.iter().fold(1e-3, |m, z| m.max(z.abs()))
}

fn value<F: Real>(activation: Activation, z: F) -> F {
    let zero = F::zero();
    match activation {
        Activation::Relu => {
            if z > zero {
                z
            } else {
                zero
            }
        }
        Activation::Leaky => {
            if z > zero {
                z
            } else {
                lit::<F>(SLOPE) * z
            }
        }
        Activation::Tanh => z.tanh(),
        Activation::Sigmoid => sigmoid(z),
        Activation::Silu => z * sigmoid(z),
        Activation::GeluTanh => lit::<F>(0.5) * z * (F::one() + gelu_inner(z, CUBIC).tanh()),
        Activation::GeluErf => z * normal_cdf(z),
    }
}

/// Derivative of an activation at `z` with value `a`; `gate` decides the side of a kink.
fn derivative<F: Real>(activation: Activation, z: F, a: F, gate: F, bug: Bug) -> F {
    let (zero, one, half) = (F::zero(), F::one(), lit::<F>(0.5));
    match activation {
        Activation::Relu | Activation::Leaky => {
            let threshold = if bug == Bug::MaskAbove { lit(0.25) } else { zero };
            let low = match (activation, bug) {
                (Activation::Leaky, Bug::LeakForgotten) => zero,
                (Activation::Leaky, _) => lit(SLOPE),
                _ => zero,
            };
            let open = (gate > threshold) != (bug == Bug::MaskInverted);
            match bug {
                Bug::MaskDropped => one,
                Bug::LeakEverywhere => low,
                _ if open => one,
                _ => low,
            }
        }
        Activation::Tanh => match bug {
            Bug::TanhOfPre => one - z * z,
            Bug::TanhNotSquared => one - a,
            Bug::TanhForgotten => one,
            _ => one - a * a,
        },
        Activation::Sigmoid => match bug {
            Bug::SigmoidNoComplement => a,
            Bug::SigmoidOfSigmoid => sigmoid(a) * (one - sigmoid(a)),
            _ => a * (one - a),
        },
        Activation::Silu => {
            let s = sigmoid(z);
            if bug == Bug::SiluNoProduct { s } else { s + z * s * (one - s) }
        }
        Activation::GeluTanh => {
            let cubic = if bug == Bug::GeluConstant { 0.04475 } else { CUBIC };
            let t = gelu_inner(z, cubic).tanh();
            let three = if bug == Bug::GeluFactorThree { one } else { lit(3.0) };
            let inner = lit::<F>(SQRT_2_OVER_PI) * (one + three * lit::<F>(cubic) * z * z);
            let first = half * (one + t);
            if bug == Bug::GeluNoDensity { first } else { first + half * z * (one - t * t) * inner }
        }
        Activation::GeluErf => {
            if bug == Bug::GeluOtherForm {
                return derivative(Activation::GeluTanh, z, a, gate, Bug::None);
            }
            let scale = if bug == Bug::GeluDensityScale { 1.0 } else { 1.0 / SQRT_2_PI };
            let density = lit::<F>(scale) * (-half * z * z).exp();
            let first = normal_cdf(z);
            if bug == Bug::GeluNoDensity { first } else { first + z * density }
        }
    }
}

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const SQRT_2_PI: f64 = 2.506_628_274_631_000_2;

fn gelu_inner<F: Real>(z: F, cubic: f64) -> F {
    lit::<F>(SQRT_2_OVER_PI) * (z + lit::<F>(cubic) * z * z * z)
}

/// Distribution function of the standard normal: `1/2 + density * (z + z^3/3 + z^5/15 + ..)`,
/// a series of one sign on each side (Marsaglia, 2004). Its lower tail keeps absolute, not
/// relative digits.
fn normal_cdf<F: Real>(z: F) -> F {
    if (z * z).above(lit(81.0)) {
        return if z.above(F::zero()) { F::one() } else { F::zero() };
    }
    let density = (-lit::<F>(0.5) * z * z).exp() / lit(SQRT_2_PI);
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term = term * z * z / count(2 * n + 1);
        sum += term;
        if !term.abs_above(sum) {
            break;
        }
    }
    lit::<F>(0.5) + density * sum
}

trait Significant: Real {
    /// Whether a term still counts in a sum, derivative included.
    fn abs_above(self, sum: Self) -> bool {
        (self * self).above(sum * sum * lit(1e-40))
    }
}

impl<F: Real> Significant for F {}
